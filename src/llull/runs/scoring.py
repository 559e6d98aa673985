"""The command ``llull score``: a number for every option, by a preference model, a reward model or a policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

import llull.judgments
from llull.align.inputs import Limits
from llull.align.option_scoring import EncodedOptions, encode_options, score_options
from llull.align.policies import load_policy
from llull.align.reward_model import RewardModel
from llull.align.reward_saving import is_reward_model, load_reward_model
from llull.encoders.cache import cache_folder
from llull.errors import InputError
from llull.evaluate.intervals import Estimate
from llull.evaluate.metrics import METRICS
from llull.evaluate.scoring import cluster_noun, clusters
from llull.judgments import Preferences
from llull.judgments.views import Options, Pairs
from llull.language.model import LanguageModel
from llull.language.reference_cache import ReferenceCache
from llull.language.templates import Template
from llull.models.loading import SavedModel, is_model, load_model
from llull.runs.data import print_reading
from llull.runs.folder import MODEL


def score(
    model: str,
    data: list[str],
    out: str = "scores.jsonl",
    reference: str | None = None,
    per_token: bool = False,
    rating: str | None = None,
    limits: Limits = Limits(),
    system: str | None = None,
    format: str | None = None,
) -> Path:
    """Score every option of some data, and say how often the scores agree with the judgments.

    A preference model gives utilities in log-odds; where people differ, those for somebody it does not know. A reward
    model gives rewards. A language model gives the log-probability of each option, or with a reference its implicit
    reward: the log-ratio of the two. Each line of the output has the ids of a context and of an option, the option's
    source, its score and its number of tokens, where these are counted. Scores by language models and reward models
    are kept as they are computed, so that a run that was stopped goes on where it was when the same command is given
    again.

    Args:
        model: folder of a run of `llull fit` or `llull align`, or folder or hub name of a model.
        data: files, folders, patterns or hub names, as for `llull read`.
        out: file to write, as JSON lines.
        reference: folder or hub name of the language model that the model is compared with.
        per_token: divide log-probabilities and log-ratios by the number of tokens.
        rating: for data that rates instead of ranking: the aspect whose higher value is preferred.
        limits: of tokens, and what is done beyond them; an option that is left out has no score.
        system: a system message for contexts that have none.
        format: format of all the files, instead of finding it from their first rows.
    """
    console = Console()
    if is_model(_folder(model)):
        given = {"--reference": reference, "--per_token": per_token or None, "--system": system}
        if wrong := [name for name, value in given.items() if value is not None]:
            raise InputError(f"{model} is a preference model: {', '.join(wrong)} is for language models")
        return _score_by_utility(load_model(_folder(model)), data, Path(out), rating, format, console)
    scorer, template = _load(model, system)
    rewarded = isinstance(scorer, RewardModel)
    if rewarded and (reference is not None or per_token):
        raise InputError(f"{model} is a reward model: --reference and --per_token are for language models")
    preferences = llull.judgments.read(*data, format=format)
    print_reading(preferences, console)
    pairs = preferences.pairs(rating=rating)
    encoded = encode_options(pairs.options, template, limits)
    if note := encoded.cut.line():
        console.print(note, style="yellow")
    with ReferenceCache(cache_folder()) as cache:
        values = _scored(scorer, encoded, cache, console)
        if reference is not None:
            other, theirs = _load(reference, system)
            if isinstance(other, RewardModel) or theirs.fingerprint != template.fingerprint:
                raise InputError(f"{reference}: a reference is a language model with the tokenizer of {model}")
            values = values - _scored(other, encoded, cache, console)
    if per_token:
        values = values / encoded.tokens
    path = _write(Path(out), pairs.options, values, encoded.tokens)
    kind = "rewards" if rewarded else "log-probabilities" if reference is None else f"log-ratios to {reference}"
    console.print(f"wrote {path}: {kind} of {int(encoded.kept.sum()):,} options")
    _print_agreement(values, pairs, preferences, console)
    return path


def agreement(values: np.ndarray, pairs: Pairs, preferences: Preferences) -> Estimate:
    """The share of decided pairs whose preferred option has the higher score; equal scores count half.

    Args:
        values: float [number of options]; pairs of an option with NaN are left out.
        pairs: the judgments over these options.
        preferences: where the pairs come from.
    """
    gap = values[pairs.winner] - values[pairs.loser]
    known = ~np.isnan(gap)
    prob = (gap > 0) + 0.5 * (gap == 0)
    outcome = np.where(pairs.tie, 0.5, 1.0)
    cluster = clusters(preferences)[pairs.judgment]
    return METRICS["accuracy"].estimate(prob[known], outcome[known], pairs.weight[known], cluster[known])


def _score_by_utility(
    model: SavedModel, data: list[str], out: Path, rating: str | None, format: str | None, console: Console
) -> Path:
    preferences = llull.judgments.read(*data, format=format)
    print_reading(preferences, console)
    pairs = preferences.pairs(rating=rating)
    values = model.utility(pairs.options)
    path = _write(out, pairs.options, values, None)
    console.print(f"wrote {path}: utilities of {len(values):,} options")
    _print_agreement(values, pairs, preferences, console)
    return path


def _print_agreement(values: np.ndarray, pairs: Pairs, preferences: Preferences, console: Console) -> None:
    if len(pairs) == 0:
        return
    found = agreement(values, pairs, preferences)
    console.print(
        f"the higher score is the preferred option's in {found.value:.3f} ({found.low:.3f} to {found.high:.3f}) of "
        f"{found.n:,} decided pairs; 95% interval, clustered by {cluster_noun(preferences)}"
    )


def _folder(name: str) -> str:
    inner = Path(name) / MODEL
    return str(inner) if inner.is_dir() else name


def _load(name: str, system: str | None) -> tuple[LanguageModel, Template]:
    found = _folder(name)
    shape: dict[str, Any] = {}
    if is_reward_model(found):
        reward = load_reward_model(found)
        scorer, tokenizer, shape = reward.model, reward.tokenizer, dict(reward.template)
    else:
        policy = load_policy(found)
        scorer, tokenizer = policy.model, policy.tokenizer
    if system is not None:
        shape["system"] = system
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return scorer.to(device), Template(tokenizer, **shape)


def _scored(model: LanguageModel, encoded: EncodedOptions, cache: ReferenceCache, console: Console) -> np.ndarray:
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("scoring options", total=int(encoded.kept.sum()))
        return score_options(
            model, encoded, cache, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )


def _write(path: Path, options: Options, values: np.ndarray, tokens: np.ndarray | None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    contexts = options.table["context_id"].take(options.row).to_pylist()
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("w", encoding="utf-8") as stream:
        counts = [None] * len(values) if tokens is None else tokens.tolist()
        rows = zip(contexts, options.ids, options.sources, values.tolist(), counts, strict=True)
        for context, option, source, value, count in rows:
            known = None if np.isnan(value) else round(value, 6)
            line = {"context": context, "option": option, "source": source, "score": known, "tokens": count}
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
    unfinished.replace(path)
    return path
