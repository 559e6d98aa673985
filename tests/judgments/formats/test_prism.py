from __future__ import annotations

import json

from llull.judgments import Message, Preferences, prompt
from llull.judgments.reading import read


def utterance(turn, place, text, score, chosen, user_prompt="Hello", conversation="c1"):
    return {
        "utterance_id": f"ut{turn}{place}",
        "interaction_id": f"int{turn}",
        "conversation_id": conversation,
        "user_id": "user1",
        "turn": turn,
        "within_turn_id": place,
        "conversation_type": "unguided",
        "user_prompt": user_prompt,
        "model_response": text,
        "model_name": f"model-{place}",
        "model_provider": "lab",
        "score": score,
        "if_chosen": chosen,
        "included_in_balanced_subset": True,
    }


# Out of order, as a file may be.
UTTERANCES = [
    utterance(1, 1, "Bye.", None, False, "More"),
    utterance(0, 0, "Hi.", 12, False),
    utterance(0, 1, "Hello!", 100, True),
    utterance(0, 2, "Yo.", 12, False),
    utterance(1, 0, "Sure.", 80, True, "More"),
    utterance(2, 0, "Alone.", "many", True, "End"),
    utterance(3, 0, "Scored.", 5, True, "Last"),
    utterance(0, 0, "Nothing.", None, False, conversation="c2"),
]
SURVEY = {
    "user_id": "user1",
    "age": "25-34 years old",
    "gender": None,
    "religion": {"self_described": "none", "simplified": "No Affiliation"},
    "location": {"birth_country": "Kenya", "reside_country": "France"},
    "stated_prefs": {"values": 77},
}
CONVERSATION = {
    "conversation_id": "c1",
    "user_id": "user1",
    "conversation_type": "unguided",
    "opening_prompt": "Hello",
    "conversation_history": [
        {"turn": 0, "role": "user", "content": "Hello"},
        {
            "turn": 0,
            "role": "model",
            "content": "Hi.",
            "model_name": "m",
            "score": 3,
            "if_chosen": False,
            "within_turn_id": 0,
        },
        {
            "turn": 0,
            "role": "model",
            "content": "Hey.",
            "model_name": "n",
            "score": 9,
            "if_chosen": True,
            "within_turn_id": 1,
        },
        {"turn": 1, "role": "user", "content": "More"},
        {
            "turn": 1,
            "role": "model",
            "content": "No.",
            "model_name": "n",
            "score": 2,
            "if_chosen": True,
            "within_turn_id": 0,
        },
    ],
    "performance_attributes": {"fluency": 90, "safety": None},
    "choice_attributes": {"values": 40},
    "open_feedback": "It was short.",
}


def test_utterances_of_a_turn_form_scores_and_a_choice(read_rows, write_json_lines, assert_kept, tmp_path):
    write_json_lines([SURVEY], "survey.jsonl")
    write_json_lines([CONVERSATION], "conversations.jsonl")
    votes = read_rows(UTTERANCES, name="utterances.jsonl")
    (account,) = votes.reading.files
    assert (account.format, account.rows) == ("prism-utterances", 8)
    assert [reject.reason for reject in account.rejects] == [
        "'score' is 'many', not a number",
        "turn 0 has neither a choice nor a score",
    ]
    first, worse, worst, second, last = votes
    assert first.context == prompt("Hello")
    assert [(option.text, option.source) for option in first.options] == [
        ("Hi.", "model-0"),
        ("Hello!", "model-1"),
        ("Yo.", "model-2"),
    ]
    assert (first.verdict, first.ranking, first.weight) == ("rated", [], 1)
    assert [(other.ranking, other.ratings, other.weight) for other in (worse, worst)] == [
        ([[1], [0]], [], 0.5),
        ([[1], [2]], [], 0.5),
    ]
    assert {judgment.tags["choice"] for judgment in (first, worse, worst)} == {"prism/c1/0"}
    assert len({judgment.id for judgment in votes}) == 5
    assert [(r.option, r.aspect, r.value, r.low, r.high) for r in first.ratings] == [
        (0, "score", 12.0, 1.0, 100.0),
        (1, "score", 100.0, 1.0, 100.0),
        (2, "score", 12.0, 1.0, 100.0),
    ]
    assert (first.annotator, first.annotator_kind) == ("user1", "human")
    assert first.groups == {
        "age": "25-34 years old",
        "religion": "No Affiliation",
        "birth_country": "Kenya",
        "reside_country": "France",
    }
    assert first.tags["open_feedback"] == "It was short."
    assert second.context == [Message("user", "Hello"), Message("assistant", "Hello!"), Message("user", "More")]
    assert [rating.option for rating in second.ratings] == [0]
    assert (last.verdict, last.ranking) == ("rated", [])
    assert_kept(SURVEY, first)
    for row in UTTERANCES[:5]:
        assert_kept(row, [first, second])
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)


def test_a_conversation_gives_a_judgment_a_turn(tmp_path, assert_kept):
    path = tmp_path / "conversations.jsonl"
    path.write_text(json.dumps(CONVERSATION) + "\n")
    votes = read(path)
    assert [judgment.verdict for judgment in votes] == ["ranked", "rated"]
    assert votes[0].ranking == [[1], [0]]
    assert [message.content for message in votes[1].context] == ["Hello", "Hey.", "More"]
    assert [judgment.id for judgment in votes] == ["prism/c1/0", "prism/c1/1"]
    assert_kept(CONVERSATION, list(votes))
    assert list(Preferences.load(votes.save(tmp_path / "votes.parquet"))) == list(votes)
