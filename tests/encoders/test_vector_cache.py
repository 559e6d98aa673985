from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from llull.encoders.cache import VectorCache, cache_folder, text_key
from llull.errors import InputError


def numbered(start: int, stop: int) -> list[tuple[bytes, np.ndarray]]:
    return [(text_key(str(n)), np.array([n, n / 2], np.float32)) for n in range(start, stop)]


def test_gives_back_what_was_put_bit_for_bit_after_reopening(tmp_path: Path):
    rows = numbered(0, 1200)
    VectorCache(tmp_path / "v.sqlite").put("space", rows)
    found = VectorCache(tmp_path / "v.sqlite").get("space", [key for key, _ in rows])
    assert all(np.array_equal(found[key], vector) for key, vector in rows)


def test_spaces_are_apart(tmp_path: Path):
    cache = VectorCache(tmp_path / "v.sqlite")
    cache.put("one", numbered(0, 1))
    assert cache.get("other", [text_key("0")]) == {}


def test_a_damaged_vector_is_dropped_and_counted(tmp_path: Path):
    cache = VectorCache(tmp_path / "v.sqlite")
    cache.put("space", numbered(0, 2))
    with sqlite3.connect(tmp_path / "v.sqlite") as database:
        database.execute("UPDATE vectors SET vector = zeroblob(8) WHERE key = ?", (text_key("1"),))
    assert set(cache.get("space", [text_key("0"), text_key("1")])) == {text_key("0")}
    assert cache.corrupt == 1


def test_the_longest_unused_go_first(tmp_path: Path):
    cache = VectorCache(tmp_path / "v.sqlite", limit=8)
    cache.put("space", numbered(0, 3))
    with sqlite3.connect(tmp_path / "v.sqlite") as database:
        for number, used in ((0, 300), (1, 100), (2, 200)):
            database.execute("UPDATE vectors SET used = ? WHERE key = ?", (used, text_key(str(number))))
    assert cache.trim() == 2
    assert set(cache.get("space", [text_key(str(n)) for n in range(3)])) == {text_key("0")}


def test_a_file_that_is_no_database_is_named(tmp_path: Path):
    (tmp_path / "v.sqlite").write_bytes(b"not a database, and long enough to be read as a header" * 50)
    with pytest.raises(InputError, match=r"v\.sqlite.*remove the file"):
        VectorCache(tmp_path / "v.sqlite")


def test_the_folder_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LLULL_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


WRITER = """
import sys
import numpy as np
from llull.encoders.cache import VectorCache, text_key
cache = VectorCache(sys.argv[1])
for start in range(int(sys.argv[2]), 2000, 20):
    rows = [(text_key(str(n)), np.array([n, n / 2], np.float32)) for n in range(start, min(start + 20, 2000))]
    cache.put("space", rows)
"""


def test_two_processes_write_at_once(tmp_path: Path):
    path = tmp_path / "v.sqlite"
    # They overlap from 500 on.
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), start]) for start in ("0", "500")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]
    rows = numbered(0, 2000)
    cache = VectorCache(path)
    found = cache.get("space", [key for key, _ in rows])
    assert all(np.array_equal(found[key], vector) for key, vector in rows)
    assert cache.corrupt == 0
