"""What a run measured, kept so that its report can be written again without fitting anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import yaml
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

import llull.judgments
from llull.errors import InputError
from llull.evaluate import Comparison, Evaluation, LearningCurve, Predictions
from llull.evaluate.scoring import cluster_noun, clusters, measure, pair_labels
from llull.judgments import Preferences
from llull.judgments.blocks import context_blocks
from llull.judgments.describing import Description
from llull.judgments.diagnosing import Problem
from llull.judgments.record import content_hash
from llull.models import Coefficient
from llull.report import Report, Reproduction
from llull.report.people_content import PeopleFound
from llull.runs.folder import BLOCKS, ENVIRONMENT, METRICS, PREDICTIONS, RunFolder, fingerprint

EXPLAINED_BY = "a linear model on text statistics alone"


def save_measured(
    folder: RunFolder, preferences: Preferences, evaluations: Sequence[Evaluation], at: np.ndarray | None = None
) -> None:
    """Keep out-of-fold predictions and the contexts that the model has seen.

    Args:
        folder: of the run.
        preferences: what the model was fitted to.
        evaluations: with their predictions.
        at: which pairs of the run's data were measured, where not all were.
    """
    arrays: dict[str, np.ndarray] = {}
    for number, evaluation in enumerate(evaluations):
        if at is not None:
            arrays[f"{number}/at"] = np.asarray(at, np.int64)
        arrays[f"{number}/prob"] = evaluation.predictions.prob
        arrays[f"{number}/fold"] = evaluation.predictions.fold
        for rule, choice in evaluation.predictions.rules.items():
            arrays[f"{number}/rule/{rule}"] = np.asarray(choice, np.float64)
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder.path / PREDICTIONS)
    (folder.path / BLOCKS).write_text("\n".join(sorted(set(block_hashes(preferences)))) + "\n", encoding="utf-8")


def block_hashes(preferences: Preferences) -> list[str]:
    """For each judgment, a hash of what a split would hold out with it (see `llull.judgments.blocks`)."""
    blocks = context_blocks(preferences.table)
    hashes = [content_hash(name) for name in blocks.names]
    return [hashes[code] for code in blocks.codes]


def metrics(
    comparison: Comparison,
    curve: LearningCurve | None,
    coefficients: Sequence[Coefficient],
    explained_by: str,
    description: Description,
    problems: Sequence[Problem],
    people: PeopleFound | None = None,
) -> dict[str, Any]:
    """Everything measured, as JSON values."""
    return {
        "models": [evaluation.to_dict() for evaluation in comparison.evaluations],
        "differences": [difference.to_dict() for difference in comparison.differences],
        "learning_curve": curve.to_dict() if curve else None,
        "coefficients": [asdict(coefficient) for coefficient in coefficients],
        "explained_by": explained_by,
        "description": description.to_dict(),
        "problems": [problem.to_dict() for problem in problems],
        "people": people.to_dict() if people else None,
    }


def load_report(folder: RunFolder) -> Report:
    """The report of a finished run, from its folder and the data it was fitted to.

    Raises:
        InputError: the folder is not that of a finished run, or the data have changed since.
    """
    config: dict[str, Any] = yaml.safe_load(folder.config)
    record, found = folder.read_json(ENVIRONMENT), folder.read_json(METRICS)
    preferences = llull.judgments.read(*config["data"], format=config.get("format"))
    if fingerprint(preferences) != record["data_fingerprint"]:
        raise InputError(f"{folder.path}: the data of this run have changed since; run llull fit again")
    rating, seed = config.get("rating"), config.get("seed", 0)
    judged = preferences.paired_by(rating, seed=seed) if rating else preferences
    try:
        arrays = load_file(folder.path / PREDICTIONS)
    except (OSError, SafetensorError) as fault:
        raise InputError(f"{folder.path / PREDICTIONS}: it cannot be read ({fault}); run llull fit again") from None
    return Report(
        title=title(folder),
        evaluations=[
            _evaluation(judged, measured, {k.partition("/")[2]: v for k, v in arrays.items() if k.startswith(f"{i}/")})
            for i, measured in enumerate(found["models"])
        ],
        description=preferences.describe(),
        reading=preferences.reading,
        coefficients=[Coefficient(**row) for row in found["coefficients"]],
        explained_by=found["explained_by"],
        learning=LearningCurve.from_dict(found["learning_curve"]) if found["learning_curve"] else None,
        problems=preferences.problems(),
        reproduction=reproduction(folder),
        people=PeopleFound.from_dict(found["people"]) if found.get("people") else None,
    )


def title(folder: RunFolder) -> str:
    """What a run's report is called."""
    return f"Preference model: {folder.path.name}"


def reproduction(folder: RunFolder) -> Reproduction:
    """How to do the run in this folder again."""
    record = folder.read_json(ENVIRONMENT)
    return Reproduction(
        command=record["command"],
        seed=record["seed"],
        fingerprint=record["data_fingerprint"],
        config=folder.config,
        versions={"python": record["python"], "platform": record["platform"], **record["packages"]},
        finished=record["started"],
    )


def _evaluation(judged: Preferences, measured: dict[str, Any], arrays: dict[str, np.ndarray]) -> Evaluation:
    by = list(dict.fromkeys(part["by"] for part in measured["slices"] if part["by"]))
    pairs = judged.pairs()
    if "at" in arrays:
        pairs = pairs.select(arrays["at"])
    predictions = Predictions(
        pairs,
        arrays["prob"],
        arrays["fold"],
        clusters(judged)[pairs.judgment],
        pair_labels(judged, pairs, by),
        {rule: arrays[f"rule/{rule}"] for rule in measured["baselines"]},
        cluster_noun(judged),
    )
    return measure(predictions, model=measured["model"], protocol=measured["protocol"], level=measured["level"])
