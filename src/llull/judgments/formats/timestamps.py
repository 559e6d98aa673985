"""Times as released files hold them: numbers of seconds or milliseconds, and ISO text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from llull.judgments.rows import Row

_FIRST_OF_MILLISECONDS = 1e11


def utc_time(value: Any) -> datetime | None:
    """A time in UTC, or None if the value is no time. Times without a zone are taken as UTC.

    >>> utc_time(0), utc_time("1970-01-01T01:00:00+01:00") == utc_time(0.0), utc_time("yesterday")
    (datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc), True, None)
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                return None
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value / 1000 if value >= _FIRST_OF_MILLISECONDS else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def take_time(row: Row, key: str) -> datetime | None:
    """The time in a field. What is no time stays in the tags, with a note."""
    value = row.fields.get(key)
    time = utc_time(value)
    if time is not None:
        row.take(key)
    elif value not in (None, ""):
        row.note(f"a {key!r} that is no time, kept in the tags")
    return time
