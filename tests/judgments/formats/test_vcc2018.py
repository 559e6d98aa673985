from __future__ import annotations

import pytest

from llull.judgments import Preferences


@pytest.fixture(scope="module")
def ratings(real_data, read_once):
    return read_once(real_data / "vcc2018_mos" / "ratings.jsonl.gz")


@pytest.fixture(scope="module")
def raw(real_data, raw_rows):
    return raw_rows(real_data / "vcc2018_mos" / "ratings.jsonl.gz")


def test_every_score_is_read(ratings, raw, assert_kept):
    (account,) = ratings.reading.files
    assert account.format == "vcc2018"
    assert account.rows == account.judgments == len(raw) == 61040
    assert not account.rejects
    view = ratings.ratings("naturalness")
    assert view.value.tolist() == [row["MOS"] for row in raw]
    assert set(view.low) == {1.0}
    assert set(view.high) == {5.0}
    assert [view.annotators[code] for code in view.annotator] == [row["JUDGE"] for row in raw]
    assert len(view.options) == len({row["WAV_PATH"] for row in raw}) == 20580
    for place in range(0, len(raw), 1000):
        assert_kept(raw[place], ratings[place])


def test_one_score_by_hand(ratings):
    judgment = ratings[0]
    assert [(medium.type, medium.uri) for medium in judgment.options[0].media] == [
        ("audio", "N11_VCC2TF2_VCC2SF4_30003_SPO.wav")
    ]
    assert judgment.options[0].source == "N11"
    assert judgment.annotator == "QMROADBMSL"
    assert judgment.ratings[0].value == 2.0
    assert judgment.tags == {"split": "training", "MEAN": 3.0, "source": "ratings"}


def test_saving_keeps_everything(ratings, tmp_path):
    some = ratings.select(range(3000))
    assert list(Preferences.load(some.save(tmp_path / "ratings.parquet"))) == list(some)


def test_a_score_that_is_no_number_is_rejected(read_rows):
    row = {"split": "s", "WAV_PATH": "dir/N01_a.wav", "MEAN": 1.0, "JUDGE": "j"}
    ratings = read_rows([{**row, "MOS": "4"}, {**row, "MOS": None}, {**row, "MOS": "good"}])
    assert [judgment.ratings[0].value for judgment in ratings] == [4.0]
    assert ratings[0].options[0].source == "N01"
    assert [reject.reason for reject in ratings.reading.rejects] == [
        "'MOS' is null, not a number",
        "'MOS' is 'good', not a number",
    ]
