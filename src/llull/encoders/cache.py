"""Vectors on disk, by what was encoded and how, so that nothing is encoded twice."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
import zlib
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from llull.errors import InputError

DEFAULT_LIMIT = 4 * 2**30
"""Bytes of vectors kept on disk; beyond it the longest unused go first."""

_BATCH = 500
_PATIENCE = 60.0
_DAY = 86_400
_TABLE = """
CREATE TABLE IF NOT EXISTS vectors (
    space TEXT NOT NULL,
    key BLOB NOT NULL,
    vector BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (space, key)
) WITHOUT ROWID
"""


def cache_folder() -> Path:
    """Where caches live: ``LLULL_CACHE``, or the user's cache folder of the platform."""
    if named := os.environ.get("LLULL_CACHE"):
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "llull"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "llull"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llull"


class VectorCache:
    """A bounded SQLite file of vectors, safe to read and write from several processes at once.

    Vectors are stored as soon as they are given, so a process that is killed loses at most the batch it was at.

    Args:
        path: the file; by default ``vectors.sqlite`` in `cache_folder`.
        limit: bytes of vectors to keep.
    """

    def __init__(self, path: str | Path | None = None, limit: int = DEFAULT_LIMIT) -> None:
        self.path = Path(path) if path is not None else cache_folder() / "vectors.sqlite"
        self.limit = limit
        self.corrupt = 0
        """How many stored vectors failed their checksum and were dropped."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Two processes that write at once wait for each other, up to a minute.
            self._database = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            self._prepare()
        except (sqlite3.DatabaseError, OSError) as fault:
            raise InputError(
                f"{self.path}: the cache of vectors cannot be opened ({fault}); "
                "remove the file, or set LLULL_CACHE to a folder that can be written"
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

    def get(self, space: str, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """The stored vectors among these keys, each float32 [d]."""
        found: dict[bytes, np.ndarray] = {}
        stale: list[bytes] = []
        broken: list[bytes] = []
        now = int(time.time())
        for part in _batches(keys):
            marks = ",".join("?" * len(part))
            query = f"SELECT key, vector, checksum, used FROM vectors WHERE space = ? AND key IN ({marks})"
            for key, vector, checksum, used in self._database.execute(query, (space, *part)):
                if zlib.crc32(vector) != checksum or len(vector) % 4:
                    broken.append(key)
                    continue
                found[key] = np.frombuffer(vector, np.float32)
                if now - used > _DAY:
                    stale.append(key)
        self.corrupt += len(broken)
        self._forget(space, broken)
        self._touch(space, stale, now)
        return found

    def put(self, space: str, vectors: Iterable[tuple[bytes, np.ndarray]]) -> None:
        """Store vectors, all or none."""
        now = int(time.time())
        rows = []
        for key, vector in vectors:
            stored = np.ascontiguousarray(vector, np.float32).tobytes()
            rows.append((space, key, stored, zlib.crc32(stored), now))
        self._write("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)", rows)

    def trim(self) -> int:
        """Drop the vectors unused for longest until the limit is kept; returns how many were dropped."""
        pages, free, page = (
            self._database.execute(f"PRAGMA {fact}").fetchone()[0]
            for fact in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * page <= self.limit:
            return 0
        (size,) = self._database.execute("SELECT COALESCE(SUM(LENGTH(vector)), 0) FROM vectors").fetchone()
        excess = size - self.limit
        if excess <= 0:
            return 0
        doomed = []
        for space, key, length in self._database.execute(
            "SELECT space, key, LENGTH(vector) FROM vectors ORDER BY used"
        ):
            if excess <= 0:
                break
            doomed.append((space, key))
            excess -= length
        self._write("DELETE FROM vectors WHERE space = ? AND key = ?", doomed)
        return len(doomed)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def _touch(self, space: str, keys: list[bytes], now: int) -> None:
        self._write("UPDATE vectors SET used = ? WHERE space = ? AND key = ?", [(now, space, key) for key in keys])

    def _forget(self, space: str, keys: list[bytes]) -> None:
        self._write("DELETE FROM vectors WHERE space = ? AND key = ?", [(space, key) for key in keys])

    def _write(self, statement: str, rows: list[tuple]) -> None:
        if not rows:
            return
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._database.executemany(statement, rows)
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


def text_key(text: str) -> bytes:
    """Sixteen bytes that identify a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _batches(keys: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    # SQLite allows a limited number of values in one statement.
    return (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH))
