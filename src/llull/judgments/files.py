"""Rows out of files: JSON lines, JSON arrays, CSV, TSV and Parquet, gzipped or not.

A fault in one row is yielded as a `BadRow` and the reading goes on; a fault of the whole file is an
`InputError` of one line.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llull.errors import InputError
from llull.judgments.rows import BadRow

LONGEST_LINE = 256 * 2**20
"""Bytes. A longer line is taken for a file that is not made of lines."""

TABLE_ENDINGS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")


def ending(path: Path) -> str:
    """The ending that says what a file is, without ``.gz``."""
    suffixes = [s.lower() for s in path.suffixes if s.lower() != ".gz"]
    return suffixes[-1] if suffixes else ""


def is_table(path: Path) -> bool:
    """Whether `rows` knows the file by its ending."""
    return ending(path) in TABLE_ENDINGS


def rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Number and content of each row; content is a dictionary, or a `BadRow` that says what is wrong.

    Lines are numbered from 1, as editors do; rows of JSON arrays and Parquet are numbered from 1 too.

    Raises:
        InputError: the file is absent, corrupt or of an unknown kind.
    """
    kind = ending(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    if kind == ".parquet":
        yield from _parquet_rows(path)
    elif kind in (".jsonl", ".ndjson"):
        yield from _json_lines(path)
    elif kind == ".json":
        yield from _json_array(path)
    elif kind in (".csv", ".tsv"):
        yield from _csv_rows(path, "\t" if kind == ".tsv" else ",")
    else:
        raise InputError(
            f"{path}: files ending in {kind or 'nothing'} are not read; known are {', '.join(TABLE_ENDINGS)}"
        )


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each line of a file, gzipped or not, without its line end."""
    try:
        with open_bytes(path) as stream:
            number = 0
            while line := stream.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise InputError(
                        f"{path}, line {number}: it is longer than {LONGEST_LINE // 2**20} MiB; "
                        "a file of JSON lines has one object a line (is this a JSON array? then name it .json)"
                    )
                yield number, line.rstrip(b"\r\n")
    except (EOFError, gzip.BadGzipFile, zlib.error) as fault:
        raise InputError(f"{path}: the gzip data is corrupt or cut short ({fault}); fetch the file again") from None


def open_bytes(path: Path) -> io.BufferedIOBase:
    """Open a file for reading bytes, unpacking gzip if its name ends in ``.gz``."""
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rb")  # pyright: ignore[reportReturnType]
    return path.open("rb")


def read_text(path: Path) -> str:
    """A whole text file, gzipped or not. Raises InputError if it is not UTF-8."""
    data = b"\n".join(line for _, line in lines(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise InputError(f"{path}: it is not UTF-8 text (byte {fault.start}); save it as UTF-8") from None


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any] | BadRow]]:
    for number, line in lines(path):
        if not line.strip():
            continue
        try:
            yield number, _as_row(json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8")))
        except UnicodeDecodeError as fault:
            yield number, BadRow(f"it is not UTF-8 text (byte {fault.start} of the line)")
        except json.JSONDecodeError as fault:
            yield number, BadRow(f"it is not JSON ({fault.msg} at character {fault.pos + 1})")
        except RecursionError:
            yield number, BadRow("its JSON is nested too deeply")


def _json_array(path: Path) -> Iterator[tuple[int, dict[str, Any] | BadRow]]:
    text = read_text(path)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as fault:
        # Many files of JSON lines are named .json.
        if "\n" in text.strip() and _starts_with_object(text):
            yield from _json_lines(path)
            return
        raise InputError(f"{path}, line {fault.lineno}: it is not JSON ({fault.msg})") from None
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        raise InputError(f"{path}: it holds {type(content).__name__}, not an array of objects")
    for number, row in enumerate(content, 1):
        yield number, _as_row(row)


def _starts_with_object(text: str) -> bool:
    try:
        return isinstance(json.JSONDecoder().raw_decode(text.lstrip())[0], dict)
    except json.JSONDecodeError:
        return False


def _as_row(content: Any) -> dict[str, Any] | BadRow:
    return content if isinstance(content, dict) else BadRow("it is JSON but not an object with named fields")


def _csv_rows(path: Path, delimiter: str) -> Iterator[tuple[int, dict[str, Any] | BadRow]]:
    csv.field_size_limit(LONGEST_LINE)
    reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter)
    try:
        header = next(reader, None)
        if header is None:
            return
        if repeated := {name for name in header if header.count(name) > 1}:
            raise InputError(f"{path}, line 1: the column names {', '.join(sorted(repeated))} appear more than once")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                yield reader.line_num, BadRow(f"it has {len(cells)} cells where the header has {len(header)}")
            else:
                yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as fault:
        raise InputError(f"{path}, line {reader.line_num}: it is not a table of cells ({fault})") from None


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=2_000):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pa.ArrowInvalid, pa.ArrowException, OSError) as fault:
        reason = str(fault).splitlines()[0]
        raise InputError(f"{path}: the Parquet data is corrupt or cut short ({reason}); fetch the file again") from None
