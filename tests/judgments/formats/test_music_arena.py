from __future__ import annotations

from llull.judgments import Media, Preferences, prompt


def released(preference, **given):
    return {
        "battle_uuid": "u1",
        "prompt": "slow jazz",
        "user_pseudonym": "hash",
        "audio_a": "audio_files/a.mp3",
        "system_a": "sao",
        "audio_b": "audio_files/b.mp3",
        "system_b": "lyria",
        "preference": preference,
        "feedback": "General: nice",
        "timestamp": 1753000000.0,
        "duration_a": 30.0,
        "listen_data_a": '[["PLAY", 1.5]]',
    } | given


def test_released_battles(read_rows, assert_kept, tmp_path):
    rows = [released("A"), released("BOTH_BAD", audio_a=""), released("TIE", feedback=""), released(None)]
    votes = read_rows(rows)
    (account,) = votes.reading.files
    assert (account.format, account.rows, account.judgments) == ("music-arena", 4, 3)
    first, bad, tie = votes
    assert first.context == prompt("slow jazz")
    assert [option.media for option in first.options] == [
        [Media("audio", "audio_files/a.mp3")],
        [Media("audio", "audio_files/b.mp3")],
    ]
    assert [option.source for option in first.options] == ["sao", "lyria"]
    assert (first.ranking, first.rationale, first.annotator) == ([[0], [1]], "General: nice", "hash")
    assert (bad.verdict, bad.options[0].media, bad.options[0].source) == ("both_bad", [], "sao")
    assert (tie.verdict, tie.ranking, tie.rationale) == ("ranked", [[0, 1]], None)
    assert_kept(rows[0], first, but=["preference", "timestamp"])
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)


def test_the_raw_log(read_rows):
    vote = {
        "preference": "B",
        "preference_time": 0.0,
        "feedback": "",
        "a_feedback": "thin",
        "a_listen_data": [["PLAY", 2.5]],
    }
    row = {
        "uuid": "u1",
        "prompt": None,
        "prompt_detailed": {"overall_prompt": "slow jazz", "instrumental": True},
        "prompt_user": {"salted_ip": "hash"},
        "a_metadata": {"system_key": {"system_tag": "sao"}},
        "b_metadata": {"system_key": {"system_tag": "lyria"}},
        "a_audio_url": "https://example.org/a.mp3",
        "b_audio_url": "https://example.org/b.mp3",
        "vote": vote,
    }
    votes = read_rows([row, {**row, "vote": None}])
    (account,) = votes.reading.files
    assert (account.format, account.judgments) == ("music-arena-log", 1)
    assert account.rejects[0].reason == "nobody voted on it"
    assert (votes[0].ranking, votes[0].rationale, votes[0].annotator) == ([[1], [0]], "thin", "hash")
    assert votes[0].context == prompt("slow jazz")
    assert votes[0].time.year == 1970
    assert votes[0].tags["vote"]["a_listen_data"] == [["PLAY", 2.5]]
    assert votes[0].options[1].media == [Media("audio", "https://example.org/b.mp3")]
