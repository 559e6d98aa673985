from __future__ import annotations

import io

from rich.console import Console

from llull.judgments.reading import FileReading, Reading
from llull.judgments.rows import Reject
from llull.runs.printing import reading_table


def printed(reading: Reading) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(reading_table(reading))
    return console.export_text()


def test_every_file_is_named_with_what_became_of_it():
    file = FileReading("votes.jsonl", "trl", rows=1_234, rows_judged=1_233, rows_rejected=1, judgments=1_233)
    file.rejects.append(Reject("votes.jsonl", 7, "it is not JSON [at all]"))
    file.notes["texts without a prompt"] += 3
    text = printed(Reading([file], {"data/jokes.jsonl": "this file holds no judgments; it is read along with Jester"}))
    for said in ("votes.jsonl", "1,234", "1,233", "texts without a prompt", "rejected: it is not JSON [at all]"):
        assert said in text
    assert "data/jokes.jsonl" in text
    assert "passed over" in text
    assert "this file holds no judgments; it is read along with Jester" in text
