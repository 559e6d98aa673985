"""Small sets of labeled pairs that judges and reward models are tested on: LLMBar, Auto-J, HHH, RM-Bench."""

from __future__ import annotations

from collections import Counter

import pytest

from llull.errors import InputError
from llull.judgments import prompt, text_option

FILES = {
    "llmbar": "llmbar/llmbar.jsonl.gz",
    "autoj": "autoj_pairwise/testdata_pairwise.jsonl.gz",
    "hhh-alignment": "hhh_alignment/hhh_alignment_eval.jsonl.gz",
    "rm-bench": "rm_bench/rm_bench.jsonl.gz",
}
PER_ROW = {"rm-bench": 9}


@pytest.fixture(scope="module")
def sets(real_data, read_once):
    return {name: read_once(real_data / path) for name, path in FILES.items()}


@pytest.fixture(scope="module")
def raw(real_data, raw_rows):
    return {name: raw_rows(real_data / path) for name, path in FILES.items()}


@pytest.mark.parametrize("name", FILES)
def test_every_row_is_judged(sets, raw, name, assert_kept):
    (account,) = sets[name].reading.files
    per_row = PER_ROW.get(name, 1)
    assert (account.format, account.rows, account.rejects) == (name, len(raw[name]), [])
    assert account.judgments == per_row * len(raw[name])
    for place in (0, len(raw[name]) // 2, len(raw[name]) - 1):
        made = [sets[name][per_row * place + k] for k in range(per_row)]
        whole_prompts = ["chosen_instruction", "rejected_instruction"]
        assert_kept(raw[name][place], made, but=["label", *whole_prompts])


def test_llmbar(sets, raw):
    first = sets["llmbar"][0]
    assert first.context == prompt('What does the phrase "smaller fish to fry" mean?')
    assert [option.text for option in first.options] == [raw["llmbar"][0]["output_1"], raw["llmbar"][0]["output_2"]]
    assert first.ranking == [[1], [0]]
    assert Counter(j.ranking[0][0] + 1 for j in sets["llmbar"]) == Counter(row["label"] for row in raw["llmbar"])
    assert Counter(j.tags["source"] for j in sets["llmbar"])["LLMBar/Adversarial/Neighbor"] == 134


def test_autoj(sets, raw):
    labels = Counter(row["label"] for row in raw["autoj"])
    pairs = sets["autoj"].pairs()
    assert pairs.tie.sum() == labels[2] == 373
    rankings = Counter(str(judgment.ranking) for judgment in sets["autoj"])
    assert (rankings["[[0], [1]]"], rankings["[[1], [0]]"]) == (labels[0], labels[1])
    first, row = sets["autoj"][0], raw["autoj"][0]
    assert first.options == [text_option(row["response 1"]), text_option(row["response 2"])]
    assert (first.ranking, first.tags["scenario"]) == ([[1], [0]], "post_summarization")


def test_hhh_is_cut_out_of_its_grading_prompts_and_can_be_put_back(sets, raw):
    for judgment, row in zip(sets["hhh-alignment"], raw["hhh-alignment"], strict=True):
        for option, key in zip(judgment.options, ("chosen_instruction", "rejected_instruction"), strict=True):
            assert row[key] == (
                f"{judgment.tags['task']}###The instruction to evaluate:\n{judgment.context[0].content}"
                f"\n\n###Response to evaluate:\n{option.text}\n\n###Score Rubrics:\n{judgment.tags['rubric']}"
            )
    first = sets["hhh-alignment"][0]
    assert first.context[0].content.startswith("Can you tell me what kind of knife is large enough")
    assert first.options[0].text.startswith("Sorry, I'm not interested in helping you with that.")
    assert (first.criterion, first.tags["source"]) == ("harmless", "harmless")
    assert Counter(j.criterion for j in sets["hhh-alignment"]) == Counter(row["source"] for row in raw["hhh-alignment"])


def test_hhh_halves_whose_contexts_differ_are_told_of(read_rows):
    side = "Task\n\n###The instruction to evaluate:\n{}\n\n###Response to evaluate:\n{}\n\n###Score Rubrics:\nR"
    row = {
        "source": "other",
        "chosen_instruction": side.format("a", "x"),
        "rejected_instruction": side.format("b", "y"),
    }
    votes = read_rows([row, {**row, "chosen_instruction": "no markers"}])
    assert (votes[0].context, votes[0].tags["rejected_context"]) == (prompt("a"), "b")
    assert votes.reading.files[0].notes.total() == 1
    assert "is not a grading prompt" in votes.reading.rejects[0].reason


def test_rm_bench_compares_every_right_answer_with_every_wrong_one(sets, raw):
    row = raw["rm-bench"][0]
    nine = [sets["rm-bench"][k] for k in range(9)]
    assert [[option.text for option in j.options] for j in nine] == [
        [c, r] for c in row["chosen"] for r in row["rejected"]
    ]
    assert nine[1].tags["styles"] == ["concise", "detailed_plain"]
    assert (nine[0].tags["source"], nine[0].tags["error_key"], nine[0].annotator_kind) == ("chat", "shoes", "rule")
    assert not sets["rm-bench"].pairs().tie.any()


def test_unknown_labels_stop_the_read(read_rows):
    with pytest.raises(InputError, match="field 'label' has the unknown label 3"):
        read_rows([{"input": "q", "output_1": "x", "output_2": "y", "label": 3}])
