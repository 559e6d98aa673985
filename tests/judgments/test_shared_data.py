"""Every real data set, whole: each row is judged or rejected, and there are as many judgments as a count of our own."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from llull.errors import InputError
from llull.judgments import Preferences, read

Rows = Iterable[dict[str, Any]]


def each(per_row: int) -> Callable[[Rows], int]:
    return lambda rows: per_row * sum(1 for _ in rows)


def in_list(key: str) -> Callable[[Rows], int]:
    return lambda rows: sum(len(row[key]) for row in rows)


def others(key: str) -> Callable[[Rows], int]:
    """A choice of one among the list gives a judgment for each of the others."""
    return lambda rows: sum(len(row[key]) - 1 for row in rows)


def answered(prefix: str) -> Callable[[Rows], int]:
    return lambda rows: sum(v is not None for row in rows for key, v in row.items() if key.startswith(prefix))


def results(rows: Rows) -> int:
    return sum(value is not None for row in rows for value in row["preference"]["values"])


def segments(number: str) -> Callable[[Rows], int]:
    return lambda rows: len({(r["lp"], r["system"], r["doc"], r[number], r["rater"]) for r in rows})


def reviews(rows: Rows) -> int:
    return sum(3 * len(systems["human"]["reviews"]) for row in rows for systems in row["questions"].values())


def labels(rows: Rows) -> int:
    """Le-Wi-Di has the labels of an item as a text with commas (2023) or by annotator (2025)."""
    return sum(len(v.split(",")) if isinstance(v := row["annotations"], str) else len(v) for row in rows)


COUNTS: dict[str, Callable[[Rows], int]] = {
    "alpaca_eval_judgments/judgments": each(1),
    "autoj_pairwise/testdata_pairwise": each(1),
    "big_bench_mistake/big_bench_mistake": each(1),
    "collective_constitutional_ai/votes": each(1),
    "delivery_human_prefs/human_prefs": each(1),
    "hh_rlhf/harmless-base.test": each(1),
    "hh_rlhf/helpful-base.test": each(1),
    "hh_rlhf/helpful-online.test": each(1),
    "hh_rlhf/helpful-rejection-sampled.test": each(1),
    "hhh_alignment/hhh_alignment_eval": each(1),
    "jester5k/ratings": each(1),
    "jfleg/pairwise": each(1),
    "jfleg/rewrites": each(4),
    "lamp_writing/edit_model_test": each(1),
    "lamp_writing/edits_preference_batches": each(1),
    "lamp_writing/edits_reannotated": each(1),
    "lamp_writing/pairwise_val": each(1),
    "lamp_writing/preference_rankings": each(1),
    "lamp_writing/reward_score_train": each(1),
    "lamp_writing/ttcw_annotations": each(1),
    "lamp_writing/wqrm_annotations": in_list("annotations"),
    "lewidi/ArMIS": labels,
    "lewidi/CSC": labels,
    "lewidi/ConvAbuse": labels,
    "lewidi/HS-Brexit": labels,
    "lewidi/MD-Agreement": labels,
    "lewidi/MP": labels,
    "lewidi/Paraphrase": labels,
    "lewidi/VariErrNLI": labels,
    "llmbar/llmbar": each(1),
    "llmfao/crowd-comparisons": each(1),
    "llmfao/judge-comparisons": each(1),
    "music_similarity_prefs/judgments": each(1),
    "paired_comparison_classics/PlackettLuce_beans": each(4),
    "paired_comparison_classics/PlackettLuce_nascar": each(1),
    "paired_comparison_classics/PlackettLuce_pudding": each(3),
    "paired_comparison_classics/prefmod_carconf": each(1),
    "paired_comparison_classics/prefmod_cemspc": answered("V"),
    "paired_comparison_classics/prefmod_euro55.2.des": each(1),
    "paired_comparison_classics/prefmod_immig": answered("V"),
    "paired_comparison_classics/prefmod_issp2000": each(1),
    "paired_comparison_classics/prefmod_music": each(1),
    "paired_comparison_classics/prefmod_salad": each(1),
    "paired_comparison_classics/prefmod_trdel": answered("V"),
    "paired_comparison_classics/psychotools_GermanParties2009": results,
    "paired_comparison_classics/psychotools_SoundQuality": results,
    "pandalm_testset/judge-labels": each(1),
    "pandalm_testset/testset-v1": each(3),
    "photo_pareto_votes/votes": in_list("responses"),
    "polis_open_data/votes": each(1),
    "prefeval/implicit_preference_choice-based": others("options"),
    "prefeval/mcq_options": others("classification_task_options"),
    "rm_bench/rm_bench": each(9),
    "rmb/bon_set": in_list("loser_list"),
    "rmb/pairwise_set": each(1),
    "squality_human_eval/all_responses": reviews,
    "ukp_convarg/convarg1_pairs": in_list("votes"),
    "ukp_convarg/convarg2_reasons": each(1),
    "unieval_human_scores/sfhot": each(1),
    "unieval_human_scores/sfres": each(1),
    "unieval_human_scores/topical_chat": each(1),
    "vcc2018_mos/ratings": each(1),
    "wmt16_rankings/kway_rankings": each(1),
    "wmt16_rankings/pairwise_judgments": each(1),
    "wmt_mqm/mqm_ted": segments("seg_id"),
    "wmt_mqm/sxs_mqm_generalMT2023": segments("globalSegId"),
}
"""Every preference file, and how many judgments and rejects its raw rows must give."""

LARGE = {
    "alpaca_eval_judgments/judgments",
    "photo_pareto_votes/votes",
    "polis_open_data/votes",
    "ukp_convarg/convarg1_pairs",
    "wmt16_rankings/pairwise_judgments",
}

AUXILIARY = {
    "alpaca_eval_judgments/instructions",
    "alpaca_eval_judgments/outputs",
    "collective_constitutional_ai/comments",
    "collective_constitutional_ai/participants",
    "delivery_human_prefs/succ_feats_no_gt",
    "jester5k/jokes",
    "lamp_writing/ttcw_stories",
    "lamp_writing/ttcw_tests",
    "lewidi/CSC_annotators_meta",
    "lewidi/MP_annotators_meta",
    "lewidi/Paraphrase_annotators_meta",
    "lewidi/VariErrNLI_annotators_meta",
    "llmfao/models",
    "llmfao/pairs-crowd",
    "llmfao/prompts",
    "llmfao/results",
    "photo_pareto_votes/photos",
    "polis_open_data/comments",
    "polis_open_data/participants",
    "polis_open_data/summary",
    "prefeval/explicit_preference",
    "prefeval/implicit_preference_persona-driven",
    "ukp_convarg/convarg1_arguments",
    "ukp_convarg/convarg1_debates",
}
"""Files that are read along with others, and hold no judgments themselves."""

NO_PREFERENCES = {
    "daily_dilemmas/dilemma",
    "daily_dilemmas/dilemmas_with_detail_by_action_test",
    "daily_dilemmas/principle_claude",
    "daily_dilemmas/principle_openai",
    "daily_dilemmas/values",
}
"""Files of sets in which nobody judges anything."""


def test_no_file_is_forgotten(real_data):
    there = {str(path.relative_to(real_data)).removesuffix(".jsonl.gz") for path in real_data.rglob("*.jsonl.gz")}
    assert there == COUNTS.keys() | AUXILIARY | NO_PREFERENCES


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else []) for name in COUNTS]
)
def test_rows_in_are_judgments_and_rejects_out(real_data, read_once, name):
    path = real_data / f"{name}.jsonl.gz"
    rows = 0

    def raw() -> Rows:
        nonlocal rows
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            for line in stream:
                rows += 1
                yield json.loads(line)

    expected = COUNTS[name](raw())
    preferences = read_once(path)
    assert preferences.reading is not None
    (account,) = preferences.reading.files
    assert account.rows == rows == account.rows_judged + account.rows_rejected
    assert account.judgments == len(preferences)
    assert account.judgments + len(account.rejects) == expected
    # Of no real set may more than a few rows be lost to a reader's strictness.
    assert len(account.rejects) <= 0.03 * expected


@pytest.mark.parametrize("name", sorted(AUXILIARY))
def test_auxiliary_files_say_that_they_hold_no_judgments(real_data, name):
    with pytest.raises(InputError, match="this file holds no judgments; it is read along with those of") as caught:
        read(real_data / f"{name}.jsonl.gz")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(NO_PREFERENCES))
def test_sets_without_preferences_are_not_taken_for_some(real_data, name):
    with pytest.raises(InputError, match="no known format has the columns") as caught:
        read(real_data / f"{name}.jsonl.gz")
    assert "\n" not in str(caught.value)


def test_a_folder_of_a_data_set_reads_its_preferences_and_names_the_rest(real_data):
    preferences = read(real_data / "prefeval")
    assert preferences.reading is not None
    assert [file.format for file in preferences.reading.files] == ["prefeval-implicit", "prefeval"]
    assert len(preferences.reading.skipped) == 2
    assert len(preferences) == 3 * 2052


SAVED = [
    "autoj_pairwise/testdata_pairwise",
    "big_bench_mistake/big_bench_mistake",
    "hhh_alignment/hhh_alignment_eval",
    "jfleg/pairwise",
    "jfleg/rewrites",
    "llmbar/llmbar",
    "music_similarity_prefs/judgments",
    "paired_comparison_classics/PlackettLuce_beans",
    "paired_comparison_classics/prefmod_immig",
    "paired_comparison_classics/prefmod_music",
    "paired_comparison_classics/psychotools_GermanParties2009",
    "pandalm_testset/judge-labels",
    "prefeval/implicit_preference_choice-based",
    "rm_bench/rm_bench",
    "squality_human_eval/all_responses",
    "unieval_human_scores/topical_chat",
]
"""Sets of formats that Llull does not write."""


@pytest.mark.parametrize("name", SAVED)
def test_saving_and_loading_gives_the_same_table(real_data, read_once, tmp_path, name):
    preferences = read_once(real_data / f"{name}.jsonl.gz")
    again = Preferences.load(preferences.save(tmp_path / "judgments.parquet"))
    assert again.table.equals(preferences.table)
    some = range(0, len(preferences), len(preferences) // 20)
    assert list(again.select(some)) == list(preferences.select(some))
