"""Objectives on rankings of several options."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from llull.objectives.axes import Regulariser
from llull.objectives.batch import Batch, ListUnits, Units
from llull.objectives.links.lists import AllPairs, GapTempered, PlackettLuce, RankMargin, Share, SoftmaxCrossEntropy
from llull.objectives.links.logistic import Logistic
from llull.objectives.links.ties import Davidson
from llull.objectives.objective import Objective
from llull.objectives.scores.log_probability import LogProbability
from llull.objectives.scores.log_ratio import LogRatio, Reduction
from llull.objectives.scores.steps import WeightedSteps
from llull.objectives.structures.listwise import Listwise


class PlackettLuceDPO(Objective):
    """DPO on whole rankings: -log of the Plackett-Luce probability of the order, with s = beta * log-ratio.

    Two options give DPO. Tied options share their places (Breslow). Axes: log-ratio x list x Plackett-Luce.

    Args:
        beta: strength of the pull to the reference.
        top: only tiers that begin within the first so many places count.
        reduction: sum or mean of the log-ratio over tokens.
    """

    source = "Rafailov et al. 2023, appendix A.3"

    def __init__(self, beta: float = 0.1, top: int | None = None, reduction: Reduction = "sum") -> None:
        super().__init__(LogRatio(beta, reduction), Listwise(), PlackettLuce(top))


class RankedPairsDPO(Objective):
    """Every pair of a ranking through DPO, with Davidson's probability for tied options; each option is scored once.

    Axes: log-ratio x list (all pairs) x logistic with ties.

    Args:
        beta: strength of the pull to the reference.
        nu: Davidson's tie parameter, where it starts.
        learned: whether it is learned.
    """

    source = "Rafailov et al. 2023, eq. 7, over the pairs of a ranking; ties: Davidson 1970"

    def __init__(self, beta: float = 0.1, nu: float = 1.0, learned: bool = False) -> None:
        super().__init__(LogRatio(beta), Listwise(), AllPairs(Davidson(nu, learned), ties=True))


class PRO(Objective):
    """Preference ranking optimization: each option against all below it, sharpened by reward gaps, plus likelihood.

    s(y) is the mean log-probability of a token. The likelihood of the best option, summed over tokens, has the weight
    0.05 * (n - 1) ** 2 for a ranking of n. Axes: log-probability x list x gap-tempered contrast x likelihood.

    Args:
        temperature: "reward_gap" or "one".
        likelihood: weight of the likelihood.
    """

    source = "Song et al. 2023 (PRO), eq. 7"

    def __init__(self, temperature: Literal["reward_gap", "one"] = "reward_gap", likelihood: float = 0.05) -> None:
        keep = [BestLikelihood(likelihood)] if likelihood else []
        super().__init__(LogProbability(1.0, "mean"), Listwise(), GapTempered(temperature), regularisers=keep)


class BestLikelihood(Regulariser):
    """(n - 1) ** 2 * -log policy of the best of n ranked options; the mean over its tier, where several are best.

    Args:
        weight: of the term.
    """

    def __init__(self, weight: float) -> None:
        super().__init__("main", weight)

    def forward(self, batch: Batch, units: Units) -> Tensor:
        """[m]"""
        if not isinstance(units, ListUnits):
            raise TypeError("the best of a ranking is read from ListUnits")
        best = (units.mask & (units.tier == 0)).to(batch.options.policy.dtype)
        likelihood = (best * batch.options.policy[units.option.clamp(min=0)]).sum(dim=1) / best.sum(dim=1).clamp(min=1)
        return -((units.mask.sum(dim=1) - 1) ** 2) * likelihood

    def formula(self) -> tuple[str, ...]:
        """One line."""
        return (f"loss += {self.weight:g} * (len(ranking) - 1) ** 2 * -policy(ranking[0])",)


class LiPO(Objective):
    """Listwise preference optimization: LambdaRank weights on all pairs of a ranking, s = beta * log-ratio.

    Needs the gain of every option (--rating). Axes: log-ratio x list (all pairs, lambda weights) x logistic.

    Args:
        beta: strength of the pull to the reference.
        ranks: for the discounts, as the "model" ranks now or as "judged".
        unit: of the gains; ratings up to 100 want 100.
    """

    source = "Liu et al. 2024 (LiPO), eq. 9"

    def __init__(self, beta: float = 0.1, ranks: Literal["model", "judged"] = "model", unit: float = 1.0) -> None:
        super().__init__(LogRatio(beta), Listwise(), AllPairs(Logistic(), gain="lambda", ranks=ranks, unit=unit))


class RankDPO(Objective):
    """Ranked preference optimization: DPO on all pairs, weighted by their part of the discounted cumulative gain.

    The discounts are those of the judged ranks; the printed discount log(1 + rank) differs from log2 by a factor.
    Gains are shares of comparisons won, in [0, 1], so the weights of a ranking are small and their sum depends on its
    gains: ``share`` divides by it, and keeps the learning rate of plain DPO. Axes: log-ratio x list (all pairs, gain
    weights) x logistic.

    Args:
        beta: strength of the pull to the reference.
        share: divide a ranking's loss by the sum of its pairs' "weights", by its number of "pairs", or by "none".
        unit: of the gains; ratings up to 100 want 100.
    """

    source = "Karthik et al. 2024 (RankDPO)"

    def __init__(self, beta: float = 0.1, share: Share = "none", unit: float = 1.0) -> None:
        link = AllPairs(Logistic(), gain="lambda", ranks="judged", unit=unit, share=share)
        super().__init__(LogRatio(beta), Listwise(), link)


class TreePO(Objective):
    """Tree preference optimization (TPO): LambdaRank weights on all pairs of a tree's answers, steps weighted.

    s(y) = beta * mean-weighted sum over steps of the step's log-ratio. The weight of a step, given with its tokens, is
    1 + its cosine to the same step of the best answer. The released code wraps this loss in -log sigmoid, which turns
    its gradient round and learns to rank the wrong way; here it stands as the text has it. How the steps' sum is
    normalised is our reading. Axes: weighted steps x list (all pairs, lambda weights) x logistic.

    Args:
        beta: strength of the pull to the reference.
        ranks: for the discounts, as the "model" ranks now or as "judged".
        unit: of the gains; ratings up to 100 want 100.
    """

    source = "Liao et al. 2024 (TPO)"

    def __init__(self, beta: float = 0.5, ranks: Literal["model", "judged"] = "model", unit: float = 1.0) -> None:
        super().__init__(WeightedSteps(beta), Listwise(), AllPairs(Logistic(), gain="lambda", ranks=ranks, unit=unit))


class ListNetPO(Objective):
    """Cross-entropy between the gains' softmax and that of s = beta * log-ratio.

    Without gains the aim is even over the best tier. Axes: log-ratio x list x softmax cross-entropy.

    Args:
        beta: strength of the pull to the reference.
        temperature: of the gains.
    """

    source = "Cao et al. 2007 (ListNet), with the log-ratio as score"

    def __init__(self, beta: float = 0.1, temperature: float = 1.0) -> None:
        super().__init__(LogRatio(beta), Listwise(), SoftmaxCrossEntropy(temperature))


class RankImitation(Objective):
    """A teacher's order of options, kept with a margin: sum of max(0, margin - (s_i - s_j)) over pairs i above j.

    The ranking part of BiAlign, whose exact form the paper's summaries leave open. Without a margin equal scores cost
    nothing, so a policy may learn to tell options apart no longer. Axes: log-probability x list x hinge.

    Args:
        margin: between each two.
        reduction: sum or mean of the log-probability over tokens.
    """

    source = "BiAlign, 2024 (input alignment)"

    def __init__(self, margin: float = 0.0, reduction: Reduction = "sum") -> None:
        super().__init__(LogProbability(1.0, reduction), Listwise(), RankMargin(margin))
