"""Files as they come: corrupt, cut short, misnamed, huge. Each fault is one clear line, and never a traceback."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llull.errors import InputError
from llull.judgments import files
from llull.judgments.rows import BadRow

ROWS = [{"prompt": f"q{n}", "chosen": "yes " * 20, "rejected": "no"} for n in range(300)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def fault_of(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        list(files.rows(path))
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_rows_of_every_kind_of_file_are_the_same(tmp_path):
    cells = "prompt,chosen,rejected\n" + "".join(f"{r['prompt']},{r['chosen']},{r['rejected']}\n" for r in ROWS)
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    paths = [
        put(tmp_path / "a.jsonl", LINES),
        put(tmp_path / "b.jsonl.gz", gzip.compress(LINES)),
        put(tmp_path / "c.ndjson", b"\xef\xbb\xbf" + LINES.replace(b"\n", b"\r\n\n")),
        put(tmp_path / "d.json", json.dumps(ROWS, indent=1).encode()),
        put(tmp_path / "lines.json", LINES),
        put(tmp_path / "e.csv", cells.encode()),
        put(tmp_path / "f.tsv.gz", gzip.compress(cells.replace(",", "\t").encode())),
        put(tmp_path / "packed_but_not_named_so.jsonl", gzip.compress(LINES)),
        tmp_path / "a.parquet",
    ]
    for path in paths:
        assert [row for _, row in files.rows(path)] == ROWS, path


def test_lines_are_numbered_as_an_editor_numbers_them(tmp_path):
    path = put(tmp_path / "a.jsonl", b'{"a": 1}\n\n{"a": 2}\n')
    assert [number for number, _ in files.rows(path)] == [1, 3]
    table = put(tmp_path / "a.csv", b'a,b\n"two\nlines",1\nx,2\n')
    assert list(files.rows(table)) == [(3, {"a": "two\nlines", "b": "1"}), (4, {"a": "x", "b": "2"})]


def test_line_ends_within_a_cell_are_kept(tmp_path):
    path = put(tmp_path / "a.csv", b'a\r\n"x\r\ny"\r\n')
    assert [row for _, row in files.rows(path)] == [{"a": "x\r\ny"}]


def test_corrupt_gzip(tmp_path):
    packed = bytearray(gzip.compress(LINES))
    packed[len(packed) // 2] ^= 0xFF
    packed[len(packed) // 2 + 1] ^= 0xFF
    assert "gzip data is corrupt" in fault_of(put(tmp_path / "a.jsonl.gz", bytes(packed)))


def test_truncated_gzip(tmp_path):
    packed = gzip.compress(LINES)
    assert "gzip data is corrupt or cut short" in fault_of(put(tmp_path / "a.jsonl.gz", packed[: len(packed) // 2]))


def test_a_file_named_gz_that_is_not_gzip(tmp_path):
    assert "its name ends in .gz but it is not gzip data" in fault_of(put(tmp_path / "a.jsonl.gz", LINES))


@pytest.mark.parametrize("kept", [0, 3, 100, -1])
def test_truncated_parquet(tmp_path, kept):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "whole.parquet")
    content = (tmp_path / "whole.parquet").read_bytes()
    assert "Parquet data is corrupt or cut short" in fault_of(put(tmp_path / "a.parquet", content[:kept]))


def test_parquet_with_a_corrupt_page(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet", compression="zstd")
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    content[40:120] = bytes(80)
    assert "Parquet data is corrupt" in fault_of(put(tmp_path / "a.parquet", bytes(content)))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": 1', "it is not JSON (Expecting ',' delimiter at character 8)"),
        (b"[1, 2]", "it is JSON but not an object with named fields"),
        (b'{"a": "\xff"}', "it is not UTF-8 text (byte 7 of the line)"),
        (b'{"a": "\\ud83d"}', "half of a character"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"1" * 5000 + b"}", "holds a value that cannot be read"),
    ],
)
def test_a_bad_line_spoils_only_itself(tmp_path, line, reason):
    path = put(tmp_path / "a.jsonl", b'{"a": 1}\n' + line + b'\n{"a": 3}\n')
    first, bad, last = files.rows(path)
    assert (first, last) == ((1, {"a": 1}), (3, {"a": 3}))
    assert bad[0] == 2
    assert isinstance(bad[1], BadRow)
    assert reason in str(bad[1])


def test_a_broken_json_array_says_where(tmp_path):
    path = put(tmp_path / "a.json", b'[\n{"a": 1},\n{"a": 2,}\n]')
    assert "line 3: it is not JSON" in fault_of(path)


def test_a_json_array_may_hold_bad_rows(tmp_path):
    path = put(tmp_path / "a.json", b'[{"a": 1}, 2, {"a": "\\udead"}]')
    rows = [row for _, row in files.rows(path)]
    assert rows[0] == {"a": 1}
    assert [type(row) for row in rows[1:]] == [BadRow, BadRow]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'"text"', "it is JSON but neither an array of objects nor an object"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" + b"1" * 5000 + b"]", "holds a value that cannot be read"),
        (b'[{"a": "\xff"}]', "it is not UTF-8 text"),
        (b"{", "it is not JSON"),
    ],
)
def test_a_json_file_that_cannot_be_read_at_all(tmp_path, content, reason):
    assert reason in fault_of(put(tmp_path / "a.json", content))


def test_utf16_is_named(tmp_path):
    for name in ("a.jsonl", "a.csv"):
        assert "it is UTF-16 text; save it as UTF-8" in fault_of(put(tmp_path / name, LINES.decode().encode("utf-16")))


def test_bad_rows_of_a_csv_spoil_only_themselves(tmp_path):
    path = put(tmp_path / "a.csv", b"a,b\n1,2\n3\n\xe9,4\n5,6\n")
    rows = list(files.rows(path))
    assert [row for _, row in rows if isinstance(row, dict)] == [{"a": "1", "b": "2"}, {"a": "5", "b": "6"}]
    assert [(number, str(row)) for number, row in rows if isinstance(row, BadRow)] == [
        (3, "it has 1 cells where the header has 2"),
        (4, "it is not UTF-8 text"),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a,a\n1,2\n", "the column names a appear more than once"),
        (b"\xe9,b\n1,2\n", "line 1: it is not UTF-8 text"),
    ],
)
def test_a_csv_with_a_bad_header(tmp_path, content, reason):
    assert reason in fault_of(put(tmp_path / "a.csv", content))


def test_a_cell_beyond_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LONGEST_LINE", 100)
    cell = b'"' + b"x\n" * 200 + b'"'
    assert "it is not a table of cells (field larger than field limit" in fault_of(
        put(tmp_path / "a.csv", b"a\n" + cell + b"\n")
    )


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.jsonl.gz"])
def test_a_line_beyond_the_limit(tmp_path, monkeypatch, name):
    monkeypatch.setattr(files, "LONGEST_LINE", 1000)
    content = b'{"a": 1}\n' + b"x" * 1001
    path = put(tmp_path / name, gzip.compress(content) if name.endswith("gz") else content)
    assert "line 2: it is longer than 1,000 bytes" in fault_of(path)


def test_a_document_beyond_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST_DOCUMENT", 1000)
    assert "it is larger than 1,000 bytes" in fault_of(put(tmp_path / "a.json", json.dumps(ROWS).encode()))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
def test_a_line_of_one_gibibyte_takes_bounded_memory(tmp_path):
    """A sparse file: one line of 2**30 zero bytes, which takes no room on disk."""
    path = tmp_path / "huge.jsonl"
    with path.open("wb") as stream:
        stream.truncate(2**30)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from llull.errors import InputError\n"
        "from llull.judgments import files\n"
        "files.LONGEST_LINE = 32 * 2**20\n"
        # Not ``ru_maxrss``: a child's begins with the memory of the process that started it.
        "status = Path('/proc/self/status')\n"
        "peak = lambda: next(int(row.split()[1]) for row in status.read_text().splitlines() if row[:5] == 'VmHWM')\n"
        "before = peak()\n"
        "try:\n"
        "    list(files.rows(Path(sys.argv[1])))\n"
        "except InputError as fault:\n"
        "    print(fault)\n"
        "print(peak() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    message, grown = done.stdout.splitlines()
    assert "line 1: it is longer than 32 MiB" in message
    # Kibibytes: room for the longest line that is allowed, twice, and not for the one gibibyte of the file.
    assert int(grown) < 2.2 * 32 * 1024


def test_folders_absent_files_and_unknown_kinds(tmp_path):
    assert "this is a folder, not a file" in fault_of(tmp_path)
    assert "there is no such file" in fault_of(tmp_path / "absent.jsonl")
    assert "files ending in .txt are not read; known are .jsonl" in fault_of(put(tmp_path / "a.txt", b"x"))


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = put(tmp_path / "a.jsonl", LINES)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "open_bytes", refuse)
    assert "it cannot be read (Permission denied)" in fault_of(path)
