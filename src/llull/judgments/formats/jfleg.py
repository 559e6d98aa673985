"""JFLEG: fluency edits of learners' sentences, and ranks of systems' corrections (Napoles et al., 2017).

A rewrite says implicitly that the editor prefers the new sentence to the old one, which is its parent. An editor who
changed nothing has accepted the sentence: that is a rating ``accept`` of 1, and no preference.
"""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, Message, Rating, named_option, prompt, text_option
from llull.judgments.rows import BadRow, Reject, Row

_REFERENCES = ("ref0", "ref1", "ref2", "ref3")


def _convert_rewrites(row: Row, beside: Beside) -> Iterator[Judgment | Reject]:
    source = row.text("src")
    for reference in _REFERENCES:
        rewrite = row.fields.get(reference)
        row.take(reference, None)
        if not isinstance(rewrite, str):
            yield row.reject(f"field {reference!r} is not text")
            continue
        old = text_option(source, role="user")
        if rewrite == source:
            row.note("an editor changed nothing, and so accepted the sentence")
            ranking, verdict, ratings, options = [], "rated", [Rating(0, "accept", 1.0, 0.0, 1.0)], [old]
        else:
            new = text_option(rewrite, role="user")
            new.parent = 0
            ranking, verdict, ratings, options = [[1], [0]], "ranked", [], [old, new]
        yield Judgment(
            context=prompt(source),
            options=options,
            ranking=ranking,
            verdict=verdict,
            ratings=ratings,
            criterion="fluency",
            annotator_kind="behavior",
            tags={"edit": reference},
            id=f"jfleg/{row.fields['split']}/{row.fields['line']}/{reference}",
        )


def _convert_pairs(row: Row, beside: Beside) -> Iterator[Judgment]:
    systems = [row.text("system1Id"), row.text("system2Id")]
    first, second = row.number("system1rank"), row.number("system2rank")
    if systems[0] == systems[1]:
        raise BadRow("it compares a system with itself")
    ranking = [[0, 1]] if first == second else [[0], [1]] if first < second else [[1], [0]]
    yield Judgment(
        context=[Message("user", f"sentence {row.fields['srcIndex']}")],
        options=[named_option(system) for system in systems],
        ranking=ranking,
        strength=abs(first - second),
        criterion="fluency",
        annotator=row.text("judgeId"),
        annotator_kind="human",
        tags={"ranks": [first, second], "strength_range": [0, 4]},
    )


FORMATS = (
    RowFormat(
        name="jfleg-rewrites",
        title="JFLEG: fluency edits as implicit preferences (Napoles et al., 2017)",
        fields=frozenset({"split", "line", "src", *_REFERENCES}),
        convert=_convert_rewrites,
    ),
    RowFormat(
        name="jfleg",
        title="JFLEG: ranked pairs of corrections (Sakaguchi et al., 2016; Napoles et al., 2017)",
        fields=frozenset(
            {"srcIndex", "segmentId", "documentId", "judgeId", "system1Id", "system2Id", "system1rank", "system2rank"}
        ),
        convert=_convert_pairs,
    ),
)
