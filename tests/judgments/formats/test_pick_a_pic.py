from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from llull.judgments import Media, Preferences, prompt
from llull.judgments.reading import read


def row(first, second, **given):
    return {
        "ranking_id": 7,
        "user_id": 42,
        "created_at": datetime(2023, 1, 2, 3, 4, 5),
        "caption": "a cat",
        "image_0_uid": "u0",
        "image_0_url": "https://example.org/0.png",
        "image_1_uid": "u1",
        "image_1_url": "https://example.org/1.png",
        "model_0": "sdxl",
        "model_1": "dreamlike",
        "jpg_0": b"\xff\xd8",
        "label_0": first,
        "label_1": second,
        "has_label": True,
    } | given


def test_choices(tmp_path, assert_kept):
    rows = [row(1.0, 0.0), row(0.0, 1.0), row(0.5, 0.5), row(1.0, 1.0), row(0.0, 0.0, has_label=False), row(None, 1.0)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train.parquet")
    votes = read(tmp_path / "train.parquet")
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("pick-a-pic", 6, 3)
    assert [reject.line for reject in account.rejects] == [4, 5, 6]
    assert [judgment.ranking for judgment in votes] == [[[0], [1]], [[1], [0]], [[0, 1]]]
    first = votes[0]
    assert first.context == prompt("a cat")
    assert [option.media for option in first.options] == [
        [Media("image", "https://example.org/0.png")],
        [Media("image", "https://example.org/1.png")],
    ]
    assert [option.source for option in first.options] == ["sdxl", "dreamlike"]
    assert (first.annotator, first.time) == ("42", datetime(2023, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert account.notes["the bytes of a picture are left out; its address is kept"] == 3
    assert_kept(rows[0], first, but=["user_id", "created_at", "jpg_0", "label_0", "label_1"])
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)
