"""The loss of head x link x population above states that learn: against slow twins and finite differences."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from llull.align.reward_people import Above, PeopleReward, PeopleStructure
from llull.models.fitting.part import PROJECTION, Part, Parts
from llull.models.heads import Head, Linear, SkewEmbedding
from llull.models.links import (
    DavidsonTies,
    Link,
    Logistic,
    NoisyLogistic,
    Probit,
    RaoKupperTies,
    ShiftedLogistic,
)
from llull.models.populations import Hierarchical, LowRank, Mixture, PerAnnotator, Population, Prototypes, Shared
from llull.models.votes import Scaling, Votes
from llull.objectives import Batch, PairUnits, Scores

PEOPLE, EACH, WIDTH, TASTES = 4, 5, 3, 2


def made_votes(seed: int = 0, members: tuple[str, ...] = ("a", "b", "c", "d"), ties: float = 0.3) -> Votes:
    random = np.random.default_rng(seed)
    n = PEOPLE * EACH
    member = np.repeat(np.arange(PEOPLE), EACH)
    member[-2:] = -1
    return Votes(
        rows=random.normal(size=(2 * n, WIDTH)),
        winner=np.arange(0, 2 * n, 2),
        loser=np.arange(1, 2 * n, 2),
        tie=random.random(n) < ties,
        weight=random.uniform(0.5, 2, n),
        context=np.arange(n),
        annotator=member,
        judgment=np.arange(n),
        member=member,
        members=members,
        about=random.normal(size=(n, 2)),
        place=np.arange(n),
        lead=random.uniform(0, 1, n),
    )


def part(weights: np.ndarray, theta: np.ndarray, hidden: dict[str, np.ndarray] | None = None) -> Part:
    size = len(weights)
    return Part(hidden or {}, weights, theta, np.eye(size), np.ones(size), 1.0, True, 1, 1.0)


def tastes(seed: int, link: Link, routed: bool) -> Parts:
    random = np.random.default_rng(seed)
    members = {f"taste {k}": part(random.normal(size=WIDTH), link.start()) for k in range(TASTES)}
    arrays = {"prior": np.array([0.7, 0.3])}
    return Parts(None, members, {**arrays, "router": random.normal(size=(3, TASTES))} if routed else arrays)


def exact(population: Population, parts: Parts, votes: Votes, link: Link, head: Head | None = None) -> PeopleStructure:
    above = Above(head or Linear(), link, population, faster=5.0, l2=0.7)
    scaling = Scaling(np.full(WIDTH, 0.3), np.full(WIDTH, 1.5))
    return PeopleReward(above, parts, scaling, votes).double().people


def states_of(votes: Votes, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    first, second = (torch.randn(len(votes), WIDTH, generator=random, dtype=torch.float64) for _ in range(2))
    return first.requires_grad_(), second.requires_grad_()


def marginal(people: PeopleStructure, chosen: Any, rejected: Any, parts: Parts) -> float:
    """Minus the log-likelihood of all annotators' votes, annotator by annotator and taste by taste, and the prior."""
    votes, link = people.votes, people.above.link
    difference = (chosen - rejected).detach().numpy() / 1.5
    weights = people.value("tastes").detach().numpy()
    theta = people.value("theta").detach().numpy()
    total = 0.35 * float((weights**2).sum())
    lead = np.zeros(len(votes)) if votes.lead is None else votes.lead
    units: dict[Any, list[int]] = {}
    for i in range(len(votes)):
        named = votes.member[i] >= 0 and "router" not in parts.arrays
        units.setdefault(("member", int(votes.member[i])) if named else ("vote", i), []).append(i)
    for which in units.values():
        likelihood = 0.0
        log_prior = np.log(parts.arrays["prior"])
        if "router" in parts.arrays:
            assert votes.about is not None
            scores = np.append(votes.about[which[0]], 1.0) @ people.value("router").detach().numpy()
            log_prior = scores - np.log(np.exp(scores).sum())
        for k in range(TASTES):
            said = 1.0
            for i in which:
                margin = np.array([difference[i] @ weights[k] - lead[i]])
                said *= np.exp(-votes.weight[i] * link.loss(margin, votes.tie[[i]], theta)[0][0])
            likelihood += np.exp(log_prior[k]) * said
        total -= float(np.log(likelihood))
    return total


def whole_loss(people: PeopleStructure, chosen: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
    weight = torch.from_numpy(people.votes.weight)
    return (weight * people.losses(chosen, rejected, np.arange(len(people.votes))).losses).sum()


@pytest.mark.parametrize("link", [Logistic(), DavidsonTies()])
@pytest.mark.parametrize("routed", [False, True])
def test_the_gradient_is_that_of_the_marginal_likelihood_of_annotators(link: Link, routed: bool) -> None:
    votes = made_votes()
    parts = tastes(2, link, routed)
    people = exact(Mixture(TASTES, routed=routed), parts, votes, link)
    chosen, rejected = states_of(votes)
    loss = whole_loss(people, chosen, rejected)
    loss.backward()
    if routed:
        assert loss.item() == pytest.approx(marginal(people, chosen, rejected, parts), rel=1e-9)
    step = 1e-6
    places: list[torch.Tensor] = [chosen, rejected, people.learned["tastes"]]
    places += [people.learned[name] for name in ("theta", "router") if name in people.learned]
    for place in places:
        assert place.grad is not None
        for at in [0, place.numel() // 2, place.numel() - 1]:
            either = []
            for sign in (1, -1):
                with torch.no_grad():
                    place.view(-1)[at] += sign * step
                    either.append(marginal(people, chosen, rejected, parts))
                    place.view(-1)[at] -= sign * step
            found = (either[0] - either[1]) / (2 * step)
            assert float(place.grad.view(-1)[at]) == pytest.approx(found, rel=2e-4, abs=1e-6)


def batch_of(people: PeopleStructure, chosen: torch.Tensor, rejected: torch.Tensor, which: np.ndarray) -> Batch:
    n = len(which)
    hidden = torch.cat([chosen[which], rejected[which]])
    units = PairUnits.of(torch.arange(n), torch.arange(n) + n, index=torch.from_numpy(which))
    units = PairUnits(**{**vars(units), "weight": torch.from_numpy(people.votes.weight[which])})
    return Batch(Scores(torch.zeros(2 * n, dtype=torch.float64), hidden=hidden), {"main": units})


def test_what_is_remembered_makes_shares_of_annotators_and_not_of_batches() -> None:
    """Votes that are seen in parts, one after another, have the posterior that Bayes' rule gives for all at once."""
    link, votes = Logistic(), made_votes(ties=0.0)
    parts = tastes(3, link, routed=False)
    people = exact(Mixture(TASTES), parts, votes, link)
    objective = PeopleReward(people.above, parts, Scaling(np.zeros(WIDTH), np.ones(WIDTH)), votes).double()
    people = objective.people
    chosen, rejected = states_of(votes)
    prior = people.log_prior.clone()
    order = np.random.default_rng(0).permutation(len(votes))
    bounds = np.linspace(0, len(votes), 4).astype(int)
    for first, last in pairwise(bounds.tolist()):
        noted = objective(batch_of(people, chosen, rejected, order[first:last])).noted
        objective.update(dict(noted))
        people.log_prior = prior.clone()
    difference = (chosen - rejected).detach().numpy()
    assert votes.lead is not None
    margins = difference @ people.value("tastes").detach().numpy().T - votes.lead[:, None]
    said = -votes.weight[:, None] * np.log1p(np.exp(-margins))
    for member in range(PEOPLE):
        mine = np.flatnonzero(votes.member == member)
        joint = np.exp(said[mine].sum(axis=0)) * parts.arrays["prior"]
        found = people.shares(mine, people.told[mine])
        np.testing.assert_allclose(found.detach().numpy(), np.tile(joint / joint.sum(), (len(mine), 1)), rtol=1e-9)
    unknown = np.flatnonzero(votes.member < 0)
    joint = np.exp(said[unknown]) * parts.arrays["prior"]
    found = people.shares(unknown, people.told[unknown]).detach().numpy()
    np.testing.assert_allclose(found, joint / joint.sum(axis=1, keepdims=True), rtol=1e-9)


def test_shares_of_tastes_follow_the_mean_posterior() -> None:
    link, votes = Logistic(), made_votes()
    parts = tastes(4, link, routed=False)
    people = exact(Mixture(TASTES), parts, votes, link)
    chosen, rejected = states_of(votes)
    everyone = np.arange(len(votes))
    before = people.shares(everyone, people.losses(chosen, rejected, everyone).noted["taste_told"])
    _, first = np.unique(people.unit, return_index=True)
    people.update(people.losses(chosen, rejected, everyone).noted)
    np.testing.assert_allclose(people.log_prior.exp(), before[first].mean(0).detach(), rtol=1e-9)


LINKS = [Logistic(), Probit(), DavidsonTies(), RaoKupperTies(), NoisyLogistic(), ShiftedLogistic()]


@pytest.mark.parametrize("link", LINKS, ids=lambda link: type(link).__name__)
def test_every_link_gives_its_own_gradient(link: Link) -> None:
    votes = made_votes()
    start = part(np.array([0.5, -0.3, 0.2]), link.start())
    people = exact(Shared(), Parts(start), votes, link)
    chosen, rejected = states_of(votes)
    whole_loss(people, chosen, rejected).backward()
    places: list[torch.Tensor] = [chosen, people.learned["shared"]]
    places += [people.learned["theta"]] if "theta" in people.learned else []
    for place in places:
        assert place.grad is not None
        either = []
        for sign in (1, -1):
            with torch.no_grad():
                place.view(-1)[0] += sign * 1e-6
                either.append(whole_loss(people, chosen, rejected).item())
                place.view(-1)[0] -= sign * 1e-6
        assert float(place.grad.view(-1)[0]) == pytest.approx((either[0] - either[1]) / 2e-6, rel=1e-4, abs=1e-7)


def test_members_have_weights_of_their_own_and_strangers_those_of_all() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(PEOPLE + 1, WIDTH))
    votes = made_votes()
    parts = Parts(part(rows[0], np.empty(0)), {n: part(w, np.empty(0)) for n, w in zip("abcd", rows[1:], strict=True)})
    found = exact(PerAnnotator(), parts, votes, Logistic()).weights_of(np.array([-1, 0, 1, 2, 3])).detach().numpy()
    # What is added so that nothing begins at 0 is a tenth of a margin.
    assert np.abs(found - rows).max() < 0.5
    assert np.abs(found[1:] - found[0] - (rows[1:] - rows[0])).max() < 0.3


def test_annotators_within_a_group_move_with_it() -> None:
    members = ("g", "g / a", "g / b", "h / c")
    votes = made_votes(members=members)
    people = exact(Hierarchical("group"), Parts(part(np.zeros(WIDTH), np.empty(0))), votes, Logistic())
    before = people.weights_of(np.arange(-1, 4))
    with torch.no_grad():
        people.learned["own"][people.place["g"]] += 1.0
    moved = (people.weights_of(np.arange(-1, 4)) - before).detach().abs().sum(1)
    assert (moved > 1).tolist() == [False, True, True, True, False]
    assert people.value("own").shape[0] == 5


def test_blends_are_shares_and_begin_as_they_were_fitted() -> None:
    votes = made_votes()
    columns = {PROJECTION: np.random.default_rng(0).normal(size=(WIDTH, 2))}
    blends = {"a": [0.9, 0.1], "b": [0.2, 0.8], "c": [0.5, 0.5], "d": [0.3, 0.7]}
    members = {name: part(np.array(blend), np.empty(0), columns) for name, blend in blends.items()}
    parts = Parts(part(np.array([0.475, 0.525]), np.empty(0), columns), members)
    people = exact(Prototypes(2), parts, votes, Logistic())
    found = people.weights_of(np.array([-1, 0, 1, 2, 3])).detach().numpy()
    np.testing.assert_allclose(found, [[0.475, 0.525], *blends.values()], atol=1e-6)
    chosen, rejected = states_of(votes)
    whole_loss(people, chosen, rejected).backward()
    assert all(bool(p.grad is not None and p.grad.abs().sum() > 0) for p in people.learned.values())


def test_heads_that_learn_get_gradients_below_their_weights() -> None:
    head, votes = SkewEmbedding(planes=2, scales=True), made_votes()
    random = np.random.default_rng(0)
    hidden = head.start(WIDTH, 2, random)
    size = WIDTH + 2
    below = {**hidden, PROJECTION: random.normal(size=(size, 3))}
    people = exact(LowRank(2), Parts(part(np.ones(3), np.empty(0), below)), votes, Logistic(), head)
    chosen, rejected = states_of(votes)
    whole_loss(people, chosen, rejected).backward()
    assert all(bool(p.grad is not None and p.grad.abs().sum() > 0) for p in people.learned.values())
    turned = people.losses(rejected, chosen, np.arange(len(votes))).gap
    straight = people.losses(chosen, rejected, np.arange(len(votes))).gap
    assert turned is not None
    assert straight is not None
    torch.testing.assert_close(turned, -straight)
