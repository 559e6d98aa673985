from __future__ import annotations

import pytest

from llull.judgments import Rating, named_option, prompt


@pytest.fixture(scope="module")
def rewrites(real_data, read_once):
    return read_once(real_data / "jfleg" / "rewrites.jsonl.gz")


@pytest.fixture(scope="module")
def ranked(real_data, read_once):
    return read_once(real_data / "jfleg" / "pairwise.jsonl.gz")


def test_every_reference_is_an_edit_or_an_acceptance(rewrites, real_data, raw_rows, assert_kept):
    raw = raw_rows(real_data / "jfleg" / "rewrites.jsonl.gz")
    unchanged = sum(row[f"ref{k}"] == row["src"] for row in raw for k in range(4))
    (account,) = rewrites.reading.files
    assert (account.rows, account.judgments, account.rejects) == (1501, 4 * 1501, [])
    assert len(rewrites.accepts()) == unchanged == 829
    assert len(rewrites.pairs()) == 4 * 1501 - unchanged
    for place in (0, 1, 1500):
        assert_kept(raw[place], [rewrites[4 * place + k] for k in range(4)])


def test_a_hand_checked_edit(rewrites):
    judgment = rewrites[0]
    learner = (
        "So I think we can not live if old people could not find siences and tecnologies and they did not developped ."
    )
    assert judgment.context == prompt(learner)
    assert [option.text for option in judgment.options] == [
        learner,
        "So I think we would not be alive if our ancestors did not develop sciences and technologies .",
    ]
    assert (judgment.options[1].parent, judgment.ranking) == (0, [[1], [0]])
    assert (judgment.annotator_kind, judgment.tags["edit"], judgment.tags["split"]) == ("behavior", "ref0", "dev")


def test_an_edit_continues_what_it_edits(rewrites):
    trees = rewrites.select([0, 1, 2, 3]).trees()
    assert trees.depth.tolist() == [0, 1, 1, 1, 1]


def test_an_unchanged_sentence_is_accepted(read_rows):
    row = {"split": "dev", "line": 1, "src": "Fine .", "ref0": "Fine .", "ref1": "Good .", "ref2": None, "ref3": "Ok ."}
    votes = read_rows([row])
    assert (votes[0].verdict, votes[0].ratings) == ("rated", [Rating(0, "accept", 1.0, 0.0, 1.0)])
    assert [reject.reason for reject in votes.reading.rejects] == ["field 'ref2' is not text"]


def test_ranked_pairs(ranked, real_data, raw_rows, assert_kept):
    raw = raw_rows(real_data / "jfleg" / "pairwise.jsonl.gz")
    (account,) = ranked.reading.files
    assert (account.format, account.rows, account.judgments) == ("jfleg", 1629, 1629)
    pairs = ranked.pairs()
    assert pairs.tie.sum() == sum(row["system1rank"] == row["system2rank"] for row in raw)
    first = ranked[0]
    assert first.options == [named_option("CAMB"), named_option("NMT")]
    assert (first.ranking, first.strength, first.annotator) == ([[1], [0]], 2.0, "annotA")
    assert (first.tags["ranks"], first.tags["strength_range"]) == ([4.0, 2.0], [0, 4])
    for place in (0, 800, 1628):
        assert_kept(raw[place], ranked[place])
