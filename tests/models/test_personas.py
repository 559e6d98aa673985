"""Fair-PP's weights (sheet 210): nearer to one persona where people differ, farther from the others, at a price."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tastes import TableWithContexts

from llull.judgments import Judgment, Preferences, named_option
from llull.models import PerGroup, Personas, PreferenceModel, load_model
from llull.models.populations.personas import tier_weights, tiers

PERSONAS, QUESTIONS, TOLD, WIDTH = 7, 4000, 300, 16


class Survey:
    """Seven personas answer binary questions; on 60 per cent of these they agree."""

    def __init__(self, seed: int, consensus: float = 0.6) -> None:
        rng = np.random.default_rng(seed)
        common = rng.normal(size=WIDTH)
        common /= np.linalg.norm(common)
        own = rng.normal(size=(PERSONAS, WIDTH))
        own -= np.outer(own @ common, common)
        own /= np.linalg.norm(own, axis=1, keepdims=True)
        self.gap = rng.normal(size=(QUESTIONS, WIDTH))
        agreed = rng.random(QUESTIONS) < consensus
        self.yes = np.where(agreed, self.gap @ common > 0, (0.4 * common + own) @ self.gap.T > 0)
        self.tier = 1 + (self.yes != self.yes[-1]).sum(axis=0)
        self.held = np.arange(QUESTIONS) >= TOLD

    @property
    def encoder(self) -> TableWithContexts:
        rows = np.stack([self.gap / 2, -self.gap / 2], axis=1).reshape(-1, WIDTH)
        return TableWithContexts(rows.tolist(), [[0.0]])

    def preferences(self, which: np.ndarray, personas: range) -> Preferences:
        return Preferences.from_judgments(
            Judgment(
                [named_option(f"o{2 * i}"), named_option(f"o{2 * i + 1}")],
                ranking=[[0], [1]] if self.yes[k, i] else [[1], [0]],
                annotator=f"persona {k}",
            )
            for k in personas
            for i in which
        )

    def agreement(self, population: Personas) -> tuple[float, float, float]:
        """Of a model of the last persona: with the others, with it where most differ, and with it overall."""
        fit = self.preferences(np.flatnonzero(~self.held), range(PERSONAS))
        model = PreferenceModel(self.encoder, population=population).fit(fit)
        weights = model.parts_.members[f"persona {PERSONAS - 1}"].weights
        said = (self.gap / model.scaling_.scale @ weights > 0)[self.held]
        same = said == self.yes[:, self.held]
        return same[:-1].mean(), same[-1][self.tier[self.held] >= 4].mean(), same[-1].mean()


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_weights_take_a_model_from_the_others(seed: int) -> None:
    survey = Survey(seed)
    plain, half, full = (survey.agreement(Personas(alpha=a, beta=b)) for a, b in ((0, 0), (1, 0), (1, 1)))
    assert full[0] < plain[0] - 0.08
    assert full[1] > plain[1] - 0.01
    assert plain[0] + 0.01 > half[0] > full[0] - 0.01
    # The price: what all agree on counts for a twenty-eighth.
    assert full[2] < plain[2]


@pytest.mark.parametrize("seed", [0, 1])
def test_where_all_agree_nothing_is_weighed(seed: int) -> None:
    survey = Survey(seed, consensus=1.0)
    fit = survey.preferences(np.flatnonzero(~survey.held), range(PERSONAS))
    weighed, plain = (
        PreferenceModel(survey.encoder, population=p).fit(fit) for p in (Personas(), Personas(None, 0, 0))
    )
    np.testing.assert_allclose(weighed.prob(fit), plain.prob(fit), atol=1e-6)


def test_tiers_count_those_who_answer_otherwise() -> None:
    survey = Survey(0)
    fit = survey.preferences(np.arange(30), range(PERSONAS))
    model = PreferenceModel(survey.encoder, population=Personas(), l2=1.0).fit(fit)
    votes = model.votes(model.pairs(fit))
    found = tiers(votes)
    name = np.array([int(one.split()[-1]) for one in votes.members])[votes.member]
    question = np.tile(np.arange(30), PERSONAS)
    expected = [1 + int((survey.yes[:, q] != survey.yes[k, q]).sum()) for k, q in zip(name, question, strict=True)]
    assert list(found) == expected
    weight = votes.weight * tier_weights(votes, found, 1.0, 1.0)
    for code in range(PERSONAS):
        mine = votes.member == code
        assert weight[mine].sum() == pytest.approx(votes.weight[mine].sum())
        total = [weight[mine & (found == tier)].sum() / tier for tier in np.unique(found[mine])]
        np.testing.assert_allclose(total, total[0])
    unknown = replace(votes, member=np.full(len(votes), -1))
    assert (tiers(unknown) == 1).all()


def test_personas_may_be_groups_and_are_saved(tmp_path) -> None:
    survey = Survey(1)
    fit = survey.preferences(np.arange(60), range(3))
    model = PreferenceModel(survey.encoder, population=Personas("annotator", alpha=0, beta=0), l2=1.0).fit(fit)
    np.testing.assert_allclose(load_model(model.save(tmp_path)).prob(fit), model.prob(fit), atol=1e-12)
    alone = PreferenceModel(survey.encoder, population=PerGroup("annotator"), l2=1.0).fit(fit)
    np.testing.assert_allclose(model.prob(fit), alone.prob(fit), atol=1e-9)
