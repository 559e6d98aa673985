"""WMT16 human evaluation: machine translation systems ranked sentence by sentence (Bojar et al., 2016).

``kway_rankings``: a row is one judge's ranking of up to five outputs. Systems with the same output were shown as one;
they are tied here, and the tag ``same_output`` tells them from systems that the judge tied.
``pairwise_judgments``: the same kind of rankings cut into pairs, so rows with one ``rankingID`` depend on each
other. Judges have other pseudonyms in the two files. The translations are in neither: systems are known by name.

No two rows of the released pairs are equal, but 35,019 of the 282,490 repeat a pair of systems that the same judge met
before in the same segment, always under another ``rankingID``: 17,062 with the listed order and the outcome of an
earlier row, 8,639 others with another outcome than the first. They are second votes and not copies.
"""

from __future__ import annotations

from collections.abc import Iterator

from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, Message, named_option, prompt
from llull.judgments.rows import BadRow, Row, as_number


def _convert_ranking(row: Row, beside: Beside) -> Iterator[Judgment]:
    systems, ranks = row.take("systems"), row.take("ranks")
    if not systems:
        raise BadRow("it ranks nothing: the judge skipped it")
    if len(systems) != len(ranks):
        raise BadRow(f"it has {len(systems)} outputs and {len(ranks)} ranks")
    names: list[str] = []
    outputs: list[list[int]] = []
    tiers: dict[float, list[int]] = {}
    for group, rank in zip(systems, ranks, strict=True):
        outputs.append(list(range(len(names), len(names) + len(group))))
        tiers.setdefault(as_number(rank, "rank"), []).extend(outputs[-1])
        names.extend(group)
    judgment = Judgment(
        context=_segment(row, "source-language", "target-language", "segment"),
        options=[named_option(name) for name in names],
        ranking=[tiers[rank] for rank in sorted(tiers)],
        annotator=row.text("user"),
        annotator_kind="human",
    )
    if same := [output for output in outputs if len(output) > 1]:
        row.note("systems with the same output were shown as one and are tied")
        judgment.tags["same_output"] = same
    yield judgment


def _convert_pair(row: Row, beside: Beside) -> Iterator[Judgment]:
    first, second = row.number("system1rank"), row.number("system2rank")
    yield Judgment(
        context=_segment(row, "srclang", "trglang", "segmentId"),
        options=[named_option(row.text("system1Id")), named_option(row.text("system2Id"))],
        ranking=[[0, 1]] if first == second else [[0], [1]] if first < second else [[1], [0]],
        annotator=row.text("judgeID"),
        annotator_kind="human",
        tags={"ranks": [first, second]},
    )


def _segment(row: Row, source: str, target: str, segment: str) -> list[Message]:
    get = row.fields.get
    return prompt(f"{get('task')} {get(source)}-{get(target)} segment {get(segment)}")


FORMATS = (
    RowFormat(
        name="wmt16-rankings",
        title="WMT16 human evaluation: rankings of translation systems (Bojar et al., 2016)",
        fields=frozenset(
            {"task", "hit-id", "source-language", "target-language", "segment", "user", "duration", "systems", "ranks"}
        ),
        convert=_convert_ranking,
    ),
    RowFormat(
        name="wmt16-pairs",
        title="WMT16 human evaluation: rankings of translation systems cut into pairs (Bojar et al., 2016)",
        fields=frozenset(
            {
                *("task", "srclang", "trglang", "segmentId", "judgeID", "rankingID"),
                *("system1Id", "system1rank", "system2Id", "system2rank"),
            }
        ),
        convert=_convert_pair,
    ),
)
