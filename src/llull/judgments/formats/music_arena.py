"""Music Arena: people compare two pieces of generated music (Kim et al., 2025).

Read are the released rows and the raw log of battles. The options are sounds, kept by their paths or addresses. A
battle without a vote is a reject. Some models' sounds are not released; they are known by the names of their systems.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llull.judgments.format import Beside, RowFormat
from llull.judgments.formats.nested_values import is_missing, nested_label, unpacked, without
from llull.judgments.formats.timestamps import take_time, utc_time
from llull.judgments.record import Judgment, Media, Message, Option, Verdict, named_option
from llull.judgments.rows import BadRow, Row

_VOTES: dict[str, tuple[list[list[int]], Verdict]] = {
    "A": ([[0], [1]], "ranked"),
    "B": ([[1], [0]], "ranked"),
    "TIE": ([[0, 1]], "ranked"),
    "BOTH_BAD": ([[0, 1]], "both_bad"),
}


def _convert_released(row: Row, beside: Beside) -> Iterator[Judgment]:
    ranking, verdict = row.label("preference", _VOTES)
    voter, feedback = row.take("user_pseudonym", None), row.take("feedback", None)
    yield Judgment(
        context=_asked(row.take("prompt", None)),
        options=[_option(row.take(f"audio_{side}", None), row.take(f"system_{side}")) for side in "ab"],
        ranking=[list(tier) for tier in ranking],
        verdict=verdict,
        rationale=feedback or None,
        annotator=None if is_missing(voter) else str(voter),
        annotator_kind="human",
        time=take_time(row, "timestamp"),
    )


def _convert_log(row: Row, beside: Beside) -> Iterator[Judgment]:
    vote = unpacked(row.take("vote"), "vote")
    if not vote:
        raise BadRow("nobody voted on it")
    ranking, verdict = nested_label(row, vote, "preference", _VOTES)
    detailed = unpacked(row.fields.get("prompt_detailed"), "prompt_detailed") or {}
    plain = unpacked(row.fields.get("prompt"), "prompt") if isinstance(row.fields.get("prompt"), dict) else {}
    voter = (unpacked(row.fields.get("prompt_user"), "prompt_user") or {}).get("salted_ip")
    said = [vote.get(key) for key in ("feedback", "a_feedback", "b_feedback")]
    time = utc_time(vote.get("preference_time"))
    yield Judgment(
        context=_asked(plain.get("prompt") or detailed.get("overall_prompt")),
        options=[_option(row.take(f"{side}_audio_url", None), _system(row, side)) for side in "ab"],
        ranking=[list(tier) for tier in ranking],
        verdict=verdict,
        rationale="\n".join(text for text in said if text) or None,
        annotator=None if is_missing(voter) else str(voter),
        annotator_kind="human",
        time=time,
        tags={"vote": without(vote, ("preference_time",)) if time else vote},
    )


def _system(row: Row, side: str) -> Any:
    described = unpacked(row.fields[f"{side}_metadata"], f"{side}_metadata")
    return described["system_key"]["system_tag"]


def _asked(text: Any) -> list[Message]:
    return [Message("user", text)] if text else []


def _option(path: Any, system: Any) -> Option:
    if is_missing(path):
        return named_option(system)
    return Option(media=[Media("audio", path)], source=system)


FORMATS = (
    RowFormat(
        name="music-arena",
        title="Music Arena: released battles (Kim et al., 2025)",
        fields=frozenset({"battle_uuid", "prompt", "audio_a", "system_a", "audio_b", "system_b", "preference"}),
        convert=_convert_released,
    ),
    RowFormat(
        name="music-arena-log",
        title="Music Arena: raw log of battles (Kim et al., 2025)",
        fields=frozenset({"uuid", "vote", "prompt_detailed", "a_metadata", "b_metadata"}),
        convert=_convert_log,
    ),
)
