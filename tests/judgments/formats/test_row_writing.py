from __future__ import annotations

import gzip
import json

import pytest

from llull.errors import InputError
from llull.judgments import Judgment, Media, Message, Preferences, named_option, prompt, text_option
from llull.judgments.formats.row_writing import (
    DoesNotFit,
    margin_of,
    only_text,
    refuse_media,
    winning_pairs,
    write_rows,
)


def ranked(ranking, options="abcd", **more):
    return Judgment([named_option(name) for name in options], ranking=ranking, **more)


@pytest.mark.parametrize(
    ("ranking", "expected"),
    [
        ([[0], [1]], {(0, 1)}),
        ([[3], [0, 1]], {(3, 0), (3, 1)}),
        ([[2], [0], [1]], {(2, 0), (2, 1), (0, 1)}),
        ([[0, 1], [2, 3]], {(0, 2), (0, 3), (1, 2), (1, 3)}),
    ],
)
def test_pairs_of_a_ranking(ranking, expected):
    pairs = winning_pairs(ranked(ranking))
    assert len(pairs) == len(expected)
    assert set(pairs) == expected


@pytest.mark.parametrize("verdict", ["ranked", "both_good", "both_bad"])
def test_a_tie_names_no_winner(verdict):
    with pytest.raises(DoesNotFit, match="that name no winner"):
        winning_pairs(ranked([[0, 1]], verdict=verdict))


def test_only_the_strength_of_two_options_is_a_margin():
    assert margin_of(ranked([[0], [1]], "ab", strength=2.0)) == 2.0
    assert margin_of(ranked([[0], [1]], "abc", strength=2.0)) is None


def test_only_one_text_of_the_role_passes():
    assert only_text([Message("user", "Q")], "user", "context") == "Q"
    picture = [Message("user", "Q", [Media("image", "a.png")])]
    for messages in ([], [Message("assistant", "A")], [*prompt("Q"), *prompt("Q")], picture):
        with pytest.raises(DoesNotFit, match="whose context is not one text of the user"):
            only_text(messages, "user", "context")
    refuse_media([Message("user", "Q")])
    with pytest.raises(DoesNotFit, match="that have media"):
        refuse_media(picture)


VOTES = Preferences.from_judgments(
    [
        Judgment([text_option("ä\n"), text_option("B")], prompt("Q"), ranking=[[0], [1]]),
        Judgment([text_option("A"), text_option("B")], prompt("Q"), ranking=[[0, 1]]),
        Judgment([text_option("C"), text_option("B"), text_option("A")], prompt("Q"), ranking=[[0], [1], [2]]),
    ]
)


def rows_of(judgment):
    for better, worse in winning_pairs(judgment):
        yield {"chosen": judgment.options[better].text, "rejected": judgment.options[worse].text}


EXPECTED = [("ä\n", "B"), ("C", "B"), ("C", "A"), ("B", "A")]


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".json", ".json.gz"])
def test_rows_are_whole_json(tmp_path, ending):
    path = tmp_path / f"rows{ending}"
    left_out = write_rows("some-format", VOTES, path, rows_of)
    assert left_out == {"that name no winner": 1}
    data = path.read_bytes()
    text = (gzip.decompress(data) if ending.endswith(".gz") else data).decode()
    rows = json.loads(text) if ".json" in ending and ".jsonl" not in ending else [*map(json.loads, text.splitlines())]
    assert [(row["chosen"], row["rejected"]) for row in rows] == EXPECTED
    assert "ä" in text


def test_no_row_at_all_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"some-format can hold none of the 1 judgments \(1 that name no winner\)"):
        write_rows("some-format", VOTES.select([1]), tmp_path / "rows.jsonl", rows_of)
    with pytest.raises(InputError, match="give it such a name"):
        write_rows("some-format", VOTES, tmp_path / "rows.parquet", rows_of)
