from __future__ import annotations

from llull.judgments import Media, Preferences, prompt


def picture(path, rank, overall, prompt_id="p1", text="a cat"):
    return {
        "image_path": path,
        "prompt_id": prompt_id,
        "prompt": text,
        "classification": "Animals",
        "image_amount_in_total": 3,
        "rank": rank,
        "overall_rating": overall,
        "image_text_alignment_rating": 6,
        "fidelity_rating": 5,
    }


ROWS = [
    picture("0.webp", 2, 4),
    picture("9.webp", 1, 3, "p2"),
    picture("1.webp", 1, 7),
    picture("2.webp", 2, None),
    picture("8.webp", 2, 3, "p2", "another"),
]


def test_the_pictures_of_a_prompt_form_one_judgment(read_rows, assert_kept, tmp_path):
    votes = read_rows(ROWS)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments, account.rows_rejected) == ("image-reward", 5, 1, 2)
    assert account.rejects[0].reason == "the pictures of one prompt id have different prompts"
    judgment = votes[0]
    assert judgment.context == prompt("a cat")
    assert [option.media[0].uri for option in judgment.options] == ["0.webp", "1.webp", "2.webp"]
    assert judgment.ranking == [[1], [0, 2]]
    assert [(r.option, r.value) for r in judgment.ratings if r.aspect == "overall"] == [(0, 4.0), (1, 7.0)]
    assert {(r.low, r.high) for r in judgment.ratings} == {(1.0, 7.0)}
    for row in (ROWS[0], ROWS[2], ROWS[3]):
        assert_kept(row, judgment)
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)


def test_the_test_file(read_rows):
    row = {"prompt_id": "p", "prompt": "Q", "ranking": [2, 1, 1], "generations": ["a", "b", "c"]}
    votes = read_rows([row, {**row, "ranking": [1]}])
    (account,) = votes.reading.files
    assert (account.format, account.judgments, len(account.rejects)) == ("image-reward-test", 1, 1)
    assert votes[0].ranking == [[1, 2], [0]]
    assert votes[0].options[2].media == [Media("image", "c")]
