from __future__ import annotations

import json

import pytest

from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.reading import read


@pytest.mark.slow
def test_the_whole_log(real_data, raw_rows, assert_kept, tmp_path, read_once):
    folder = real_data / "alpaca_eval_judgments"
    log, raw = read_once(folder / "judgments.jsonl.gz"), raw_rows(folder / "judgments.jsonl.gz")
    (account,) = log.reading.files
    assert account.format == "alpaca-eval-log"
    assert account.rows == len(raw) == 108665
    failed = [line for line, row in enumerate(raw, 1) if row["preference"] is None]
    assert [reject.line for reject in account.rejects] == failed
    assert len(failed) == 64
    assert account.judgments == len(log) == 108665 - 64

    given = [row for row in raw if row["preference"] is not None]

    def ranking(preference):
        return [[0, 1]] if preference in (0, 1.5) else [[0], [1]] if preference < 1.5 else [[1], [0]]

    assert log.table["ranking"].to_pylist() == [ranking(row["preference"]) for row in given]
    asked = {row["instruction_id"]: row for row in raw_rows(folder / "instructions.jsonl.gz")}
    texts = {(row["instruction_id"], row["path"]): row["output"] for row in raw_rows(folder / "outputs.jsonl.gz")}
    by_text = 0
    for place in range(0, len(given), 97):
        row, judgment = given[place], log[place]
        assert_kept(row, judgment)
        assert judgment.context[0].content == asked[row["instruction_id"]]["instruction"]
        for option, path, length in zip(
            judgment.options, (row["generator_1"], row["path"]), (row["len_1"], row["len_2"]), strict=True
        ):
            text = texts.get((row["instruction_id"], path))
            judged = text is not None and len(text) == length
            assert option.text == (text if judged else "")
            by_text += judged
    assert by_text > 100
    some = log.select(range(2000))
    assert list(Preferences.load(some.save(tmp_path / "log.parquet"))) == list(some)


ROW = {
    "instruction_id": 0,
    "annotator": "j",
    "generator_1": "r",
    "generator_2": "c",
    "len_1": 2,
    "len_2": 3,
    "path": "p",
}


@pytest.mark.parametrize(
    ("preference", "ranking"),
    [(1, [[0], [1]]), (2.0, [[1], [0]]), (1.5, [[0, 1]]), (0, [[0, 1]]), (1.2, [[0], [1]])],
)
def test_what_a_preference_means(read_rows, preference, ranking):
    judgment = read_rows([{**ROW, "preference": preference}])[0]
    assert judgment.ranking == ranking
    assert judgment.strength is None
    assert judgment.tags["preference"] == preference
    assert judgment.annotator_kind == "model"


def test_a_probability_is_a_strength(read_rows):
    judgment = read_rows([{**ROW, "annotator": "weighted_judge", "preference": 1.9}])[0]
    assert judgment.strength == pytest.approx(0.4)
    assert judgment.tags["strength_range"] == [0.0, 0.5]


def test_rows_without_a_preference_or_outside_the_scale(read_rows):
    log = read_rows([{**ROW, "preference": value} for value in (1, None, 3)])
    assert len(log) == 1
    assert [reject.reason for reject in log.reading.rejects] == [
        "the judge gave no preference",
        "its preference 3.0 is neither 0 nor between 1 and 2",
    ]


def test_an_output_of_another_length_is_not_taken(write_json_lines):
    outputs = [
        {"instruction_id": 0, "generator": g, "path": g, "output": text} for g, text in [("r", "no"), ("p", "four")]
    ]
    write_json_lines([{"instruction_id": 0, "instruction": "Ask", "dataset": "d"}], "instructions.jsonl")
    write_json_lines(outputs, "outputs.jsonl")
    log = read(write_json_lines([json.dumps({**ROW, "preference": 1})], "judgments.jsonl"))
    assert log[0].context[0].content == "Ask"
    assert [option.text for option in log[0].options] == ["no", ""]
    assert [option.source for option in log[0].options] == ["r", "c"]
    assert log.reading.files[0].notes == {"an output that is not as long as the one judged is not taken for it": 1}


def test_outputs_hold_no_judgments(real_data):
    with pytest.raises(InputError, match="this file holds no judgments"):
        read(real_data / "alpaca_eval_judgments" / "outputs.jsonl.gz")
