from __future__ import annotations

from collections import Counter

import pytest

WHOLE = {"carconf": 435, "salad": 32, "euro55.2.des": 5760, "issp2000": 1595}


@pytest.fixture(scope="module")
def load(real_data, read_once):
    return lambda name: read_once(real_data / "paired_comparison_classics" / f"prefmod_{name}.jsonl.gz")


@pytest.fixture(scope="module")
def raw(real_data, raw_rows):
    return lambda name: raw_rows(real_data / "paired_comparison_classics" / f"prefmod_{name}.jsonl.gz")


@pytest.mark.parametrize("name", ["cemspc", "immig", "trdel"])
def test_every_answered_pair_is_a_judgment(load, raw, name):
    answers = [value for row in raw(name) for key, value in row.items() if key.startswith("V")]
    (account,) = load(name).reading.files
    assert account.format == f"prefmod-{name}"
    assert account.judgments == sum(value is not None for value in answers)
    assert account.notes.total() == sum(value is None for value in answers)
    assert account.rows == account.rows_judged


@pytest.mark.parametrize("name", WHOLE)
def test_every_row_of_ranks_or_ratings_is_a_judgment(load, raw, name, assert_kept):
    votes = load(name)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == (f"prefmod-{name}", WHOLE[name], WHOLE[name])
    for place in (0, WHOLE[name] - 1):
        covariates = {key: value for key, value in raw(name)[place].items() if key.islower() and name == "carconf"}
        covariates = {key: value for key, value in covariates.items() if key in ("sex", "age", "segment")}
        assert_kept(covariates, votes[place])


def test_london_is_preferred_to_paris_as_in_the_literature(load):
    """Dittrich, Hatzinger and Katzenbeisser (1998) count 186 for London, 91 for Paris and 26 undecided."""
    votes = [judgment for judgment in load("cemspc") if judgment.tags["pair"] == "V1"]
    assert {tuple(option.source for option in judgment.options) for judgment in votes} == {("London", "Paris")}
    assert Counter(str(judgment.ranking) for judgment in votes) == {"[[0], [1]]": 186, "[[1], [0]]": 91, "[[0, 1]]": 26}


def test_hand_checked_rows(load):
    first = load("cemspc")[0]
    assert (first.annotator, first.groups) == ("respondent 1", {"ENG": "1", "SEX": "2"})
    car = load("carconf")[0]
    assert [car.options[tier[0]].source for tier in car.ranking] == [
        "interior",
        "exterior",
        "price",
        "country",
        "brand",
        "tech.equip",
    ]
    assert car.groups == {"sex": "2", "age": "1", "segment": "1"}
    immig = load("immig")
    assert (immig[0].groups, immig[0].ranking, immig[1].ranking) == (
        {"SEX": "2", "AGE": "21", "NAT": "Austria"},
        [[1], [0]],
        [[0, 1]],
    )
    assert [o.source for o in immig[1].options] == ["crimRate", "socBurd"]


def test_a_design_weighs_each_order_by_how_many_gave_it(load, raw):
    votes = load("euro55.2.des")
    assert sum(judgment.weight for judgment in votes) == sum(row["y"] for row in raw("euro55.2.des")) == 12216
    first = votes[0]
    assert [first.options[tier[0]].source for tier in first.ranking] == [
        "TV",
        "RAD",
        "NEWSP",
        "SCIMAG",
        "WWW",
        "EDINST",
    ]
    assert (first.weight, first.annotator, first.groups) == (13.0, None, {"SEX": "1", "AGE4": "1"})


def test_likert_answers_keep_their_direction(load, raw):
    danger = load("issp2000")[0].ratings[0]
    assert (danger.value, danger.low, danger.high) == (1.0, 1.0, 5.0)
    music = load("music")
    (account,) = music.reading.files
    silent = sum(all(row[genre] is None for genre in list(row)[:18]) for row in raw("music"))
    assert (account.rows, account.judgments, account.rows_rejected) == (1597, 1597 - silent, silent)
    answered = sum(value is not None for row in raw("music") for value in list(row.values())[:18])
    assert len(music.ratings("liking")) == answered
    liking = music[0].ratings[0]
    assert (liking.value, liking.low, liking.high) == (4.0, 5.0, 1.0)
    assert music[0].groups == {"age": "43", "educ": "11", "sex": "1"}


def test_items_that_were_not_ranked_are_left_out(read_rows):
    row = {"price": 1, "exterior": None, "brand": 2, "tech.equip": None, "country": None, "interior": 2}
    people = {"sex": 1, "age": 2, "segment": None}
    votes = read_rows([{**row, **people}, {**dict.fromkeys(row), **people}])
    assert votes[0].ranking == [[0], [2, 5]]
    assert votes[0].groups == {"sex": "1", "age": "2"}
    assert [reject.reason for reject in votes.reading.rejects] == ["it ranks nothing"]
