from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llull.errors import InputError
from llull.judgments import Judgment, Media, Message, Option, Preferences, Rating, prompt, text_option, write
from llull.judgments.formats.conversations import option_of
from llull.judgments.reading import known_writers, read


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def only(votes, format):
    (account,) = votes.reading.files
    assert account.format == format
    assert account.rows == account.judgments == 1
    return votes[0]


def turns(messages):
    return [(message.role, message.content) for message in messages]


def test_explicit_text(read_rows, assert_kept):
    row = {"prompt": "The sky is ", "chosen": " blue.", "rejected": " green.\n", "margin": 1.5, "page": 7}
    judgment = only(read_rows([row]), "trl")
    assert turns(judgment.context) == [("user", "The sky is ")]
    assert [option.text for option in judgment.options] == [" blue.", " green.\n"]
    assert (judgment.ranking, judgment.verdict, judgment.strength) == ([[0], [1]], "ranked", 1.5)
    assert judgment.tags == {"page": 7, "source": "sample"}
    assert_kept(row, judgment)


def test_implicit_text_has_an_empty_context(read_rows):
    votes = read_rows([{"chosen": "Paris ", "rejected": "Prague"}])
    judgment = only(votes, "trl-implicit")
    assert judgment.context == []
    assert [option.text for option in judgment.options] == ["Paris ", "Prague"]
    assert list(votes.reading.files[0].notes) == [
        "texts without a prompt: each is read whole as an option, with an empty context"
    ]


def test_implicit_conversations_share_whole_turns(read_rows):
    shared = [{"role": "system", "content": "S"}, user("Where?"), assistant("In France."), user("Which city?")]
    row = {"chosen": [*shared, assistant("Paris")], "rejected": [*shared, assistant("Pau")]}
    judgment = only(read_rows([row]), "trl-implicit")
    assert turns(judgment.context) == [(turn["role"], turn["content"]) for turn in shared]
    assert [option.text for option in judgment.options] == ["Paris", "Pau"]


def test_implicit_conversations_may_part_early_and_end_apart(read_rows):
    row = {
        "chosen": [user("Q"), assistant("A")],
        "rejected": [user("Q"), assistant("A"), user("More"), assistant("B")],
    }
    judgment = only(read_rows([row]), "trl-implicit")
    assert turns(judgment.context) == [("user", "Q")]
    assert turns(judgment.options[0].messages) == [("assistant", "A")]
    assert turns(judgment.options[1].messages) == [("assistant", "A"), ("user", "More"), ("assistant", "B")]


def test_conversations_that_differ_in_their_context(read_rows):
    row = {"chosen": [user("Q"), assistant("A")], "rejected": [user("Q?"), assistant("B")]}
    votes = read_rows([row])
    assert votes[0].context == []
    assert turns(votes[0].options[1].messages) == [("user", "Q?"), ("assistant", "B")]
    assert list(votes.reading.files[0].notes) == [
        "the two conversations share no turn, so each is read whole as an option"
    ]


def test_explicit_conversations(read_rows, assert_kept):
    row = {
        "prompt": [user("Q")],
        "chosen": [assistant("A")],
        "rejected": [assistant("B")],
        "tools": [{"name": "search", "parameters": {"deep": True}}],
        "chat_template_kwargs": {"thinking": False},
    }
    judgment = only(read_rows([row]), "trl")
    assert turns(judgment.context) == [("user", "Q")]
    assert [option.text for option in judgment.options] == ["A", "B"]
    assert judgment.tags["tools"] == row["tools"]
    assert judgment.tags["chat_template_kwargs"] == row["chat_template_kwargs"]
    assert_kept(row, judgment)


@pytest.mark.parametrize("asked", ["Q", [user("Q")]])
def test_a_prompt_that_the_conversations_repeat_is_context_once(read_rows, asked):
    row = {"prompt": asked, "chosen": [user("Q"), assistant("A")], "rejected": [user("Q"), assistant("B")]}
    judgment = only(read_rows([row]), "trl")
    assert turns(judgment.context) == [("user", "Q")]
    assert turns(judgment.options[0].messages) == [("assistant", "A")]
    assert judgment.tags == {"source": "sample"}


def test_a_prompt_that_the_conversations_change_is_kept(read_rows):
    row = {"prompt": "Q ", "chosen": [user("Q"), assistant("A")], "rejected": [user("Q"), assistant("B")]}
    judgment = only(read_rows([row]), "trl")
    assert turns(judgment.context) == [("user", "Q")]
    assert judgment.tags["prompt"] == "Q "


def test_what_a_message_does_not_hold_is_kept_in_the_tags(read_rows, assert_kept):
    row = {
        "prompt": [
            {"role": "user", "content": [{"type": "image", "url": "cat.png"}, {"type": "text", "text": "What?"}]}
        ],
        "chosen": [{"role": "assistant", "content": None, "tool_calls": [{"name": "look"}]}],
        "rejected": [{"role": "assistant", "content": "No.", "name": None}],
    }
    judgment = only(read_rows([row]), "trl")
    assert judgment.context == [Message("user", "What?", [Media("image", "cat.png")])]
    assert judgment.tags["chosen"] == row["chosen"]
    assert "rejected" not in judgment.tags
    assert_kept(row, judgment)


def test_images_belong_to_the_first_user_message(read_rows, tmp_path):
    row = {
        "prompt": [user("Q")],
        "chosen": [assistant("A")],
        "rejected": [assistant("B")],
        "images": ["a.png", "b.png"],
    }
    votes = read_rows([row])
    assert votes[0].context[0].media == [Media("image", "a.png"), Media("image", "b.png")]
    assert "images" not in votes[0].tags
    known_writers()["trl-conversational"].write(votes, tmp_path / "sample.jsonl")
    assert list(read(tmp_path / "sample.jsonl")) == list(votes)


def test_images_without_an_address_stay_in_the_tags(read_rows, assert_kept):
    image = {"bytes": "aGk=", "path": None}
    row = {"prompt": [user("Q")], "chosen": [assistant("A")], "rejected": [assistant("B")], "images": [image]}
    judgment = only(read_rows([row]), "trl")
    assert judgment.context[0].media == []
    assert_kept(row, judgment)


def test_identical_sides_stay_a_ranked_judgment(read_rows):
    row = {"chosen": [user("Q"), assistant("A")], "rejected": [user("Q"), assistant("A")]}
    judgment = only(read_rows([row]), "trl-implicit")
    assert turns(judgment.context) == [("user", "Q")]
    assert judgment.options[0].id == judgment.options[1].id
    assert judgment.ranking == [[0], [1]]


def test_bad_pairs_are_rejected(read_rows):
    rows = [
        {"prompt": "Q", "chosen": "A", "rejected": "B"},
        {"prompt": "Q", "chosen": None, "rejected": "B"},
        {"prompt": "Q", "chosen": [], "rejected": []},
        {"prompt": "Q", "chosen": [{"role": "assistant"}], "rejected": [assistant("B")]},
        {"prompt": "Q", "chosen": "A", "rejected": "B", "margin": "wide"},
        {"prompt": "Q", "chosen": "A"},
    ]
    votes = read_rows(rows, format="trl")
    assert len(votes) == 1
    assert [reject.line for reject in votes.reading.rejects] == [2, 3, 4, 5, 6]


def test_thumbs(read_rows, assert_kept):
    rows = [
        {"prompt": "Q", "completion": "A", "label": True},
        {"prompt": [user("Q")], "completion": [assistant("B")], "label": False, "user": "u1"},
        {"prompt": "Q", "completion": "C", "label": None},
    ]
    votes = read_rows(rows)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments, account.rows_rejected) == ("trl-kto", 3, 2, 1)
    assert [judgment.ratings for judgment in votes] == [
        [Rating(0, "accept", 1.0, 0.0, 1.0)],
        [Rating(0, "accept", 0.0, 0.0, 1.0)],
    ]
    assert all(judgment.verdict == "rated" and not judgment.ranking for judgment in votes)
    assert list(votes.accepts().value) == [1.0, 0.0]
    for row, judgment in zip(rows, votes, strict=False):
        assert_kept(row, judgment)


def test_an_unknown_thumb_stops_the_read(read_rows):
    rows = [{"prompt": "Q", "completion": "A", "label": True}, {"prompt": "Q", "completion": "A", "label": "great"}]
    with pytest.raises(InputError, match=r"line 2: field 'label' has the unknown label 'great'"):
        read_rows(rows)


def test_steps_form_a_chain(read_rows, assert_kept):
    rows = [
        {"prompt": "2+2*3?", "completions": ["2*3=6", "2+6=9", "so 9"], "labels": [True, False, False], "id": "x"},
        {"prompt": "1+1?", "completions": ["2"], "labels": [None]},
        {"prompt": "1+1?", "completions": ["2", "3"], "labels": [True]},
        {"prompt": "1+1?", "completions": ["2", "3"], "labels": [True, "maybe"]},
    ]
    votes = read_rows(rows)
    (account,) = votes.reading.files
    assert (account.format, len(votes)) == ("trl-stepwise", 1)
    assert [reject.line for reject in account.rejects] == [2, 3, 4]
    judgment = votes[0]
    assert [option.parent for option in judgment.options] == [None, 0, 1]
    assert [option.text for option in judgment.options] == rows[0]["completions"]
    assert [(rating.option, rating.value) for rating in judgment.ratings] == [(0, 1.0), (1, 0.0), (2, 0.0)]
    assert_kept(rows[0], judgment)


def pairs_to_write(context):
    return Preferences.from_judgments(
        [
            Judgment([text_option("A"), text_option(" B\n")], context, ranking=[[1], [0]], strength=2.0),
            Judgment([text_option("A"), text_option("B"), text_option("C")], context, ranking=[[2], [0, 1]]),
            Judgment([text_option("A"), text_option("B")], context, ranking=[[0, 1]]),
        ]
    )


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".json"])
@pytest.mark.parametrize("writer", ["trl", "trl-conversational"])
def test_pairs_written_are_pairs_read(tmp_path, writer, ending):
    path = tmp_path / f"pairs{ending}"
    left_out = known_writers()[writer].write(pairs_to_write(prompt("Q")), path)
    assert sum(left_out.values()) == 1
    votes = read(path)
    assert votes.reading.files[0].format == "trl"
    assert [[option.text for option in judgment.options] for judgment in votes] == [
        [" B\n", "A"],
        ["C", "A"],
        ["C", "B"],
    ]
    assert [judgment.strength for judgment in votes] == [2.0, None, None]
    assert all(judgment.context == prompt("Q") and judgment.ranking == [[0], [1]] for judgment in votes)


def test_conversations_survive_only_the_conversational_layout(tmp_path):
    context = [*prompt("Q", system="S"), Message("assistant", "What?"), Message("user", "Q!")]
    votes = pairs_to_write(context)
    with pytest.raises(InputError, match="whose context is not one text of the user"):
        write(votes, tmp_path / "pairs.jsonl", "trl")
    known_writers()["trl-conversational"].write(votes, tmp_path / "pairs.jsonl")
    again = read(tmp_path / "pairs.jsonl")
    assert len(again) == 3
    assert all(judgment.context == context for judgment in again)


def test_an_empty_context_is_written_without_a_prompt(tmp_path):
    known_writers()["trl"].write(pairs_to_write([]), tmp_path / "pairs.jsonl")
    again = read(tmp_path / "pairs.jsonl")
    assert again.reading.files[0].format == "trl-implicit"
    assert again[0].context == []
    assert [option.text for option in again[0].options] == [" B\n", "A"]


def test_thumbs_and_steps_written_are_read_again(read_rows, tmp_path):
    thumbs = read_rows([{"prompt": "Q", "completion": f"A{i}", "label": i % 2 == 0} for i in range(4)])
    assert not known_writers()["trl-kto"].write(thumbs, tmp_path / "sample.jsonl.gz")
    assert list(read(tmp_path / "sample.jsonl.gz")) == list(thumbs)
    steps = read_rows([{"prompt": "Q", "completions": ["a", "b", "c"], "labels": [True, True, False]}])
    assert not known_writers()["trl-stepwise"].write(steps, tmp_path / "sample.json")
    assert list(read(tmp_path / "sample.json")) == list(steps)


@pytest.mark.parametrize("writer", ["trl", "trl-conversational", "trl-kto", "trl-stepwise"])
def test_writers_say_what_they_leave_out(tmp_path, writer):
    loose = [
        Judgment([text_option("A"), text_option("B")], prompt("Q"), ranking=[[0, 1]], verdict="both_bad"),
        Judgment([text_option("A")], prompt("Q"), ratings=[Rating(0, "accept", 0.5)], verdict="rated"),
        Judgment([Option(media=[Media("image", "a.png")]), text_option("B")], prompt("Q"), ranking=[[0], [1]]),
    ]
    with pytest.raises(InputError, match=r"can hold none of the 3 judgments \("):
        write(Preferences.from_judgments(loose), tmp_path / "out.jsonl", writer)
    assert list(tmp_path.iterdir()) == []


def test_saving_keeps_everything(read_rows, tmp_path):
    votes = read_rows([{"prompt": "Q", "completions": ["a", "b"], "labels": [True, False], "extra": {"deep": [1]}}])
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)


def test_parquet_gives_the_judgments_of_json_lines(read_rows, tmp_path):
    rows = [
        {
            "prompt": [user("Q")],
            "chosen": [assistant("A")],
            "rejected": [{**assistant("B"), "name": "b"}],
            "margin": 1.0,
        },
        {"prompt": [user("R")], "chosen": [assistant("C")], "rejected": [assistant("D")], "margin": None},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "sample.parquet")
    assert list(read(tmp_path / "sample.parquet")) == list(read_rows(rows))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MESSAGES = st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), TEXTS), max_size=4)
OPTIONS = st.lists(st.builds(Message, st.just("assistant"), TEXTS), min_size=1, max_size=2).map(option_of)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(MESSAGES, OPTIONS, OPTIONS), min_size=1, max_size=3))
def test_any_conversation_survives_being_written(tmp_path, drawn):
    tags = {"source": "drawn"}
    votes = [Judgment([a, b], context, ranking=[[0], [1]], tags=tags) for context, a, b in drawn]
    write(Preferences.from_judgments(votes), tmp_path / "drawn.jsonl", "trl-conversational")
    assert list(read(tmp_path / "drawn.jsonl")) == votes


def test_steps_without_all_their_labels_are_left_out(read_rows, tmp_path):
    votes = read_rows([{"prompt": "Q", "completions": ["a", "b"], "labels": [True, None]}])
    assert votes.reading.files[0].notes == {"a step without a label is left unrated": 1}
    assert [(rating.option, rating.value) for rating in votes[0].ratings] == [(0, 1.0)]
    with pytest.raises(InputError, match="1 in which not every step is accepted or rejected"):
        write(votes, tmp_path / "out.jsonl", "trl-stepwise")


@pytest.mark.parametrize(
    "context",
    [
        [Message("user", "Q"), Message("user", "R", [Media("image", "a.png")])],
        [Message("user", "Q", [Media("audio", "a.wav")])],
        [Message("assistant", "Q", [Media("image", "a.png")])],
    ],
)
def test_media_beyond_images_of_the_first_question_do_not_fit(tmp_path, context):
    votes = Preferences.from_judgments([Judgment([text_option("A"), text_option("B")], context, ranking=[[0], [1]])])
    with pytest.raises(InputError, match="that have media beyond images in the first user message"):
        write(votes, tmp_path / "out.jsonl", "trl-conversational")
