"""Outer and inner experts over scores of capabilities, against one network (DMoERM's claim)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tastes import TableWithContexts

from llull.errors import InputError
from llull.judgments import Judgment, Preferences, named_option, prompt
from llull.models import MLP, Experts, Learning, PreferenceModel, load_model
from llull.models.rewards import capability_scores

CAPABILITIES = ("correct", "deep", "kind", "short")
TASKS = 3
QUICK = Learning(learning_rate=1e-2, epochs=40, restarts=2)


class Tasks:
    """Pairs under three kinds of tasks, which want opposed things of four capabilities.

    Capabilities are directions of the features. Options also say which task they are for, so that one network can know
    it. Of people's judgments 70 in 100 agree with the task's utility, of those under a capability 85.

    Args:
        seed: of everything.
        each: judgments of people of each task; as many again are told by capability, and a third are held out.
        width: numbers of features.
    """

    def __init__(self, seed: int, each: int, width: int) -> None:
        rng = np.random.default_rng(seed)
        n = TASKS * each * 2 + TASKS * each // 3
        directions = np.linalg.qr(rng.normal(size=(width, len(CAPABILITIES))))[0]
        rows = rng.normal(size=(2 * n, width))
        task = rng.integers(TASKS, size=n)
        skills = rows @ directions
        wants = np.array([[1.5, 1.0, -1.0, 0.0], [-1.0, 0.0, 1.5, -1.0], [0.0, -1.0, 1.0, 1.5]])[np.repeat(task, 2)]
        # Capabilities work together: being good in the first counts twice where the third is there too.
        self.gold = (skills * wants).sum(1) + np.maximum(skills[:, 0] + skills[:, 2], 0) * wants[:, 0]
        told = np.eye(TASKS)[task]
        self.encoder = TableWithContexts(np.hstack([rows, np.repeat(told, 2, axis=0)]), told)
        people, labeled = np.arange(TASKS * each), np.arange(TASKS * each, 2 * TASKS * each)
        self.held_at = np.arange(2 * TASKS * each, n)
        gap = self.gold[::2] - self.gold[1::2]
        right = rng.random(n) < 0.7
        self.people = self._judged(people, (gap > 0) == right, None)
        self.held = self._judged(self.held_at, gap > 0, None)
        made = []
        for number, name in enumerate(CAPABILITIES):
            better = (skills[::2, number] > skills[1::2, number]) == (rng.random(n) < 0.85)
            made += self._judged(labeled, better, name)
        self.by_capability = Preferences.from_judgments(made)

    @staticmethod
    def _judged(which: np.ndarray, first: np.ndarray, criterion: str | None) -> list[Judgment]:
        return [
            Judgment(
                [named_option(f"o{2 * i}"), named_option(f"o{2 * i + 1}")],
                prompt(f"context {i}"),
                ranking=[[0], [1]] if first[i] else [[1], [0]],
                criterion=criterion,
            )
            for i in which
        ]

    def scores(self) -> dict[str, float]:
        """Accuracy on true labels of two layers, of the outer one without labels by capability, and of one network."""
        people, held = Preferences.from_judgments(self.people), Preferences.from_judgments(self.held)
        scored = capability_scores(self.by_capability, self.encoder)
        two = PreferenceModel(scored, Experts(TASKS, QUICK, inner=4))
        without = PreferenceModel(self.encoder, Experts(TASKS, QUICK, inner=4))
        one = PreferenceModel(self.encoder, MLP((64,), QUICK))
        made = {"two layers": two, "without capabilities": without, "one network": one}
        return {name: model.fit(people).score(held) for name, model in made.items()}


@pytest.mark.slow
def test_two_layers_beat_one_network() -> None:
    pytest.importorskip("torch")
    found = [Tasks(seed, 300, 24).scores() for seed in (0, 1)]
    for one in found:
        assert one["two layers"] >= one["one network"] + 0.04
    mean = {name: np.mean([one[name] for one in found]) for name in found[0]}
    assert mean["two layers"] > mean["without capabilities"]


def test_inner_units_hold_what_lines_cannot(tmp_path: Path) -> None:
    """Of two tasks one wants what is far from 0, the other what is near; weights of lines say nothing of it."""
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    rows, task = rng.normal(size=(1600, 2)), rng.integers(2, size=800)
    far = np.abs(rows[:, 0]) * np.repeat(2.0 * task - 1, 2) * 4
    encoder = TableWithContexts(rows, np.eye(2)[task])
    first = rng.random(800) < 1 / (1 + np.exp(far[1::2] - far[::2]))
    made = Preferences.from_judgments(Tasks._judged(np.arange(800), first, None))
    fit, held = made.select(np.arange(600)), made.select(np.arange(600, 800))
    plain = PreferenceModel(encoder, Experts(2, QUICK)).fit(fit)
    inner = PreferenceModel(encoder, Experts(2, QUICK, inner=6)).fit(fit)
    assert plain.score(held) < 0.6
    assert inner.score(held) > plain.score(held) + 0.15
    again = load_model(inner.save(tmp_path))
    np.testing.assert_allclose(again.prob(held), inner.prob(held), atol=1e-9)
    pairs = inner.pairs(held)
    utility = inner.utility(pairs.options)
    np.testing.assert_allclose(utility[pairs.winner] - utility[pairs.loser], inner.margin(pairs), atol=1e-9)


def test_capabilities_need_criteria() -> None:
    tasks = Tasks(0, 20, 6)
    with pytest.raises(InputError, match="criterion"):
        capability_scores(Preferences.from_judgments(tasks.people), tasks.encoder)
    assert capability_scores(tasks.by_capability, tasks.encoder, l2=1.0).names == CAPABILITIES
    with pytest.raises(InputError, match="inner=-1"):
        Experts(2, inner=-1)


@pytest.mark.slow
def test_two_layers_beat_one_network_at_the_size_of_the_claim() -> None:
    """384 features and 1,500 judgments for each task."""
    pytest.importorskip("torch")
    tasks = Tasks(0, 1500, 384)
    people, held = Preferences.from_judgments(tasks.people), Preferences.from_judgments(tasks.held)
    scored = capability_scores(tasks.by_capability, tasks.encoder)
    two = PreferenceModel(scored, Experts(TASKS, QUICK, inner=4)).fit(people)
    one = PreferenceModel(tasks.encoder, MLP((64,), QUICK)).fit(people)
    assert two.score(held) >= one.score(held) + 0.04
