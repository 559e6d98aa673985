"""Head, link and population of a preference model above a language model that learns: the loss of `fit_composed`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from llull.models.fitting.part import Part as FittedPart
from llull.models.fitting.part import Parts, projected
from llull.models.heads import Head
from llull.models.links import Link
from llull.models.populations import Population
from llull.models.votes import Scaling, Sides, Votes
from llull.objectives import Batch, Objective
from llull.objectives.axes import Belief, Kind, Needs, Outcome, Score, Structure
from llull.objectives.axes import Link as ObjectiveLink
from llull.objectives.batch import PairUnits
from llull.objectives.links.logistic import Logistic
from llull.objectives.scores.reward import Reward

_FIRST_SCALE = 0.1
"""Standard deviation that is added to the first margins, so that no gradient begins at 0."""


@dataclass(frozen=True)
class Above:
    """What stands above the hidden states, and how it learns.

    Args:
        head: makes contrasts of two options' states.
        link: the loss of a margin; its own gradient is used.
        population: whose weights there are.
        faster: steps of everything above the states, in those of the language model.
        l2: precision of the shared weights' prior.
        seed: of what is added to the first weights.
    """

    head: Head
    link: Link
    population: Population
    faster: float = 10.0
    l2: float = 1.0
    seed: int = 0


class PeopleReward(Objective):
    """The likelihood of votes under head x link x population, with the language model's states as features.

    With z an option's hidden state, standardized as it was before the first update, and c = contrast(z_w, z_l), the
    margin of a vote of member m is c . w_m, and the loss of all votes is

        sum_i weight_i * loss(margin_i) + l2 / 2 |w|^2 + q / 2 sum_m |w_m - w|^2

    with q the number of weights: before anything is known, margins of members differ by about 1. Members within others
    are drawn to these. Of blends, w_m is a mean of k columns by softmax of k numbers of its own. Of tastes it is minus

        sum_u log sum_k pi_k prod_{i in u} exp(-weight_i * loss_k(i))

    over the sets u of votes of one annotator. Its gradient is that of the losses weighted by the taste's posterior
    share in the annotator. The share is taken over all votes of the annotator: what each of them said under each taste
    is remembered from when it was last seen, at most one epoch ago, and for the votes at hand computed anew; pi follows
    after each update (expectation-maximization with incremental expectations, Neal and Hinton, 1998). Where tastes are
    routed, each vote stands alone, shares depend on its context, and nothing has to be remembered.

    Args:
        above: head, link and population.
        parts: such a composition, fitted to the votes on the states before the first update: where the search begins.
        scaling: of the states in that fit.
        votes: all votes, in the order of the units' numbers.
    """

    def __init__(self, above: Above, parts: Parts, scaling: Scaling, votes: Votes) -> None:
        structure = PeopleStructure(above, parts, scaling, votes)
        super().__init__(Reward(), structure, Logistic())

    @property
    def people(self) -> PeopleStructure:
        """Where all that learns is."""
        assert isinstance(self.structure, PeopleStructure)
        return self.structure

    def formula(self) -> str:
        """The parts by name."""
        above = self.people.above
        return f"loss = -log P(vote | margin); {above.head} {above.link} {above.population} {above.l2:g}"


class PeopleStructure(Structure):
    """Each vote's loss by its own member's weights over its contrast; see `PeopleReward`."""

    kind: Kind = "pairs"
    needs = Needs(hidden=True)
    center: Tensor
    scale: Tensor
    told: Tensor
    log_prior: Tensor

    def __init__(self, above: Above, parts: Parts, scaling: Scaling, votes: Votes) -> None:
        super().__init__()
        self.above, self.votes = above, votes
        self.register_buffer("center", torch.from_numpy(scaling.center).float())
        self.register_buffer("scale", torch.from_numpy(scaling.scale).float())
        self.total = float(votes.weight.sum())
        self.is_tastes = above.population.weights_are == "tastes"
        self.is_blends = above.population.weights_are == "blends"
        first = parts.shared or parts.all()[0]
        self.learned = nn.ParameterDict()
        self.sizes: dict[str, tuple[int, ...]] = {}
        for name, array in first.hidden.items():
            self._learn(f"below {name}", array)
        self._learn("theta", first.theta)
        random = np.random.default_rng(above.seed)
        self.place, self.parent = _places(votes, above.population)
        if self.is_tastes:
            self._begin_tastes(parts, random)
        else:
            self._begin_members(parts, first, random)

    def _learn(self, name: str, array: np.ndarray) -> None:
        """Adam's steps do not depend on a parameter's scale, so what is to learn faster is stored smaller."""
        self.sizes[name] = array.shape
        if array.size == 0:
            # Nothing to learn, and parallel wrappers would wait for its gradient.
            return
        self.learned[name] = nn.Parameter(torch.from_numpy(np.array(array, np.float32)) / self.above.faster)

    def value(self, name: str) -> Tensor:
        """A learned array as it is used."""
        if name not in self.learned:
            return self.center.new_zeros(self.sizes[name])
        return self.learned[name] * self.above.faster

    @property
    def hidden(self) -> dict[str, Any]:
        """What is below the weights."""
        return {name[6:]: self.value(name) for name in self.learned if name.startswith("below ")}

    def _begin_members(self, parts: Parts, first: FittedPart, random: np.random.Generator) -> None:
        size = len(first.weights)
        scale = _FIRST_SCALE * size**-0.5
        if self.is_blends:
            rows = np.stack([first.weights, *(parts.members.get(n, first).weights for n in self.votes.members)])
            logs = np.log(np.maximum(rows, 1e-3))
            self._learn("shared", logs[0])
            self._learn("own", logs[1:] - logs[0])
            return
        self._learn("shared", first.weights + scale * random.normal(size=size))
        own = scale * random.normal(size=(len(self.place), size))
        for member, row in self.place.items():
            part = parts.members.get(member)
            if part is not None and (part.hidden is first.hidden or not first.hidden):
                own[row] += part.weights - first.weights
        for row in np.flatnonzero(self.parent >= 0):
            own[row] -= own[self.parent[row]]
        self._learn("own", own)

    def _begin_tastes(self, parts: Parts, random: np.random.Generator) -> None:
        tastes = list(parts.members.values())
        weights = np.stack([part.weights for part in tastes])
        start = _FIRST_SCALE * random.normal(size=weights.shape) * weights.shape[1] ** -0.5
        self._learn("tastes", weights + start)
        self._learn("theta", np.mean([part.theta for part in tastes], axis=0))
        if "router" in parts.arrays:
            self._learn("router", parts.arrays["router"])
        codes = np.where(self.votes.member >= 0, self.votes.member, len(self.votes.members) + self.votes.judgment)
        self.unit = np.unique(codes, return_inverse=True)[1]
        said = np.zeros((len(self.votes), len(tastes)))
        sides = self.votes.sides()
        for k, part in enumerate(tastes):
            margin = self.votes.beyond_lead(part.contrasts(self.above.head, sides) @ part.weights)
            said[:, k] = -self.votes.weight * self.above.link.loss(margin, self.votes.tie, part.theta)[0]
        self.register_buffer("told", torch.from_numpy(said))
        self.register_buffer("log_prior", torch.from_numpy(np.log(np.maximum(parts.arrays["prior"], 1e-6))))

    def forward(self, batch: Batch, score: Score, link: ObjectiveLink, belief: Belief) -> Outcome:
        """Loss of each vote [m], with its part of the priors."""
        units, states = batch.main, batch.options.hidden
        assert isinstance(units, PairUnits)
        assert states is not None
        at = units.index.cpu().numpy()
        # Autocast would leave margins two digits.
        with torch.autocast(states.device.type, enabled=False):
            found = self.losses(states[units.chosen], states[units.rejected], at)
        return found

    def losses(self, chosen: Tensor, rejected: Tensor, at: np.ndarray) -> Outcome:
        """Losses of some votes, from states [m, d] of both options.

        Args:
            chosen: of the option preferred.
            rejected: of the other.
            at: the votes' numbers among all.
        """
        sides = Sides(self._standard(chosen), self._standard(rejected), self._contexts(at))  # type: ignore[arg-type]  # heads take tensors too
        contrasts: Any = projected(self.above.head, self.hidden, sides)
        if self.is_tastes:
            return self._by_tastes(contrasts, at)
        margins = (contrasts * self.weights_of(self.votes.member[at])).sum(1)
        losses = self._judged(margins, at)
        return Outcome(losses + self.penalty() / self.total, margins.detach())

    def weights_of(self, member: np.ndarray) -> Tensor:
        """Weights of members by number [m, q]; the shared ones for -1."""
        shared, own = self.value("shared"), self.value("own")
        # A row of zeros at the end is for members who are not known, and for those above whom nobody stands.
        rows = torch.cat([own, own.new_zeros(1, own.shape[1])])
        numbers = shared + rows[member] + rows[np.append(self.parent, -1)[member]]
        return numbers.softmax(1) if self.is_blends else numbers

    def penalty(self) -> Tensor:
        """Minus the logarithm of the priors, but for a constant."""
        if self.is_tastes:
            return 0.5 * self.above.l2 * self.value("tastes").square().sum()
        own = self.value("own")
        if self.is_blends:
            return 0.5 * own.square().sum()
        return 0.5 * (self.above.l2 * self.value("shared").square().sum() + own.shape[1] * own.square().sum())

    def _by_tastes(self, contrasts: Tensor, at: np.ndarray) -> Outcome:
        margins = contrasts @ self.value("tastes").T
        losses = torch.stack([self._judged(column, at) for column in margins.T], dim=1)
        weight = losses.new_tensor(self.votes.weight[at])
        spread = self.penalty() / self.total
        if "router" in self.learned:
            about = self._contexts(at)
            assert about is not None
            router = self.value("router")
            shares = (about @ router[:-1] + router[-1]).log_softmax(1)
            joint = shares - weight[:, None] * losses
            mean = (joint.detach().softmax(1) * margins.detach()).sum(1)
            return Outcome(-joint.logsumexp(1) / weight.clamp(min=1e-12) + spread, mean)
        fresh = -(weight[:, None] * losses).detach().double()
        share = self.shares(at, fresh).to(losses)
        # Of many processes, each notes its own votes, and the sums put them together.
        here = torch.from_numpy(at).to(fresh.device)
        noted = {
            "taste_told": torch.zeros_like(self.told).index_add(0, here, fresh.to(self.told)),
            "taste_seen": self.told.new_zeros(len(self.told)).index_add(0, here, self.told.new_ones(len(at))),
        }
        return Outcome((share * losses).sum(1) + spread, (share * margins).sum(1).detach(), noted)

    def shares(self, at: np.ndarray, fresh: Tensor) -> Tensor:
        """Posterior shares of the tastes [m, k] in those who cast some votes.

        Args:
            at: the votes' numbers among all.
            fresh: what they say now under each taste: log-likelihoods [m, k], in place of those remembered.
        """
        told = self.told.index_copy(0, torch.from_numpy(at).to(self.told.device), fresh.to(self.told))
        return (self._sums(told) + self.log_prior).softmax(1)[self.unit[at]]

    def _sums(self, told: Tensor) -> Tensor:
        unit = torch.from_numpy(self.unit).to(told.device)
        return told.new_zeros(int(self.unit.max()) + 1, told.shape[1]).index_add(0, unit, told)

    def update(self, sums: dict[str, Tensor]) -> None:
        """Remember what votes said, and let the tastes' shares follow."""
        if "taste_told" not in sums:
            return
        seen = sums["taste_seen"].to(self.told)[:, None]
        self.told = torch.where(seen > 0, sums["taste_told"].to(self.told) / seen.clamp(min=1), self.told)
        share = (self._sums(self.told) + self.log_prior).softmax(1).mean(0)
        self.log_prior = share.clamp(min=1e-6).log()

    def _judged(self, margins: Tensor, at: np.ndarray) -> Tensor:
        lead = self.votes.lead
        beyond = margins if lead is None else margins - margins.new_tensor(lead[at])
        return _LinkLoss.apply(beyond, self.value("theta"), self.above.link, self.votes.tie[at])  # type: ignore[return-value]  # torch does not say

    def _standard(self, states: Tensor) -> Tensor:
        return (states.to(self.center) - self.center) / self.scale

    def _contexts(self, at: np.ndarray) -> Tensor | None:
        if self.votes.about is None or self.votes.place is None:
            return None
        return self.center.new_tensor(self.votes.about[self.votes.place[at]])


class _LinkLoss(torch.autograd.Function):
    """A link's loss with the gradient that the link gives itself, so that no link is written twice."""

    @staticmethod
    def forward(ctx: Any, margin: Tensor, theta: Tensor, link: Link, tie: np.ndarray) -> Tensor:
        exact = [x.detach().cpu().double().numpy() for x in (margin, theta)]
        value, slope = link.loss(exact[0], tie, exact[1])
        ctx.slope = margin.new_tensor(slope)
        return margin.new_tensor(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        slope = gradients[0][:, None] * ctx.slope
        return slope[:, 0], slope[:, 1:].sum(0), None, None


def _places(votes: Votes, population: Population) -> tuple[dict[str, int], np.ndarray]:
    """A row for each member and for those above them; and the row above each, -1 for none."""
    place = {name: row for row, name in enumerate(votes.members)}
    parents = [population.above(name) for name in votes.members]
    for name in parents:
        if name is not None:
            place.setdefault(name, len(place))
    above = np.full(len(place), -1)
    above[: len(parents)] = [-1 if name is None else place[name] for name in parents]
    return place, above
