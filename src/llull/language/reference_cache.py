"""Log-probabilities on disk, by who computed them and of what, so that no option is scored twice."""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np

from llull.errors import InputError

_BATCH = 500
_PATIENCE = 60.0
_TABLE = """
CREATE TABLE IF NOT EXISTS scores (
    source TEXT NOT NULL,
    key BLOB NOT NULL,
    total REAL NOT NULL,
    tokens BLOB,
    checksum INTEGER,
    PRIMARY KEY (source, key)
) WITHOUT ROWID
"""


class StoredScore(NamedTuple):
    """Log-probability of one option."""

    total: float
    """Of the whole option, summed in float64."""
    tokens: np.ndarray | None
    """float32 [its scored tokens], or None where only the sum was kept."""


class ReferenceCache:
    """A SQLite file of log-probabilities, safe to read and write from several processes at once.

    Scores are stored as soon as they are given, so a process that is killed loses at most the batch it was at.

    Args:
        folder: where ``references.sqlite`` is, or will be made.

    Raises:
        InputError: if the file cannot be opened.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / "references.sqlite"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Two processes that write at once wait for each other, up to a minute.
            self._database = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            self._prepare()
        except (sqlite3.DatabaseError, OSError) as fault:
            raise InputError(
                f"{self.path}: the cache of reference log-probabilities cannot be opened ({fault}); "
                "remove the file, or name a folder that can be written"
            ) from None

    def _prepare(self) -> None:
        # SQLite does not wait when two processes switch a new file to write-ahead logging at once.
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self._database.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as fault:
                if "locked" not in str(fault) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute(_TABLE)

    def get(self, source: str, keys: Sequence[bytes], tokens: bool = False) -> dict[bytes, StoredScore]:
        """The stored scores among these keys.

        Args:
            source: who computed them.
            keys: of the options asked for.
            tokens: give the values of tokens, and leave out scores stored without them or stored damaged.

        Returns:
            The scores found.
        """
        found: dict[bytes, StoredScore] = {}
        columns = "key, total, tokens, checksum" if tokens else "key, total"
        for start in range(0, len(keys), _BATCH):
            part = keys[start : start + _BATCH]
            marks = ",".join("?" * len(part))
            query = f"SELECT {columns} FROM scores WHERE source = ? AND key IN ({marks})"
            for key, total, *values in self._database.execute(query, (source, *part)):
                if not tokens:
                    found[key] = StoredScore(total, None)
                elif values[0] is not None and zlib.crc32(values[0]) == values[1]:
                    found[key] = StoredScore(total, np.frombuffer(values[0], np.float32).copy())
        return found

    def put(self, source: str, scores: Iterable[tuple[bytes, StoredScore]]) -> None:
        """Store scores, all or none; a score with tokens replaces one without, never the other way around.

        Args:
            source: who computed them.
            scores: key and score of each option.
        """
        rows = []
        for key, score in scores:
            stored = None if score.tokens is None else np.ascontiguousarray(score.tokens, np.float32).tobytes()
            rows.append((source, key, score.total, stored, None if stored is None else zlib.crc32(stored)))
        if not rows:
            return
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._database.executemany(
                "INSERT INTO scores VALUES (?, ?, ?, ?, ?) ON CONFLICT (source, key) DO UPDATE SET total = "
                "excluded.total, tokens = excluded.tokens, checksum = excluded.checksum WHERE excluded.tokens NOT NULL",
                rows,
            )
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def count(self, source: str) -> int:
        """How many options this source has scored."""
        return self._database.execute("SELECT COUNT(*) FROM scores WHERE source = ?", (source,)).fetchone()[0]

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def __enter__(self) -> ReferenceCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
