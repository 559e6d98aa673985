"""What can be done with a run that is finished: predict, evaluate on other data, write the report again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console

import llull.judgments
from llull.errors import InputError
from llull.evaluate import evaluate as measure
from llull.judgments import Preferences
from llull.judgments.views import Pairs
from llull.models import load_model
from llull.models.calibrating import fit_isotonic, fit_temperature
from llull.models.loading import SavedModel
from llull.report import write_report
from llull.runs.content import block_hashes, load_report
from llull.runs.data import print_reading
from llull.runs.folder import BLOCKS, MODEL, REPORT, RunFolder


def predict(
    model: str,
    data: list[str],
    out: str = "predictions.jsonl",
    rating: str | None = None,
    format: str | None = None,
    calibrate_on: str | None = None,
    calibrate: Literal["temperature", "isotonic"] = "temperature",
) -> Path:
    """Say which option of each pair a fitted model prefers, and how surely.

    Each line of the output has the judgment's id, the ids of two options, the probability that the first is preferred
    to the second (ties count half), and the standard error of the log-odds.

    Args:
        model: folder of a run of `llull fit`, or of a saved model.
        data: files, folders, patterns or hub names, as for `llull read`.
        out: file to write, as JSON lines.
        rating: for data that rates instead of ranking: the aspect to make pairs by.
        format: format of all the files, instead of finding it from their first rows.
        calibrate_on: file or folder of judgments that the model was not fitted on, to correct probabilities by.
        calibrate: by one factor for all log-odds, or by a rising curve, which wants about a thousand pairs.
    """
    console = Console()
    fitted = _load(model)
    preferences = _judged(data, rating, format, console)
    pairs = fitted.pairs(preferences)
    prob, error = fitted.prob(pairs), fitted.uncertainty(pairs)
    if calibrate_on:
        known = fitted.pairs(_judged([calibrate_on], rating, format, console))
        prob = _calibrated(prob, fitted.prob(known), known, calibrate, console)
    ids = pairs.options.ids
    judgments = preferences.table["id"].to_pylist()
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("w", encoding="utf-8") as stream:
        for pair in range(len(pairs)):
            line = {
                "judgment": judgments[pairs.judgment[pair]],
                "first": ids[pairs.winner[pair]],
                "second": ids[pairs.loser[pair]],
                "prob_first": round(float(prob[pair]), 6),
                "log_odds_error": round(float(error[pair]), 6),
            }
            stream.write(json.dumps(line) + "\n")
    unfinished.replace(path)
    sure = np.mean(np.abs(prob - 0.5) >= 0.25) if len(pairs) else 0.0
    console.print(f"wrote {path}: {len(pairs):,} pairs, {sure:.0%} of them at odds of 3 to 1 or more")
    return path


def evaluate(
    model: str,
    data: list[str],
    by: list[str] | None = None,
    out: str | None = None,
    rating: str | None = None,
    format: str | None = None,
) -> dict[str, Any]:
    """Measure a fitted model on data that it was not fitted on, beside trivial baselines.

    Args:
        model: folder of a run of `llull fit`, or of a saved model.
        data: files, folders, patterns or hub names, as for `llull read`.
        by: groups, columns or tags to measure by.
        out: file to write the metrics to, as JSON.
        rating: for data that rates instead of ranking: the aspect whose higher value is preferred.
        format: format of all the files, instead of finding it from their first rows.
    """
    console = Console()
    fitted = _load(model)
    preferences = _judged(data, rating, format, console)
    if seen := _seen(model, preferences):
        console.print(
            f"{seen:,} of {len(preferences):,} judgments have a context or options that the model was fitted on: "
            "these numbers flatter it (llull fit measures on what it holds out)",
            style="yellow",
        )
    evaluation = measure(fitted, preferences, by=by or [], name=f"the model of {model}")
    console.print(evaluation.table())
    metrics = evaluation.to_dict()
    if out is not None:
        Path(out).write_text(json.dumps(metrics, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        console.print(f"wrote {out}")
    return metrics


def report(run: str, out: str | None = None) -> Path:
    """Write the report of a run again, from what its folder holds.

    Args:
        run: folder of a run of `llull fit`.
        out: file to write; by default report.html in the folder.
    """
    folder = RunFolder(run, make=False)
    path = write_report(out or folder.path / REPORT, load_report(folder))
    Console().print(f"wrote {path}")
    return path


def _calibrated(
    prob: np.ndarray, said: np.ndarray, known: Pairs, how: Literal["temperature", "isotonic"], console: Console
) -> np.ndarray:
    """Probabilities [n] corrected by what was said of pairs whose answers are known."""
    answer = np.where(known.tie, 0.5, 1.0)
    if how == "isotonic":
        console.print(f"probabilities follow a rising curve fitted to {len(known):,} pairs")
        return fit_isotonic(said, answer, known.weight).apply(prob)
    found = fit_temperature(said, answer, known.weight)
    console.print(f"log-odds are taken times {found.factor:.3g}, fitted to {len(known):,} pairs")
    return found.apply(prob)


def _load(model: str) -> SavedModel:
    folder = Path(model)
    folder = folder / MODEL if (folder / MODEL).is_dir() else folder
    if (folder / "reward.json").exists():
        raise InputError(f"{model} is a reward model: llull score gives its rewards, and how often they are right")
    return load_model(folder)


def _judged(data: list[str], rating: str | None, format: str | None, console: Console) -> Preferences:
    preferences = llull.judgments.read(*data, format=format)
    print_reading(preferences, console)
    if rating:
        return preferences.paired_by(rating)
    if len(preferences.pairs()) == 0:
        raise InputError(
            f"{', '.join(data)}: these judgments put no two options in order; to pair by ratings use --rating"
        )
    return preferences


def _seen(model: str, preferences: Preferences) -> int:
    """How many judgments a split would have kept together with one of the fit; 0 where that is not recorded."""
    record = Path(model) / BLOCKS
    if not record.exists():
        return 0
    known = set(record.read_text(encoding="utf-8").split())
    return sum(block in known for block in block_hashes(preferences))
