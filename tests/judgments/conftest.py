"""What the tests of judgments share: real files, each read once however many tests look at it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from llull.judgments import Preferences
from llull.judgments.reading import read


@pytest.fixture(scope="session")
def read_once() -> Callable[[Path], Preferences]:
    """Read a file in the format that is recognized; a file that was read before is not read again."""
    return cache(read)
