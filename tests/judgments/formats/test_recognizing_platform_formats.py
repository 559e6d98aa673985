"""Arenas, platforms, benchmarks and image sets share column names; each must still be taken for what it is."""

from __future__ import annotations

import pytest

from llull.judgments.format import Sample
from llull.judgments.recognition import known_formats, recognize

TURNS = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
BATTLE = {"model_a": "m", "model_b": "n", "winner": "model_a"}
PAIR = {"prompt": "Q", "chosen": "A", "rejected": "B", "subset": "s", "id": 1}

SAMPLES = {
    "prism-utterances": {
        "utterance_id": "ut0",
        "interaction_id": "int0",
        "conversation_id": "c0",
        "user_id": "user0",
        "turn": 0,
        "within_turn_id": 0,
        "conversation_type": "unguided",
        "user_prompt": "Q",
        "model_response": "A",
        "model_name": "m",
        "model_provider": "p",
        "score": 90,
        "if_chosen": True,
        "included_in_balanced_subset": True,
    },
    "prism": {
        "conversation_id": "c0",
        "user_id": "user0",
        "conversation_type": "unguided",
        "opening_prompt": "Q",
        "conversation_turns": 1,
        "conversation_history": [],
        "performance_attributes": {},
        "choice_attributes": {},
        "open_feedback": "F",
    },
    "community-alignment": {
        "conversation_id": "1",
        "assigned_lang": "en",
        "annotator_id": "2",
        "first_turn_prompt": "Q",
        **{f"first_turn_response_{letter}": letter for letter in "abcd"},
        "first_turn_preferred_response": "response_a",
        "first_turn_feedback": "",
        "annotator_age": "18-34",
    },
    "multipref": {
        "comparison_id": "1",
        "prompt_id": "2",
        "text": "Q",
        "model_a": "m",
        "model_b": "n",
        "completion_a": "A",
        "completion_b": "B",
        "normal_worker_annotations": [],
        "expert_worker_annotations": [],
    },
    "arena-battles": {**BATTLE, "judge": "arena_user_1", "conversation_a": TURNS, "conversation_b": TURNS, "turn": 1},
    "arena-log": {"tstamp": 1.0, "type": "leftvote", "models": ["m", "n"], "states": [{}, {}], "ip": "1"},
    "search-arena": {**BATTLE, "messages_a": TURNS, "messages_b": TURNS, "turn": 1, "judge": "j"},
    "music-arena": {
        "battle_uuid": "1",
        "prompt": "Q",
        "audio_a": "a.mp3",
        "system_a": "m",
        "audio_b": "b.mp3",
        "system_b": "n",
        "preference": "A",
        "timestamp": 1.0,
    },
    "music-arena-log": {
        "uuid": "1",
        "vote": None,
        "prompt": {"prompt": "Q"},
        "prompt_detailed": {},
        "a_metadata": {},
        "b_metadata": {},
    },
    "alpaca-eval": {
        "instruction": "Q",
        "generator_1": "m",
        "output_1": "A",
        "generator_2": "n",
        "output_2": "B",
        "annotator": "gpt4",
        "preference": 1.0,
    },
    "arena-hard": {"uid": "1", "model": "m", "judge": "j", "baseline": "b", "games": []},
    "rewardbench": {**PAIR, "chosen_model": "m", "rejected_model": "n"},
    "rewardbench-2": {**PAIR, "chosen": ["A"], "rejected": ["B"], "num_correct": 1, "total_completions": 2},
    "icai": {"metadata": {}, "annotators": {}, "comparisons": []},
    "icai-table": {"text_a": "A", "text_b": "B", "preferred_text": "text_a", "input": "Q"},
    "wimhf": {"prompt": "Q", "response_A": "A", "response_B": "B", "label": 1},
    "lmsys-kaggle": {
        "id": 1,
        "model_a": "m",
        "model_b": "n",
        "prompt": '["Q"]',
        "response_a": '["A"]',
        "response_b": '["B"]',
        "winner_model_a": 1,
        "winner_model_b": 0,
        "winner_tie": 0,
    },
    "argilla": {"id": "1", "status": "completed", "prompt": "Q", "q.responses": ["a"], "q.responses.users": ["u"]},
    "label-studio": {"id": 1, "data": {"prompt": "Q"}, "annotations": [], "predictions": []},
    "open-assistant": {"message_tree_id": "1", "tree_state": "ready_for_export", "prompt": {"text": "Q"}},
    "open-assistant-messages": {
        "message_id": "1",
        "parent_id": None,
        "user_id": "u",
        "text": "Q",
        "role": "prompter",
        "message_tree_id": "1",
        "rank": None,
        "lang": "en",
    },
    "pick-a-pic": {
        "caption": "Q",
        "image_0_uid": "1",
        "image_1_uid": "2",
        "label_0": 1,
        "label_1": 0,
        "has_label": True,
        "user_id": 1,
    },
    "hpd": {"prompt": "Q", "image_path": ["a.jpg", "b.jpg"], "human_preference": [1, 0]},
    "hpd-ranks": {"prompt": "Q", "image_path": ["a.jpg"], "rank": [1.0], "raw_annotations": []},
    "image-reward": {
        "image_path": "a.webp",
        "prompt_id": "1",
        "prompt": "Q",
        "rank": 1,
        "overall_rating": 5,
        "image_text_alignment_rating": 5,
        "fidelity_rating": 5,
    },
    "image-reward-test": {"prompt_id": "1", "prompt": "Q", "ranking": [1], "generations": ["a.webp"]},
}


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("argilla", {"id": "1", **PAIR, "q.responses": ["a"]}),
        ("argilla", {"id": "1", "prompt": "Q", "chosen": "A", "rejected": "B", "q.suggestion": "chosen"}),
        ("argilla", {"id": "1", "instruction": "Q", "chosen": "A", "rejected": "B", "q.responses": ["a"]}),
        ("argilla", {"id": "1", "prompt": "Q", "completion": "A", "label": True, "q.responses": [True]}),
        ("trl", {"id": "1", "prompt": "Q", "chosen": "A", "rejected": "B"}),
    ],
)
def test_names_that_a_project_chose_do_not_hide_the_platform(write_json_lines, name, row):
    assert recognize(write_json_lines([row]))[0].name == name


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("repeats", [1, 30])
def test_a_sample_is_recognized_as_itself(write_json_lines, name, repeats):
    assert recognize(write_json_lines([SAMPLES[name]] * repeats))[0].name == name


@pytest.mark.parametrize("name", SAMPLES)
def test_no_other_format_claims_it_as_strongly(write_json_lines, name):
    sample = Sample(write_json_lines([SAMPLES[name]]), [SAMPLES[name]])
    claims = {
        known.name: known.fields_known(sample)
        for known in known_formats().values()
        if known.recognises(sample) and not known.fallback
    }
    assert [other for other, count in claims.items() if count >= claims[name]] == [name]
