"""Ids are stored in files and shared between machines: they may not change."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import blake2b

from llull.judgments import Judgment, Media, Message, Option, Rating, named_option, prompt
from llull.judgments.record import content_hash, context_id

OPTIONS = [
    Option([Message("assistant", "Só\u2028 “yes”\n")], source="m"),
    Option([Message("assistant", "a"), Message("user", "b")], [Media("image", "x.png")]),
    named_option("n"),
]
JUDGMENT = Judgment(
    OPTIONS,
    prompt("Què?", "Be kind."),
    [[1], [0, 2]],
    shown=[1, 0, 2],
    strength=0.1,
    ratings=[Rating(0, "score", 3.0, 1, 5)],
    criterion="c",
    rationale="r",
    annotator="ann",
    time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)


def hashed(parts) -> str:
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=8).hexdigest()


def test_ids_are_hashes_of_compact_json():
    one = hashed(["assistant", OPTIONS[0].text])
    two = hashed([[["assistant", "a", []], ["user", "b", []]], [["image", "x.png"]]])
    asked = hashed([["system", "Be kind.", []], ["user", "Què?", []]])
    assert [option.id for option in OPTIONS] == [one, two, "n"]
    assert context_id(JUDGMENT.context) == asked
    rated = [[0, "score", 3.0]]
    said = [[[1], [0, 2]], "ranked", [1, 0, 2], 0.1, rated, "c", "r", "ann", "2026-01-02 03:04:05+00:00"]
    assert JUDGMENT.id == hashed([asked, [one, two, "n"], *said])


def test_ids_of_earlier_versions_hold():
    # Written by the first version of the record, before its encoder was kept between calls.
    assert [option.id for option in OPTIONS] == ["93fa0c7a022f126a", "d9c12a17c037225a", "n"]
    assert JUDGMENT.id == "04b4b4a9dc59bd1a"
    assert Judgment([named_option("a"), named_option("b")], ranking=[[0], [1]]).id == "13eb31f8f39c7561"


def test_half_a_surrogate_pair_can_be_hashed():
    assert content_hash(["\ud83d"]) != content_hash(["\ud83e"])
