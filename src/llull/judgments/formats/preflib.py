"""PrefLib elections: orders of candidates with how many voters gave them (Mattei and Walsh, 2013).

Read are strict and tied, complete and incomplete orders (``soc``, ``soi``, ``toc``, ``toi``) of the current form, with
a header of ``#`` lines. One order is one judgment, its count is the weight, and candidates left out are unjudged.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llull.errors import InputError
from llull.judgments import files
from llull.judgments.format import Beside, RowFormat
from llull.judgments.record import Judgment, named_option
from llull.judgments.rows import BadRow, Row

_ENDINGS = frozenset({".soc", ".soi", ".toc", ".toi"})
_NAME = re.compile(r"ALTERNATIVE NAME (\d+)$")
_ORDER = re.compile(r"(\d+|\{\d+(,\d+)*\})(,(\d+|\{\d+(,\d+)*\}))*$")
_TIER = re.compile(r"\{([^}]*)\}|(\d+)")


def load(path: Path) -> Iterator[tuple[int, dict[str, Any] | BadRow]]:
    """The orders of an election, each with the header and the candidates' names."""
    header: dict[str, str] = {}
    names: dict[str, str] = {}
    for number, line in files.lines(path):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            yield number, BadRow("it is not UTF-8 text")
            continue
        if text.startswith("#"):
            key, _, value = text.lstrip("# ").partition(":")
            found = _NAME.match(key.strip())
            if found:
                names[found[1]] = value.strip()
            else:
                header[key.strip()] = value.strip()
        elif text:
            if not names:
                raise InputError(
                    f"{path}, line {number}: no '# ALTERNATIVE NAME' lines come before the orders; "
                    "fetch the file again in PrefLib's present form"
                )
            count, colon, order = text.partition(":")
            yield (
                number,
                {"count": count.strip(), "order": order.replace(" ", ""), "alternatives": names, "header": header}
                if colon
                else BadRow("it is not 'count: order'"),
            )


def _convert(row: Row, beside: Beside) -> Iterator[Judgment]:
    order, names = row.text("order"), row.take("alternatives")
    if not _ORDER.match(order):
        raise BadRow(f"its order {order!r} is not a list of numbers with ties in braces")
    places = {number: index for index, number in enumerate(names)}
    tiers = [(tied or single).split(",") for tied, single in _TIER.findall(order)]
    if strangers := [number for tier in tiers for number in tier if number not in places]:
        raise BadRow(f"it ranks candidate {strangers[0]}, who has no name in the header")
    row.take("header")
    repeated = Counter(names.values())
    yield Judgment(
        options=[named_option(name if repeated[name] == 1 else f"{name} ({n})") for n, name in names.items()],
        ranking=[[places[number] for number in tier] for tier in tiers],
        annotator_kind="human",
        weight=row.number("count"),
        tags={"election": row.fields["header"]},
    )


FORMATS = (
    RowFormat(
        name="preflib",
        title="PrefLib: strict and tied orders (Mattei and Walsh, 2013)",
        fields=frozenset({"count", "order", "alternatives", "header"}),
        load=load,
        endings=_ENDINGS,
        convert=_convert,
    ),
)
