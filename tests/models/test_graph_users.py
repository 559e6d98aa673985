"""CoPL's graph of people and options: people are known by the options they share, and only by these."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tastes import TableWithContexts

from llull.errors import InputError
from llull.judgments import Judgment, Preferences, named_option
from llull.models import Collaborative, PerAnnotator, PreferenceModel, Shared, load_model
from llull.models.fitting.vote_graph import GraphLearning, embed
from llull.models.votes import identities

TASTES = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])


@dataclass
class Overlap:
    """People of four opposite tastes in two of eight latent attributes of options, embedded in 384 numbers (sheet 225).

    With ``options`` 0, each vote is on two of its own. ``alike`` gives everyone the same taste.
    """

    people: int
    votes: int
    seed: int
    options: int = 400
    alike: bool = False
    width: int = 384

    def __post_init__(self) -> None:
        rng, n = np.random.default_rng(self.seed), self.people * self.votes
        self.kind = np.zeros(self.people, int) if self.alike else rng.integers(4, size=self.people)
        size = self.options or 2 * n
        latent = rng.normal(size=(size, 8))
        self.rows = latent @ rng.normal(size=(8, self.width)) / 8**0.5 + 0.3 * rng.normal(size=(size, self.width))
        self.annotator = np.repeat(np.arange(self.people), self.votes)
        self.place = np.tile(np.arange(self.votes), self.people)
        self.first, self.second = np.arange(0, 2 * n, 2) % size, np.arange(1, 2 * n, 2) % size
        if self.options:
            self.first = rng.integers(size, size=n)
            self.second = (self.first + rng.integers(1, size, size=n)) % size
        gap = latent[self.first, :2] - latent[self.second, :2]
        margin = 3 / 2**0.5 * (gap * TASTES[self.kind[self.annotator]]).sum(axis=1)
        self.first_wins = rng.random(n) < 1 / (1 + np.exp(-margin))

    @property
    def encoder(self) -> TableWithContexts:
        return TableWithContexts(self.rows.tolist(), [[0.0]])

    def preferences(self, which: np.ndarray) -> Preferences:
        made = []
        for i in np.flatnonzero(which):
            options = [named_option(f"o{self.first[i]}"), named_option(f"o{self.second[i]}")]
            ranking = [[0], [1]] if self.first_wins[i] else [[1], [0]]
            made.append(Judgment(options, ranking=ranking, annotator=f"a{self.annotator[i]}"))
        return Preferences.from_judgments(made)

    def parts(self, seen: int, told: int) -> dict[str, Preferences]:
        """Of people seen and of new ones, what is learned or told and what is asked."""
        old, early = self.annotator < seen, self.place < told
        return {
            "fit": self.preferences(old & early),
            "held": self.preferences(old & ~early),
            "told": self.preferences(~old & early),
            "asked": self.preferences(~old & ~early),
        }


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_eight_votes_on_shared_options_tell_who_is_like_whom(seed: int) -> None:
    """600 people, 400 options, 8 pairs each: 12 points above one taste for all, 5 above each person alone."""
    crowd = Overlap(700, 16, seed)
    parts = crowd.parts(600, 8)
    score = {}
    compared = {"shared": Shared(), "graph": Collaborative()}
    if seed == 0:  # It takes ten times as long as the others.
        compared["alone"] = PerAnnotator()
    for name, population in compared.items():
        model = PreferenceModel(crowd.encoder, population=population).fit(parts["fit"])
        score[name] = model.score(parts["held"])
        if name == "graph":
            score["new"] = model.adapt(parts["told"]).score(parts["asked"])
    assert score["graph"] > score["shared"] + 0.12
    assert score["graph"] > score.get("alone", 0.0) + 0.04
    assert score["new"] > score["graph"] - 0.04


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_where_no_option_is_shared_nothing_is_found(seed: int) -> None:
    crowd = Overlap(300, 16, seed, options=0, width=64)
    parts = crowd.parts(300, 8)
    found, shared = (
        PreferenceModel(crowd.encoder, population=p).fit(parts["fit"]).score(parts["held"])
        for p in (Collaborative(), Shared())
    )
    assert abs(found - shared) < 0.04


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_where_all_are_alike_nothing_is_gained(seed: int) -> None:
    crowd = Overlap(200, 16, seed, alike=True, width=64)
    parts = crowd.parts(200, 8)
    found, shared = (
        PreferenceModel(crowd.encoder, population=p).fit(parts["fit"]).score(parts["held"])
        for p in (Collaborative(), Shared())
    )
    assert shared - 0.03 < found < shared + 0.02


def test_random_votes_leave_nothing_to_begin_from() -> None:
    crowd = Overlap(60, 8, 0, options=40, width=8)
    crowd.first_wins = np.random.default_rng(0).random(len(crowd.first)) < 0.5
    model = PreferenceModel(crowd.encoder, population=Collaborative())
    model.fit(crowd.preferences(crowd.place >= 0))
    pairs = model.pairs(crowd.preferences(crowd.place >= 0))
    found = embed(model.votes(pairs), 0, GraphLearning(steps=0, layers=0))
    assert (np.linalg.svd(found.people, compute_uv=False) > 1e-9).sum() <= 2


def test_new_people_are_placed_by_which_options_they_chose(tmp_path: Path) -> None:
    crowd = Overlap(60, 24, 0, options=40, width=16)
    parts = crowd.parts(50, 16)
    model = PreferenceModel(crowd.encoder, population=Collaborative()).fit(parts["fit"])
    again = load_model(model.save(tmp_path))
    told, asked = parts["told"], parts["asked"]
    np.testing.assert_allclose(again.adapt(told).prob(asked), model.adapt(told).prob(asked), atol=1e-12)
    # The same options in another order and among fewer are the same.
    turned = model.adapt(told.select(range(len(told))[::-1]))
    np.testing.assert_allclose(turned.prob(asked), model.adapt(told).prob(asked), atol=1e-9)
    assert model.adapt(told).score(asked) > model.score(asked)
    with pytest.raises(InputError, match="no strength"):
        model.adapt(told, strength=1.0)


def test_someone_who_shares_no_option_is_taken_for_the_mean() -> None:
    crowd = Overlap(40, 12, 0, options=40, width=8)
    without = (crowd.first != 39) & (crowd.second != 39) & (crowd.first != 38) & (crowd.second != 38)
    model = PreferenceModel(crowd.encoder, population=Collaborative()).fit(crowd.preferences(without))
    stranger = Judgment([named_option("o38"), named_option("o39")], ranking=[[0], [1]], annotator="new")
    adapted = model.adapt(Preferences.from_judgments([stranger]))
    asked = crowd.preferences(crowd.place < 2)
    of_stranger = adapted.prob(asked, annotator="new")
    np.testing.assert_allclose(of_stranger, model.prob(asked, annotator="someone"), atol=1e-12)


def test_identities_are_of_contents_and_not_of_places() -> None:
    crowd = Overlap(6, 6, 0, options=10, width=4)
    whole = crowd.preferences(crowd.place >= 0).pairs().options
    half = crowd.preferences(crowd.place >= 3).pairs().options
    by_name = dict(zip(whole.sources, identities(whole), strict=True))
    assert len(set(by_name.values())) == len(whole)
    assert [by_name[name] for name in half.sources] == list(identities(half))
