"""Links of whole rankings."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import ListLink, PairLink
from llull.objectives.batch import ListUnits

Share = Literal["none", "pairs", "weights"]

LARGEST_GAIN = 30
"""In units: the best option would count a billion times as much as one a whole scale below."""


class PlackettLuce(ListLink):
    """-log of the probability of drawing the options in their order, each in proportion to exp(score) of what is left.

    Tied options share their places: the denominator of each is that of the whole tier and what follows (Breslow 1974).
    So a tier costs the same in any order and costs least when its options score the same; K options without ties cost
    what Luce (1959) and Plackett (1975) say. A tie of all is one judgment of equality, the last tier's as any other's:
    options that nobody ranked are left out of a ranking, not put into its last tier.

    Args:
        top: only tiers that begin within the first so many places count; all if not given.
    """

    def __init__(self, top: int | None = None) -> None:
        super().__init__()
        if top is not None and top < 1:
            raise InputError(f"top {top}: at least the first place has to count")
        self.top = top

    def forward(self, scores: Tensor, units: ListUnits) -> Tensor:
        """[m]"""
        mask, tier = units.mask, units.tier
        # Of each option: everything of its own tier or lower, padding left out.
        left = mask[:, None, :] & (tier[:, None, :] >= tier[:, :, None])
        logits = scores[:, None, :].expand_as(left).masked_fill(~left, -torch.inf)
        log_left = torch.where(mask, logits.masked_fill(~mask[:, :, None], 0.0).logsumexp(dim=2), 0.0)
        counts = mask
        if self.top is not None:
            counts = mask & (_above(units).sum(dim=1) < self.top)
        return torch.where(counts, log_left - scores, 0.0).sum(dim=1)

    def formula(self) -> tuple[str, ...]:
        """Without ties."""
        places = "range(len(v) - 1)" if self.top is None else f"range(min(len(v) - 1, {self.top}))"
        return (f"link(v) = sum(log(sum(exp(t) for t in v[i:])) - v[i] for i in {places})",)


class GapTempered(ListLink):
    """PRO's contrast of each option against all below it, scores sharpened by reward gaps (Song et al. 2023, eq. 7).

    Sum over places k of -log[exp(T_kk s_k) / (exp(T_kk s_k) + sum over i > k of exp(T_ki s_i))], with
    T_ki = r_k - r_i and T_kk the largest of them; every T is 1 with ``temperature="one"``, which is Plackett-Luce.
    Rankings without gains take T = 1. Tied options are not set against each other, so "one" differs from Plackett-Luce
    where there are ties. A pair whose gains contradict the ranking has T = 0.

    Args:
        temperature: "reward_gap" or "one".
    """

    def __init__(self, temperature: Literal["reward_gap", "one"] = "reward_gap") -> None:
        super().__init__()
        if temperature not in ("reward_gap", "one"):
            raise InputError(f"temperature: no {temperature!r}; choose reward_gap or one")
        self.temperature = temperature

    def forward(self, scores: Tensor, units: ListUnits) -> Tensor:
        """[m]"""
        below = _above(units)
        gain = units.gain.to(scores.dtype)
        sharpness = torch.ones_like(below, dtype=scores.dtype)
        if self.temperature == "reward_gap":
            gaps = (gain[:, :, None] - gain[:, None, :]).clamp(min=0)
            known = ~gain.masked_fill(~units.mask, 0).isnan().any(dim=1)
            sharpness = torch.where(known[:, None, None] & below, gaps.nan_to_num(), sharpness)
        own = torch.where(below, sharpness, 0.0).amax(dim=2)
        rivals = (sharpness * scores[:, None, :]).masked_fill(~below, -torch.inf)
        first = own * scores
        contest = torch.cat([first[:, :, None], rivals], dim=2).logsumexp(dim=2) - first
        return torch.where(below.any(dim=2), contest, 0.0).sum(dim=1)

    def formula(self) -> tuple[str, ...]:
        """``gains`` are the rewards, best first."""
        if self.temperature == "one":
            return PlackettLuce().formula()
        return (
            "link(v) = sum(log(exp(own(k) * v[k]) + sum(exp(T(k, i) * v[i]) for i in range(k + 1, len(v)))) "
            "- own(k) * v[k] for k in range(len(v) - 1))",
            "T(k, i) = gains[k] - gains[i]",
            "own(k) = max([gains[k] - t for t in gains[k + 1:]])",
        )


class AllPairs(ListLink):
    """Every pair that the ranking sets in order, through a pair's link; ties through the link's own, if asked.

    Args:
        link: of a pair.
        ties: whether pairs of one tier count too.
        gain: weight of a pair: "none", or "lambda": LambdaRank's |G_i - G_j| * |1 / D(rank_i) - 1 / D(rank_j)| with
            G = 2 ** (gain / unit) - 1 and D(rank) = log2(1 + rank) (Wang et al. 2018; Liu et al. 2024, LiPO).
        ranks: for "lambda", the ranks "judged" by the annotators or those that the "model" gives now. Options of one
            tier share the mean of their judged ranks; where the model's scores are equal, as they all are before the
            first update, the judged order decides.
        unit: of the gains; ratings up to 100 want 100, since gains are exponents.
        share: divide a ranking's loss by its number of "pairs", so that long rankings weigh as much as short ones, or
            by the sum of its pairs' "weights", so that the learning rate does not hang on the gains; or by "none".
    """

    def __init__(
        self,
        link: PairLink,
        ties: bool = False,
        gain: Literal["none", "lambda"] = "none",
        ranks: Literal["judged", "model"] = "model",
        unit: float = 1.0,
        share: Share = "none",
    ) -> None:
        super().__init__()
        for name, value, known in (
            ("gain", gain, ("none", "lambda")),
            ("ranks", ranks, ("judged", "model")),
            ("share", share, ("none", "pairs", "weights")),
        ):
            if value not in known:
                raise InputError(f"{name}: no {value!r}; choose {', '.join(known[:-1])} or {known[-1]}")
        if ties and gain == "lambda":
            raise InputError("ties have no gain: pairs of one tier cannot count beside lambda weights")
        if not unit > 0:
            raise InputError(f"unit: the gains' unit must be positive, not {unit:g}")
        self.link, self.ties, self.gain, self.ranks, self.unit, self.share = link, ties, gain, ranks, unit, share

    def forward(self, scores: Tensor, units: ListUnits) -> Tensor:
        """[m]"""
        above = _above(units)
        weight = above.to(scores.dtype)
        if self.gain == "lambda":
            weight = weight * self._lambda(scores.detach(), units)
        first, second = scores[:, :, None].expand_as(weight), scores[:, None, :].expand_as(weight)
        losses = torch.where(above, weight * self.link(first, second), 0.0).sum(dim=(1, 2))
        counted = (above if self.share == "pairs" else weight).sum(dim=(1, 2))
        if self.ties:
            tied = units.mask[:, :, None] & (units.tier[:, :, None] == units.tier[:, None, :])
            tied = tied.triu(diagonal=1)
            losses = losses + torch.where(tied, self.link.tie(first, second), 0.0).sum(dim=(1, 2))
            counted = counted + tied.sum(dim=(1, 2))
        # Nothing counts where the loss is 0 as well: a ranking of one option, or of equal gains.
        return losses if self.share == "none" else losses / torch.where(counted > 0, counted, 1.0)

    def _lambda(self, scores: Tensor, units: ListUnits) -> Tensor:
        gain = units.gain.to(scores.dtype) / self.unit
        if bool(gain[units.mask].isnan().any()):
            raise InputError("gain weights need a rating of every ranked option; name its aspect with --rating")
        if bool((gain[units.mask] > LARGEST_GAIN).any()):
            raise InputError(
                f"gain: a rating of {gain[units.mask].max().item() * self.unit:g} is too large an exponent of 2; set "
                f"unit to the largest rating (above {LARGEST_GAIN} units nothing else would count)"
            )
        good = (2.0**gain - 1).masked_fill(~units.mask, 0.0)
        tied = units.mask[:, :, None] & (units.tier[:, :, None] == units.tier[:, None, :])
        above = _above(units)
        if self.ranks == "model":
            higher, equal = scores[:, :, None] > scores[:, None, :], scores[:, :, None] == scores[:, None, :]
            above = units.mask[:, :, None] & units.mask[:, None, :] & (higher | (equal & above))
            tied = tied & equal
        # One for itself and each option above, and half of one for each of its equals.
        rank = 0.5 + above.sum(dim=1) + 0.5 * tied.sum(dim=1)
        discount = 1 / torch.log2(1 + rank.to(scores.dtype))
        return (good[:, :, None] - good[:, None, :]).abs() * (discount[:, :, None] - discount[:, None, :]).abs()

    def formula(self) -> tuple[str, ...]:
        """The pair's link under the name ``pair``."""
        inner = [line.replace("link(", "pair(") for line in self.link.formula()]
        weight = "weight(v, i, j) * " if self.gain == "lambda" else ""
        pairs = "for i in range(len(v)) for j in range(i + 1, len(v))"
        total = f"sum({weight}pair(v[i], v[j]) {pairs})"
        weighted = self.gain == "lambda" and self.share == "weights"
        by = {
            "none": "",
            "pairs": " / (len(v) * (len(v) - 1) / 2)",
            "weights": f" / sum({'weight(v, i, j)' if weighted else '1'} {pairs})",
        }[self.share]
        lines = [f"link(v) = {total}{by}"]
        if self.gain == "lambda":
            by_model = "1 + sum(1 for j, t in enumerate(v) if t > v[i] or (t == v[i] and j < i))"
            unit = "" if self.unit == 1 else f" / {self.unit:g}"
            lines += [
                f"weight(v, i, j) = abs(2 ** (gains[i]{unit}) - 2 ** (gains[j]{unit})) "
                "* abs(discount(v, i) - discount(v, j))",
                f"discount(v, i) = log(2) / log(1 + {by_model if self.ranks == 'model' else '1 + i'})",
            ]
        return (*lines, *inner)


class SoftmaxCrossEntropy(ListLink):
    """-sum of q_i log softmax(scores)_i, with q = softmax(gain / temperature) (ListNet; Cao et al. 2007).

    A ranking with unknown gains has q even over its best tier.

    Args:
        temperature: of the gains.
    """

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__()
        if not temperature > 0:
            raise InputError(f"temperature must be positive, not {temperature:g}")
        self.temperature = temperature

    def forward(self, scores: Tensor, units: ListUnits) -> Tensor:
        """[m]"""
        mask = units.mask
        gain = units.gain.to(scores.dtype)
        known = ~gain.masked_fill(~mask, 0.0).isnan().any(dim=1, keepdim=True)
        sharp = (gain / self.temperature).nan_to_num().masked_fill(~mask, -torch.inf)
        best = (units.tier == 0) & mask
        even = best / best.sum(dim=1, keepdim=True).clamp(min=1)
        aim = torch.where(known, torch.softmax(sharp.masked_fill(~mask.any(dim=1, keepdim=True), 0.0), dim=1), even)
        log_p = torch.log_softmax(scores.masked_fill(~mask, -torch.inf).masked_fill(~mask.any(1, True), 0.0), dim=1)
        return -torch.where(mask, aim * log_p.masked_fill(~mask, 0.0), 0.0).sum(dim=1)

    def formula(self) -> tuple[str, ...]:
        """``gains`` are the options' gains."""
        t = f"{self.temperature:g}"
        return (
            "link(v) = -sum(q(i) * (v[i] - log(sum(exp(t) for t in v))) for i in range(len(v)))",
            f"q(i) = exp(gains[i] / {t}) / sum(exp(g / {t}) for g in gains)",
        )


class RankMargin(ListLink):
    """Sum over ordered pairs of max(0, lower - higher + margin): a student's scores in its teacher's order (BiAlign).

    Args:
        margin: between each two.
    """

    def __init__(self, margin: float = 0.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, scores: Tensor, units: ListUnits) -> Tensor:
        """[m]"""
        lead = scores[:, :, None] - scores[:, None, :]
        return torch.where(_above(units), torch.relu(self.margin - lead), 0.0).sum(dim=(1, 2))

    def formula(self) -> tuple[str, ...]:
        """One line."""
        return (
            f"link(v) = sum(relu({self.margin:g} - v[i] + v[j]) for i in range(len(v)) for j in range(i + 1, len(v)))",
        )


def _above(units: ListUnits) -> Tensor:
    """bool [m, K, K]: whether option i is ranked above option j."""
    mask, tier = units.mask, units.tier
    return mask[:, :, None] & mask[:, None, :] & (tier[:, :, None] < tier[:, None, :])
