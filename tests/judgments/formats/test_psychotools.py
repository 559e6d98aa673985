from __future__ import annotations

from collections import Counter

import pytest

from llull.judgments import Message

FILES = {"GermanParties2009": "psychotools-parties", "SoundQuality": "psychotools-sound"}


@pytest.fixture(scope="module")
def sets(real_data, read_once):
    folder = real_data / "paired_comparison_classics"
    return {name: read_once(folder / f"psychotools_{name}.jsonl.gz") for name in FILES}


@pytest.fixture(scope="module")
def raw(real_data, raw_rows):
    folder = real_data / "paired_comparison_classics"
    return {name: raw_rows(folder / f"psychotools_{name}.jsonl.gz") for name in FILES}


@pytest.mark.parametrize("name", FILES)
def test_every_result_is_a_judgment(sets, raw, name, assert_kept):
    (account,) = sets[name].reading.files
    results = Counter(value for row in raw[name] for value in row["preference"]["values"])
    assert (account.format, account.rows, account.rejects) == (FILES[name], len(raw[name]), [])
    assert Counter(map(str, sets[name].table["ranking"].to_pylist())) == {
        "[[0], [1]]": results[1],
        "[[1], [0]]": results[-1],
    }
    assert len(set(sets[name].table["id"].to_pylist())) == results.total()
    per_row = len(raw[name][0]["preference"]["values"])
    assert_kept(raw[name][0], [sets[name][k] for k in range(per_row)], but=["preference", "age"])


def test_hand_checked_results(sets):
    parties = sets["GermanParties2009"]
    assert [[option.source for option in parties[k].options] for k in range(4)] == [
        ["none", "Linke"],
        ["none", "Gruene"],
        ["Linke", "Gruene"],
        ["none", "SPD"],
    ]
    assert parties[0].ranking == [[1], [0]]
    assert parties[0].groups == {"gender": "female", "age": "40", "education": "5", "crisis": "yes"}
    assert parties[0].tags["interviewer"] == "1"
    sound = sets["SoundQuality"]
    assert (sound[0].context, sound[0].annotator) == ([Message("user", "Sting")], "04")
    assert (sound[0].tags["time"], sound[0].tags["repet"]) == ("before", 1)


def test_missing_unknown_and_misfitting_results(read_rows):
    person = {"gender": "f", "age": 1, "education": "1", "crisis": None}
    held = {"labels": ["a", "b", "c"], "mscale": [-1, 1]}
    votes = read_rows(
        [
            {"preference": {**held, "values": [1, None, 0]}, **person},
            {"preference": {**held, "values": [1, 5, -1]}, **person},
            {"preference": {**held, "values": [1]}, **person},
        ]
    )
    assert [judgment.ranking for judgment in votes] == [[[0], [1]], [[0, 1]], [[0], [1]], [[1], [0]]]
    assert votes[0].groups == {"gender": "f", "age": "1", "education": "1"}
    reasons = [reject.reason for reject in votes.reading.rejects]
    assert reasons == ["the result of pair 2 is 5, not 1, 0 or -1", "it has 1 results for the 3 pairs of 3 items"]
