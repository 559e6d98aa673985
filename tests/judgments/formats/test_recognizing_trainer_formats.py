"""The trainers' and labs' formats share many column names; each must still be taken for what it is."""

from __future__ import annotations

import pytest

from llull.judgments.format import Sample
from llull.judgments.recognition import known_formats, recognize

ASKED = {"role": "user", "content": "Q"}
TURNS = {
    "chosen": [ASKED, {"role": "assistant", "content": "A"}],
    "rejected": [ASKED, {"role": "assistant", "content": "B"}],
}
TEXTS = {"chosen": "A", "rejected": "B"}
SPOKEN = {"conversations": [{"from": "human", "value": "Q"}]}
ATTRIBUTES = dict.fromkeys(("helpfulness", "correctness", "coherence", "complexity", "verbosity"), 3)
SAFETY = {"is_response_0_safe": True, "is_response_1_safe": False, "better_response_id": 0, "safer_response_id": 0}
TWO = {"prompt": "Q", "response_0": "A", "response_1": "B"}
TRANSCRIPT = "\n\nHuman: Q\n\nAssistant: "

SAMPLES = {
    "hh-rlhf": {"chosen": TRANSCRIPT + "A", "rejected": TRANSCRIPT + "B"},
    "trl": {"prompt": "Q", **TEXTS},
    "trl-implicit": TURNS,
    "trl-kto": {"prompt": "Q", "completion": "A", "label": True},
    "trl-stepwise": {"prompt": "Q", "completions": ["A", "B"], "labels": [True, False]},
    "openrlhf": {**TURNS, "margin": 1.0},
    "llama-factory": {"instruction": "Q", "input": "", **TEXTS},
    "llama-factory-sharegpt": {
        **SPOKEN,
        "chosen": {"from": "gpt", "value": "A"},
        "rejected": {"from": "gpt", "value": "B"},
    },
    "llama-factory-kto": {"instruction": "Q", "input": "", "output": "A", "kto_tag": True},
    "llama-factory-sharegpt-kto": {**SPOKEN, "kto_tag": True},
    "llama-factory-openai-kto": {"messages": TURNS["chosen"], "label": True},
    "nemo-rl": {"context": [ASKED], "completions": [{"rank": 0, "completion": TURNS["chosen"][1:]}], "task_name": "t"},
    "ultrafeedback": {
        "source": "flan",
        "instruction": "Q",
        "models": ["m"],
        "completions": [{"model": "m", "response": "A", "annotations": {}, "overall_score": 5}],
        "correct_answers": [],
        "incorrect_answers": [],
    },
    "ultrafeedback-binarized": {
        "prompt": "Q",
        "prompt_id": "1",
        **TURNS,
        "messages": TURNS["chosen"],
        "score_chosen": 8.0,
        "score_rejected": 2.0,
    },
    "helpsteer2": {"prompt": "Q", "response": "A", **ATTRIBUTES},
    "helpsteer2-preference": {
        "split": "train",
        "prompt": "Q",
        "response_1": "A",
        "response_2": "B",
        "preference_strength": -1,
        "preference_statement": "S",
        "preference_elaboration": "E",
    },
    "pku-saferlhf": {**TWO, **SAFETY, "response_0_severity_level": 0, "response_1_severity_level": 1},
    "pku-saferlhf-single-dimension": {**TWO, "better_response_id": 0},
    "pku-saferlhf-qa": {"prompt": "Q", "response": "A", "is_safe": True, "harm_category": {}, "severity_level": 0},
    "beavertails": {"prompt": "Q", "response": "A", "category": {}, "is_safe": True},
    "shp": {
        "post_id": "1",
        "domain": "d",
        "upvote_ratio": 0.9,
        "history": "Q",
        "human_ref_A": "A",
        "human_ref_B": "B",
        "labels": 1,
        "score_A": 2,
        "score_B": 1,
        "score_ratio": 2.0,
    },
    "psychocounsel": {"question": "Q", **TEXTS, "chosen_safety_rating": 5, "rejected_safety_rating": 1},
    "ultramedical-preference": {"prompt_id": "1", "label_type": "hard", "prompt": "Q", **TURNS, "metadata": {}},
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("repeats", [1, 30])
def test_a_sample_is_recognized_as_itself(write_json_lines, name, repeats):
    assert recognize(write_json_lines([SAMPLES[name]] * repeats))[0].name == name


@pytest.mark.parametrize("name", SAMPLES)
def test_no_other_format_claims_it_as_strongly(write_json_lines, name):
    sample = Sample(write_json_lines([SAMPLES[name]]), [SAMPLES[name]])
    claims = {known.name: known.fields_known(sample) for known in known_formats().values() if known.recognises(sample)}
    assert [other for other, count in claims.items() if count == claims[name]] == [name]


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("trl", {"prompt": [ASKED], "chosen": TURNS["chosen"][1:], "rejected": TURNS["rejected"][1:], "images": []}),
        ("trl", {"prompt": "Q", **TURNS, "margin": 0.5}),
        ("trl", {"prompt": TRANSCRIPT, **TEXTS}),
        ("trl-implicit", TEXTS),
        ("trl-kto", {"prompt": [ASKED], "completion": TURNS["chosen"][1:], "label": 0}),
        ("pku-saferlhf", {**TWO, **SAFETY}),
    ],
)
def test_variants_are_recognized(write_json_lines, name, row):
    assert recognize(write_json_lines([row] * 2))[0].name == name
