from __future__ import annotations

import pytest

from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.reading import read

RANKINGS = {"left": [[0], [1]], "right": [[1], [0]], "tie": [[0, 1]]}


@pytest.fixture(scope="module", params=["crowd-comparisons", "judge-comparisons"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def battles(real_data, name, read_once):
    return read_once(real_data / "llmfao" / f"{name}.jsonl.gz")


@pytest.fixture(scope="module")
def raw(real_data, name, raw_rows):
    return raw_rows(real_data / "llmfao" / f"{name}.jsonl.gz")


def test_every_row_is_a_battle_with_its_texts(battles, raw, name, real_data, raw_rows, assert_kept):
    (account,) = battles.reading.files
    assert account.format == {"crowd-comparisons": "llmfao-crowd", "judge-comparisons": "llmfao-judges"}[name]
    assert (
        account.rows == account.judgments == len(raw) == {"crowd-comparisons": 8931, "judge-comparisons": 10750}[name]
    )
    assert not account.rejects
    assert not account.notes
    shown = {pair["id"]: pair for pair in raw_rows(real_data / "llmfao" / "pairs-crowd.jsonl.gz")}
    for judgment, row in zip(battles, raw, strict=True):
        assert judgment.ranking == RANKINGS[row["winner"]]
        assert judgment.shown == [0, 1]
        assert [option.source for option in judgment.options] == [row["left"], row["right"]]
        if pair := shown.get(row["id"]):
            assert judgment.context[0].content == pair["text"]
            assert [option.text for option in judgment.options] == [pair["result_x"], pair["result_y"]]
    for place in range(0, len(raw), 200):
        assert_kept(raw[place], battles[place], but=("winner", "worker"))


def test_who_judged(battles, raw, name):
    annotators, kinds = (battles.table[column].to_pylist() for column in ("annotator", "annotator_kind"))
    if name == "crowd-comparisons":
        assert annotators == [str(row["worker"]) for row in raw]
        assert len(set(annotators)) == 124
        assert set(kinds) == {"human"}
    else:
        assert set(annotators) == {"gpt3", "gpt4"}
        assert set(kinds) == {"model"}
        files = battles.labels("file")
        assert [files.names[code] for code in files.codes] == [row["file"] for row in raw]


def test_saving_keeps_everything(battles, tmp_path):
    some = battles.select(range(2000))
    assert list(Preferences.load(some.save(tmp_path / "votes.parquet"))) == list(some)


@pytest.mark.parametrize("auxiliary", ["models", "results", "prompts", "pairs-crowd"])
def test_files_beside_hold_no_judgments(real_data, auxiliary):
    with pytest.raises(InputError, match="this file holds no judgments"):
        read(real_data / "llmfao" / f"{auxiliary}.jsonl.gz")


BATTLE = {"id": 0, "prompt": 8, "model_x": 1, "model_y": 2, "worker": 5, "winner": "right", "left": "a", "right": "b"}


def test_without_the_files_beside_models_are_known_by_name(read_rows):
    battles = read_rows([BATTLE, {**BATTLE, "winner": None}])
    assert battles[0].context[0].content == "prompt 8"
    assert [option.id for option in battles[0].options] == ["a", "b"]
    assert battles.reading.files[0].notes["an answer whose text is not beside it"] == 4
    assert [reject.reason for reject in battles.reading.rejects] == ["field 'winner' holds no label"]


def test_an_unknown_winner_stops_the_read(read_rows):
    with pytest.raises(InputError, match="unknown label 'both'"):
        read_rows([{**BATTLE, "winner": "both"}])
