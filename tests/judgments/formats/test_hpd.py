from __future__ import annotations

import json

from llull.judgments import Media, Preferences, prompt
from llull.judgments.reading import read


def test_choices(tmp_path, assert_kept):
    rows = [
        {"prompt": "a cat", "file_path": ["0.jpg", "1.jpg"], "human_preference": [0, 1], "user_hash": "u"},
        {"prompt": "a cat", "file_path": ["0.jpg", "1.jpg"], "human_preference": [0, 0]},
        {"prompt": "a cat", "file_path": ["0.jpg", "1.jpg"], "human_preference": [1]},
        {"prompt": "a cat", "file_path": ["0.jpg", "1.jpg"], "human_preference": [1, 2]},
    ]
    (tmp_path / "train.json").write_text(json.dumps(rows))
    votes = read(tmp_path / "train.json")
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("hpd", 4, 1)
    assert [reject.line for reject in account.rejects] == [2, 3, 4]
    assert votes[0].context == prompt("a cat")
    assert [option.media for option in votes[0].options] == [[Media("image", "0.jpg")], [Media("image", "1.jpg")]]
    assert (votes[0].ranking, votes[0].annotator) == ([[1], [0]], "u")
    assert_kept(rows[0], votes[0])


def test_a_choice_among_several_says_nothing_of_the_others(read_rows):
    row = {"prompt": "a cat", "file_path": ["0.jpg", "1.jpg", "2.jpg"]}
    votes = read_rows([{**row, "human_preference": marks} for marks in ([0, 1, 0], [1, 1, 0], [1, 1, 1])])
    assert [judgment.ranking for judgment in votes] == [
        *([[1], [0]], [[1], [2]]),
        *([[0], [2]], [[1], [2]]),
        [[0, 1, 2]],
    ]
    assert [judgment.weight for judgment in votes] == [0.5] * 4 + [1]


def test_each_persons_ranks(tmp_path, assert_kept):
    annotations = [{"rank": [2, 1, 2], "user_hash": "u1"}, {"rank": [1, 2], "user_hash": "u2"}]
    rows = [{"prompt": "Q", "image_path": ["0", "1", "2"], "rank": [2.0, 1.0, 2.5], "raw_annotations": annotations}]
    (tmp_path / "test.json").write_text(json.dumps(rows))
    votes = read(tmp_path / "test.json")
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments, len(account.rejects)) == ("hpd-ranks", 1, 1, 1)
    assert (votes[0].ranking, votes[0].annotator) == ([[1], [0, 2]], "u1")
    assert votes[0].tags["rank"] == [2.0, 1.0, 2.5]
    assert_kept(rows[0], votes[0], but=["raw_annotations"])
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)
