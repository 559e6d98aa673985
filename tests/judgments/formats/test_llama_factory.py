from __future__ import annotations

import pytest

from llull.errors import InputError
from llull.judgments import Judgment, Message, Preferences, Rating, prompt, text_option, write
from llull.judgments.reading import known_writers, read


def said(speaker, text):
    return {"from": speaker, "value": text}


ALPACA = [
    {"instruction": "Add", "input": "1 and 2", "chosen": "3", "rejected": "4"},
    {"instruction": "Say hi\nnow", "input": "", "chosen": "hi", "rejected": "", "system": "", "history": []},
    {
        "instruction": "And again",
        "input": "louder",
        "chosen": "HI",
        "rejected": "hi",
        "system": "Be nice.",
        "history": [["Say hi", "hi"], ["More", "hi hi"]],
        "images": ["a.png"],
    },
    {"instruction": "", "input": "only this", "chosen": "a", "rejected": "b"},
    {"instruction": "Add", "input": "1", "chosen": "3", "rejected": None},
    {"instruction": "Add", "input": "1", "chosen": "3", "rejected": "4", "history": ["Say hi"]},
]
SHAREGPT = [
    {
        "conversations": [said("human", "Q"), said("gpt", "A"), said("human", "More")],
        "chosen": said("gpt", "B"),
        "rejected": said("gpt", "C"),
    },
    {
        "conversations": [
            said("system", "S"),
            said("human", "Q"),
            said("function_call", "f()"),
            said("observation", "1"),
        ],
        "chosen": said("gpt", "1"),
        "rejected": said("function_call", "g()"),
        "tools": "[]",
    },
    {"conversations": [said("human", "Q")], "chosen": said("gpt", "B"), "rejected": "C"},
    {"conversations": "Q", "chosen": said("gpt", "B"), "rejected": said("gpt", "C")},
]


def test_alpaca_pairs(read_rows, assert_kept):
    votes = read_rows(ALPACA)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("llama-factory", 6, 4)
    assert [reject.line for reject in account.rejects] == [5, 6]
    assert votes[0].context == prompt("Add\n1 and 2")
    assert votes[1].context == prompt("Say hi\nnow")
    assert [(turn.role, turn.content) for turn in votes[2].context] == [
        ("system", "Be nice."),
        ("user", "Say hi"),
        ("assistant", "hi"),
        ("user", "More"),
        ("assistant", "hi hi"),
        ("user", "And again\nlouder"),
    ]
    assert votes[3].context == prompt("only this")
    assert [option.text for option in votes[1].options] == ["hi", ""]
    assert all(judgment.ranking == [[0], [1]] for judgment in votes)
    for row, judgment in zip(ALPACA, votes, strict=False):
        assert_kept(row, judgment)


def test_alpaca_pairs_written_are_read_again(read_rows, tmp_path, raw_rows):
    votes = read_rows(ALPACA[:4])
    assert not known_writers()["llama-factory"].write(votes, tmp_path / "sample.jsonl")
    written = raw_rows(tmp_path / "sample.jsonl")
    for before, after in zip(ALPACA[:4], written, strict=True):
        assert after == {key: value for key, value in before.items() if value or key not in ("system", "history")}
    assert list(read(tmp_path / "sample.jsonl")) == list(votes)


def test_sharegpt_pairs(read_rows, assert_kept):
    votes = read_rows(SHAREGPT)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("llama-factory-sharegpt", 4, 2)
    assert [reject.line for reject in account.rejects] == [3, 4]
    assert [(turn.role, turn.content) for turn in votes[0].context] == [
        ("user", "Q"),
        ("assistant", "A"),
        ("user", "More"),
    ]
    assert [turn.role for turn in votes[1].context] == ["system", "user", "function_call", "tool"]
    assert [option.messages[0].role for option in votes[1].options] == ["assistant", "function_call"]
    for row, judgment in zip(SHAREGPT, votes, strict=False):
        names = {"human": "user", "gpt": "assistant", "observation": "tool"}
        named = [{**turn, "from": names.get(turn["from"], turn["from"])} for turn in row["conversations"]]
        assert_kept({**row, "conversations": named}, judgment, but=("chosen", "rejected"))
        assert [option.text for option in judgment.options] == [row["chosen"]["value"], row["rejected"]["value"]]


def test_sharegpt_pairs_written_are_the_rows_read(read_rows, tmp_path, raw_rows):
    votes = read_rows(SHAREGPT[:2])
    assert not known_writers()["llama-factory-sharegpt"].write(votes, tmp_path / "sample.jsonl")
    assert raw_rows(tmp_path / "sample.jsonl") == SHAREGPT[:2]


def test_a_turn_with_more_than_words_is_kept(read_rows, assert_kept):
    row = {
        "conversations": [{**said("human", "Q"), "loss": False}],
        "system": "S",
        "chosen": said("gpt", "B"),
        "rejected": said("gpt", "C"),
    }
    votes = read_rows([row])
    assert votes[0].context == prompt("Q", system="S")
    assert votes[0].tags["conversations"] == row["conversations"]


@pytest.mark.parametrize(
    ("format", "rows"),
    [
        (
            "llama-factory-kto",
            [
                {"instruction": "Add", "input": "1 and 2", "output": "3", "kto_tag": True},
                {"instruction": "Add", "input": "", "output": "4", "kto_tag": False},
                {"instruction": "Add", "input": "", "output": "4", "kto_tag": None},
            ],
        ),
        (
            "llama-factory-sharegpt-kto",
            [
                {"conversations": [said("human", "Q"), said("gpt", "A")], "kto_tag": True},
                {"conversations": [said("system", "S"), said("human", "Q"), said("gpt", "A")], "kto_tag": False},
                {"conversations": [said("human", "Q")], "kto_tag": True},
            ],
        ),
    ],
)
def test_thumbs_in_both_layouts(read_rows, tmp_path, raw_rows, format, rows):
    votes = read_rows(rows)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == (format, 3, 2)
    assert [reject.line for reject in account.rejects] == [3]
    assert [judgment.ratings for judgment in votes] == [
        [Rating(0, "accept", 1.0, 0.0, 1.0)],
        [Rating(0, "accept", 0.0, 0.0, 1.0)],
    ]
    assert not known_writers()[format].write(votes, tmp_path / "sample.json")
    assert list(read(tmp_path / "sample.json")) == list(votes)
    known_writers()[format].write(votes, tmp_path / "again.jsonl")
    assert raw_rows(tmp_path / "again.jsonl") == rows[:2]


def test_thumbs_in_the_layout_of_the_shipped_example(read_rows, assert_kept):
    asked = {"role": "user", "content": "Q"}
    rows = [
        {"messages": [asked, {"role": "assistant", "content": "A"}], "label": True},
        {"messages": [asked, {"role": "assistant", "content": "B", "name": "m"}], "label": False, "page": 3},
        {"messages": [asked], "label": True},
    ]
    votes = read_rows(rows)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("llama-factory-openai-kto", 3, 2)
    assert [(judgment.options[0].text, judgment.ratings[0].value) for judgment in votes] == [("A", 1.0), ("B", 0.0)]
    assert all(judgment.context == prompt("Q") for judgment in votes)
    for row, judgment in zip(rows, votes, strict=False):
        assert_kept(row, judgment)


def test_what_llama_factory_would_skip_is_left_out(tmp_path):
    options = [text_option("A"), text_option("B")]
    asked_twice = [Message("user", "Q"), Message("user", "Q!")]
    votes = Preferences.from_judgments(
        [
            Judgment(options, prompt("Q"), ranking=[[1], [0]]),
            Judgment(options, asked_twice, ranking=[[0], [1]]),
            Judgment(options, [], ranking=[[0], [1]]),
            Judgment([text_option("A", role="user"), text_option("B")], prompt("Q"), ranking=[[0], [1]]),
            Judgment(options, prompt("Q"), verdict="cannot_judge"),
        ]
    )
    for writer in ("llama-factory", "llama-factory-sharegpt"):
        left_out = known_writers()[writer].write(votes, tmp_path / f"{writer}.jsonl")
        assert sum(left_out.values()) == 4
        (judgment,) = read(tmp_path / f"{writer}.jsonl")
        assert [option.text for option in judgment.options] == ["B", "A"]
    for writer in ("llama-factory-kto", "llama-factory-sharegpt-kto"):
        with pytest.raises(InputError, match="5 that neither accept nor reject an option"):
            write(votes, tmp_path / "none.jsonl", writer)
