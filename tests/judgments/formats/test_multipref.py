from __future__ import annotations

import pytest

from llull.errors import InputError
from llull.judgments import Preferences, prompt


def annotation(**given):
    held = {"evaluator": "w1", "timestamp": "2024-05-01T10:00:00", "time_spent": 91}
    for aspect in ("overall", "helpful", "truthful", "harmless"):
        held[f"{aspect}_pref"] = "Tie"
        held[f"{aspect}_confidence"] = "fairly-confident"
        held[f"{aspect}_checked_reasons"] = None
        held[f"{aspect}_own_reason"] = None
    return held | given


ROW = {
    "comparison_id": "c1",
    "prompt_id": "p1",
    "text": "Q",
    "model_a": "m",
    "completion_a": "A",
    "model_b": "n",
    "completion_b": "B",
    "category": "Brainstorming",
    "normal_worker_annotations": [
        annotation(
            overall_pref="B-is-clearly-better",
            overall_checked_reasons=["Clearer", "Shorter"],
            overall_own_reason="I like it",
            harmless_pref=None,
        )
    ],
    "expert_worker_annotations": [annotation(evaluator="e1", truthful_pref="A-is-slightly-better")],
}


def test_each_annotator_and_aspect(read_rows, assert_kept, tmp_path):
    votes = read_rows([ROW, {**ROW, "normal_worker_annotations": None}])
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("multipref", 2, 7)
    assert [reject.line for reject in account.rejects] == [1, 2]
    first = votes[0]
    assert first.context == prompt("Q")
    assert [(option.text, option.source) for option in first.options] == [("A", "m"), ("B", "n")]
    assert (first.ranking, first.strength, first.criterion) == ([[1], [0]], 2.0, "overall")
    assert (first.annotator, first.groups) == ("w1", {"worker": "normal"})
    assert first.rationale == "Clearer; Shorter; I like it"
    assert first.time.isoformat() == "2024-05-01T10:00:00+00:00"
    assert first.tags["confidence"] == "fairly-confident"
    assert votes[1].ranking == [[0, 1]]
    assert [(j.criterion, j.strength) for j in votes if j.groups["worker"] == "expert"] == [
        ("overall", 0.0),
        ("helpful", 0.0),
        ("truthful", 1.0),
        ("harmless", 0.0),
    ]
    assert_kept({key: value for key, value in ROW.items() if "annotations" not in key}, first)
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)


def test_an_unknown_preference_stops_the_read(read_rows):
    bad = {**ROW, "expert_worker_annotations": [annotation(helpful_pref="C-is-better")]}
    with pytest.raises(InputError, match="C-is-better"):
        read_rows([bad])
