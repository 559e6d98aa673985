from __future__ import annotations

import pytest

from llull.errors import InputError
from llull.judgments import Judgment, Preferences, named_option, prompt, text_option, write
from llull.judgments.formats.hh_rlhf import transcripts
from llull.judgments.reading import known_writers, read

ROWS = {"harmless-base": 2312, "helpful-base": 2354, "helpful-online": 1137, "helpful-rejection-sampled": 2749}


@pytest.fixture(scope="module")
def hh(real_data, read_once):
    return {split: read_once(real_data / "hh_rlhf" / f"{split}.test.jsonl.gz") for split in ROWS}


@pytest.fixture(scope="module")
def raw(real_data, raw_rows):
    return {split: raw_rows(real_data / "hh_rlhf" / f"{split}.test.jsonl.gz") for split in ROWS}


@pytest.mark.parametrize("split", ROWS)
def test_every_row_becomes_a_judgment(hh, raw, split):
    (account,) = hh[split].reading.files
    assert account.format == "hh-rlhf"
    assert account.rows == account.judgments == len(hh[split]) == len(raw[split]) == ROWS[split]
    assert not account.rejects


@pytest.mark.parametrize("split", ROWS)
def test_context_and_options_rebuild_both_transcripts(hh, raw, split):
    def rebuilt(judgment: Judgment, option: int) -> str:
        turns = [*judgment.context, *judgment.options[option].messages]
        return "".join(f"\n\n{'Human' if turn.role == 'user' else 'Assistant'}: {turn.content}" for turn in turns)

    for judgment, row in zip(hh[split], raw[split], strict=True):
        assert rebuilt(judgment, 0) == row["chosen"]
        assert rebuilt(judgment, 1) == row["rejected"]


def test_the_context_reaches_to_where_the_transcripts_part(hh, raw):
    """A slow twin: go along both transcripts letter by letter, and back to the last turn of the assistant."""
    for judgment, row in zip(hh["helpful-base"], raw["helpful-base"], strict=True):
        chosen, rejected = row["chosen"], row["rejected"]
        same = 0
        while same < min(len(chosen), len(rejected)) and chosen[same] == rejected[same]:
            same += 1
        reply = chosen.rindex("\n\nAssistant:", 0, same)
        assert sum(len(turn.content) for turn in judgment.context) == len(
            chosen[:reply].replace("\n\nHuman: ", "").replace("\n\nAssistant: ", "")
        )
        assert (
            judgment.options[0].messages[0].content
            == chosen[reply:].split("\n\nAssistant: ")[1].split("\n\nHuman: ")[0]
        )


def test_quirks_of_the_real_files(hh):
    judgments = [judgment for split in ROWS for judgment in hh[split]]
    assert all(judgment.verdict == "ranked" and judgment.ranking == [[0], [1]] for judgment in judgments)
    assert sum(judgment.options[0].id == judgment.options[1].id for judgment in judgments) == 36
    assert sum(any(option.text == "" for option in judgment.options) for judgment in judgments) == 11
    assert sum(any(len(option.messages) > 1 for option in judgment.options) for judgment in judgments) == 19
    assert {judgment.context[-1].role for judgment in judgments} <= {"user", "assistant"}
    assert all(option.messages[0].role == "assistant" for judgment in judgments for option in judgment.options)


def test_one_row_by_hand(hh):
    judgment = hh["helpful-base"][0]
    assert [(turn.role, turn.content) for turn in judgment.context] == [
        ("user", "Do you know why turkeys became the official food of thanksgiving?")
    ]
    assert judgment.options[0].text.startswith("To be honest, I don’t know anything about that.")
    assert judgment.annotator_kind == "human"
    assert judgment.annotator is None
    assert judgment.tags == {"source": "helpful-base"}


def test_a_transcript_that_goes_on_has_several_messages(hh):
    judgment = hh["helpful-base"][1166]
    assert [message.role for message in judgment.options[0].messages] == ["assistant", "assistant"]
    assert judgment.options[0].messages[0].content == "Umm. Just a second..."
    assert len(judgment.options[1].messages) == 1


@pytest.mark.parametrize("split", ROWS)
def test_saving_keeps_everything(hh, split, tmp_path):
    assert Preferences.load(hh[split].save(tmp_path / "votes.parquet")).table.equals(hh[split].table)


@pytest.mark.parametrize("split", ROWS)
def test_written_files_equal_the_real_ones(hh, raw, split, tmp_path, raw_rows):
    path = tmp_path / f"{split}.jsonl.gz"
    assert not known_writers()["hh-rlhf"].write(hh[split], path)
    assert raw_rows(path) == raw[split]


def test_texts_are_kept_to_the_letter(read_rows):
    shared = "\n\nHuman:  two spaces \n\nAssistant:"
    votes = read_rows([{"chosen": shared + " yes \n", "rejected": shared + " \n no"}])
    assert votes[0].context[0].content == " two spaces "
    assert [option.text for option in votes[0].options] == ["yes \n", "\n no"]


def test_a_common_beginning_of_replies_is_not_context(read_rows):
    shared = "\n\nHuman: Where?\n\nAssistant: P"
    votes = read_rows([{"chosen": shared + "aris", "rejected": shared + "rague"}])
    assert [option.text for option in votes[0].options] == ["Paris", "Prague"]


def test_a_marker_without_a_space_is_kept_in_the_tags(read_rows, tmp_path, raw_rows):
    row = {"chosen": "\n\nHuman: Hi\n\nAssistant:Yes", "rejected": "\n\nHuman: Hi\n\nAssistant: No"}
    votes = read_rows([row])
    assert [option.text for option in votes[0].options] == ["Yes", "No"]
    assert transcripts(votes[0]) == [row["chosen"], row["rejected"]]
    known_writers()["hh-rlhf"].write(votes, tmp_path / "again.jsonl")
    assert raw_rows(tmp_path / "again.jsonl") == [row]


def test_bad_rows_are_rejected_with_their_reason(read_rows):
    good = {"chosen": "\n\nHuman: Hi\n\nAssistant: A", "rejected": "\n\nHuman: Hi\n\nAssistant: B"}
    apart = {"chosen": "\n\nHuman: Hi\n\nAssistant: A", "rejected": "\n\nHuman: Ho\n\nAssistant: B"}
    headless = {"chosen": "Hi\n\nAssistant: A", "rejected": "Hi\n\nAssistant: B"}
    votes = read_rows([good, apart, headless, {"chosen": None, "rejected": "x"}], format="hh-rlhf")
    assert len(votes) == 1
    assert [(reject.line, reject.reason) for reject in votes.reading.rejects] == [
        (2, "the two transcripts share no turn that the assistant could answer"),
        (3, "a transcript does not begin with a turn marker"),
        (4, "field 'chosen' is null, not text"),
    ]


def test_what_cannot_be_written_is_counted(tmp_path):
    ranked = Judgment([text_option("A"), text_option("B")], prompt("Q"), ranking=[[1], [0]])
    tie = Judgment([text_option("A"), text_option("B")], prompt("Q"), ranking=[[0, 1]])
    named = Judgment([named_option("a"), named_option("b")], prompt("Q"), ranking=[[0], [1]])
    system = Judgment([text_option("A"), text_option("B")], prompt("Q", system="S"), ranking=[[0], [1]])
    left_out = known_writers()["hh-rlhf"].write(
        Preferences.from_judgments([ranked, tie, named, system]), tmp_path / "hh.jsonl"
    )
    assert sum(left_out.values()) == 3
    assert len(left_out) == 3
    assert [option.text for option in read(tmp_path / "hh.jsonl")[0].options] == ["B", "A"]
    with pytest.raises(InputError, match="can hold none of the 1 judgments"):
        write(Preferences.from_judgments([tie]), tmp_path / "none.jsonl", "hh-rlhf")
    assert not (tmp_path / "none.jsonl").exists()
