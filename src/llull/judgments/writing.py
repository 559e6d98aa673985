"""Writing judgments in other tools' formats, and saying what those cannot hold."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from llull.errors import InputError
from llull.judgments.preferences import Preferences
from llull.judgments.recognition import known_writers, nearest
from llull.judgments.sources import OWN


@dataclass(frozen=True)
class Writing:
    """What became of the judgments that were to be written."""

    path: Path
    format: str
    judgments: int
    """How many were written."""
    left_out: Counter[str] = field(default_factory=Counter)
    """How many were not, because the format cannot hold them, by reason."""
    loses: str = ""
    """What of the written ones the format has no place for."""

    def summary(self) -> str:
        """One line: what was written, what was left out and why."""
        line = f"{self.path}: {self.judgments:,} judgments written as {self.format}"
        if self.left_out:
            reasons = "; ".join(f"{count:,} {reason}" for reason, count in self.left_out.most_common())
            line += f", {self.left_out.total():,} left out, which it cannot hold: {reasons}"
        return line


def write(preferences: Preferences, path: str | Path, format: str = OWN) -> Writing:
    """Write judgments to a file.

    Args:
        preferences: what to write.
        path: the file. A file of that name is replaced, and only once the new one is whole.
        format: ``llull`` (Parquet, loses nothing) or one of `known_writers`.

    Returns:
        How many judgments were written, how many the format could not hold, and what it loses of the others.

    Raises:
        InputError: the format is not known, cannot hold any of the judgments, or the file cannot be written.

    Warns:
        UserWarning: some judgments do not fit; it tells how many, and why.
    """
    path = Path(path)
    if format != OWN and format not in known_writers():
        raise InputError(f"{format!r} is not a format that Llull writes; {nearest(format, [OWN, *known_writers()])}")
    if path.is_dir():
        raise InputError(f"{path}: this is a folder; name a file in it")
    try:
        if format == OWN:
            preferences.save(path)
            return Writing(path, OWN, len(preferences))
        left_out = _write_whole(preferences, path, format)
    except OSError as fault:
        raise InputError(f"{path}: it cannot be written ({fault.strerror or fault})") from None
    writer = known_writers()[format]
    done = Writing(path, format, len(preferences) - left_out.total(), left_out, writer.loses)
    if left_out:
        warnings.warn(done.summary(), stacklevel=2)
    return done


def _write_whole(preferences: Preferences, path: Path, format: str) -> Counter[str]:
    """Let the writer make a file of the same name in a folder beside it, and move that into place when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        left_out = Counter(known_writers()[format].write(preferences, beside / path.name))
        os.replace(beside / path.name, path)
    except InputError as fault:
        raise InputError(str(fault).replace(str(beside / path.name), str(path))) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return left_out
