from __future__ import annotations

import pytest

from llull.errors import InputError
from llull.judgments import Judgment, Message, Option, Preferences, prompt, text_option, write
from llull.judgments.reading import known_writers, read


def turn(role, text):
    return {"role": role, "content": text}


ROWS = [
    {
        "chosen": [turn("user", "Q"), turn("assistant", "A")],
        "rejected": [turn("user", "Q"), turn("assistant", "B")],
        "margin": 2,
    },
    {
        "chosen": [turn("user", "Q"), turn("assistant", "A")],
        "rejected": [turn("user", "Q"), turn("assistant", "A")],
        "margin": None,
    },
    {"chosen": "Whole text A", "rejected": "Whole text B", "margin": 0.5},
    {"chosen": "Whole text A", "rejected": None, "margin": 0.5},
]


def test_whole_conversations_and_texts(read_rows, assert_kept):
    votes = read_rows(ROWS)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("openrlhf", 4, 3)
    assert [reject.line for reject in account.rejects] == [4]
    assert [judgment.context for judgment in votes] == [prompt("Q"), prompt("Q"), []]
    assert [judgment.strength for judgment in votes] == [2.0, None, 0.5]
    assert [[option.text for option in judgment.options] for judgment in votes] == [
        ["A", "B"],
        ["A", "A"],
        ["Whole text A", "Whole text B"],
    ]
    for row, judgment in zip(ROWS, votes, strict=False):
        assert_kept(row, judgment)


@pytest.mark.parametrize("key", ["prompt", "context_messages", "input", "question", "instruction"])
def test_the_prompt_may_have_any_usual_name(read_rows, key):
    votes = read_rows([{key: "Q", "chosen": "A", "rejected": "B", "margin": 1.0}], format="openrlhf")
    assert votes[0].context == prompt("Q")
    assert [option.text for option in votes[0].options] == ["A", "B"]


def test_written_pairs_are_read_again(tmp_path):
    context = [*prompt("Q", system="S"), Message("assistant", "What?"), Message("user", "Q!")]
    votes = Preferences.from_judgments(
        [
            Judgment(
                [text_option("A"), text_option("B")], context, ranking=[[0], [1]], strength=3.0, tags={"source": "out"}
            ),
            Judgment([text_option("A"), text_option("A")], context, ranking=[[0], [1]], tags={"source": "out"}),
            Judgment([text_option("A"), text_option("B")], [], ranking=[[0], [1]], tags={"source": "out"}),
        ]
    )
    assert not known_writers()["openrlhf"].write(votes, tmp_path / "out.jsonl")
    again = read(tmp_path / "out.jsonl")
    assert again.reading.files[0].format == "openrlhf"
    assert list(again) == list(votes)


def test_an_option_of_several_turns_does_not_fit(tmp_path):
    longer = Option([Message("assistant", "A"), Message("user", "Q"), Message("assistant", "B")])
    votes = Preferences.from_judgments([Judgment([longer, text_option("B")], prompt("Q"), ranking=[[0], [1]])])
    with pytest.raises(InputError, match="an option that is not one message of text"):
        write(votes, tmp_path / "out.jsonl", "openrlhf")
