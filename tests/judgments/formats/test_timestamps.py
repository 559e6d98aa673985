from __future__ import annotations

from datetime import UTC, datetime

import pytest

from llull.judgments.formats.timestamps import utc_time

MOMENT = datetime(2023, 4, 24, 15, 53, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        1682351591,
        1682351591.0,
        1682351591000,
        "1682351591",
        "2023-04-24T15:53:11Z",
        "2023-04-24 17:53:11+02:00",
        datetime(2023, 4, 24, 15, 53, 11),
    ],
)
def test_every_way_to_write_a_moment(value):
    assert utc_time(value) == MOMENT


@pytest.mark.parametrize("value", [None, "", "soon", True, float("nan"), 1e300, [1]])
def test_what_is_no_time(value):
    assert utc_time(value) is None
