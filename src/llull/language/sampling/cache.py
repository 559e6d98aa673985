"""Samples on disk, by who drew them and how, so that none is paid for twice."""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from llull.errors import InputError
from llull.language.sampling.sampler import Sample

_BATCH = 500
_PATIENCE = 60.0
_TABLE = """
CREATE TABLE IF NOT EXISTS samples (
    source TEXT NOT NULL,
    key BLOB NOT NULL,
    text TEXT NOT NULL,
    finish TEXT NOT NULL,
    ids BLOB,
    model_log_probs BLOB,
    sampling_log_probs BLOB,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (source, key)
) WITHOUT ROWID
"""
_COLUMNS = "text, finish, ids, model_log_probs, sampling_log_probs"


class SampleCache:
    """A SQLite file of samples, safe to read and write from several processes at once.

    Samples are stored as soon as they are drawn, so a process that is killed loses at most those it was at.

    Args:
        folder: where ``samples.sqlite`` is, or will be made.

    Raises:
        InputError: if the file cannot be opened.
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / "samples.sqlite"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
            self._prepare()
        except (sqlite3.DatabaseError, OSError) as fault:
            raise InputError(
                f"{self.path}: the cache of samples cannot be opened ({fault}); "
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

    def get(self, source: str, keys: Sequence[bytes], log_probs: bool = True) -> dict[bytes, Sample]:
        """The stored samples among these keys; those stored damaged are left out.

        Args:
            source: who drew them.
            keys: of the samples asked for.
            log_probs: leave out samples stored without any log-probabilities, unless a filter made them.

        Returns:
            The samples found, without the index of a prompt.
        """
        found: dict[bytes, Sample] = {}
        for start in range(0, len(keys), _BATCH):
            part = keys[start : start + _BATCH]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, checksum, {_COLUMNS} FROM samples WHERE source = ? AND key IN ({marks})"
            for key, checksum, *values in self._database.execute(query, (source, *part)):
                bare = values[3] is None and values[4] is None and values[1] != "filtered"
                if _checksum(values) == checksum and not (log_probs and bare):
                    text, finish, ids, of_model, of_sampling = values
                    found[key] = Sample(
                        text,
                        finish,
                        ids=_array(ids, np.int32),
                        model_log_probs=_array(of_model, np.float32),
                        sampling_log_probs=_array(of_sampling, np.float32),
                    )
        return found

    def put(self, source: str, samples: Iterable[tuple[bytes, Sample]]) -> None:
        """Store samples, all or none.

        Args:
            source: who drew them.
            samples: key and sample.
        """
        rows = []
        for key, sample in samples:
            values = [
                sample.text.encode("utf-8", "replace").decode(),
                sample.finish,
                _bytes(sample.ids, np.int32),
                _bytes(sample.model_log_probs, np.float32),
                _bytes(sample.sampling_log_probs, np.float32),
            ]
            rows.append((source, key, *values, _checksum(values)))
        if not rows:
            return
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._database.executemany("INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def count(self, source: str) -> int:
        """How many samples of this source there are."""
        return self._database.execute("SELECT COUNT(*) FROM samples WHERE source = ?", (source,)).fetchone()[0]

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def __enter__(self) -> SampleCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _bytes(values: np.ndarray | None, kind: Any) -> bytes | None:
    return None if values is None else np.ascontiguousarray(values, kind).tobytes()


def _array(stored: bytes | None, kind: Any) -> np.ndarray | None:
    return None if stored is None else np.frombuffer(stored, kind).copy()


def _checksum(values: Sequence[Any]) -> int:
    found = 0
    for value in values:
        part = b"\0none" if value is None else value.encode() if isinstance(value, str) else value
        found = zlib.crc32(part, zlib.crc32(len(part).to_bytes(8, "big"), found))
    return found
