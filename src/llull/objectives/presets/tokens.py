"""Objectives on pairs that look inside an option, and distillation token by token."""

from __future__ import annotations

from typing import Literal

from llull.errors import InputError
from llull.objectives.axes import Part, Regulariser
from llull.objectives.links.likelihoods import AcceptedLikelihood
from llull.objectives.links.logistic import Logistic
from llull.objectives.objective import Objective
from llull.objectives.scores.inside import MeanDivergence, WeightedTokens, WithDivergence
from llull.objectives.scores.log_ratio import LogRatio
from llull.objectives.scores.masks import ActivationMask, LearnedMask, MaskedTokens, MaskSize
from llull.objectives.structures.pairwise import Pairwise
from llull.objectives.structures.segments import BestAgainstWorst
from llull.objectives.structures.single import Single
from llull.objectives.weights.beliefs import Debiased


class TDPO(Objective):
    """Token-level DPO: the margin less alpha * beta * (KL of the rejected option - KL of the chosen one).

    KL(reference || policy), summed over tokens. Version 1 has alpha 1 and gradients through both; version 2 stops the
    gradient of the chosen option's. Axes: log-ratio with divergence x pair x logistic.

    Args:
        beta: strength of the pull to the reference.
        alpha: of the divergences; version 1 has 1.
        version: 1 or 2.
    """

    source = "Zeng et al. 2024"

    def __init__(self, beta: float = 0.1, alpha: float = 0.5, version: Literal[1, 2] = 2) -> None:
        if version not in (1, 2):
            raise InputError(f"TDPO has the versions 1 and 2, not {version}")
        super().__init__(WithDivergence(beta, alpha if version == 2 else 1.0, version == 2), Pairwise(), Logistic())


class WeightedTokenDPO(Objective):
    """DPO whose tokens count by weights given from outside: scores of segments, or edited spans.

    Axes: weighted tokens x pair x logistic.

    Args:
        beta: strength of the pull to the reference.
        normalised: divide an option's weights by their mean.
    """

    source = "Token weights as in RISE, 2024 (error-aware option)"

    def __init__(self, beta: float = 0.1, normalised: bool = False) -> None:
        super().__init__(WeightedTokens(beta, normalised), Pairwise(), Logistic())


class SparsePO(Objective):
    """Token-level DPO with masks on log-ratios and on divergences.

    Mask ``activation`` follows the reference's activations and is fixed, ``learned`` is relu(state . w + b), learned
    with the policy, with an L1 penalty. How activations are brought to [0, 1] is our reading. Axes: masked tokens x
    pair x logistic, regulariser mask size.

    Args:
        beta: strength of the pull to the reference.
        mask: which.
        common: one mask for both instead of two.
        sparsity: weight of the L1 penalty on learned masks.
        floor: least mask on divergences, where masks are learned apart.
        width: of the reference's hidden states; found from the model if not given.
    """

    source = "SparsePO, 2024"

    def __init__(
        self,
        beta: float = 0.1,
        mask: Literal["learned", "activation"] = "learned",
        common: bool = True,
        sparsity: float = 0.0,
        floor: float = 0.0,
        width: int | None = None,
    ) -> None:
        if mask not in ("learned", "activation"):
            raise InputError(f"mask: no {mask!r}; choose learned or activation")
        beside: list[Regulariser] = []
        if mask == "activation":
            first: Part = ActivationMask()
            second = first
        else:
            first = LearnedMask(width)
            second = first if common else LearnedMask(width, floor=floor)
            if sparsity:
                beside = [MaskSize(part, sparsity) for part in ([first] if common else [first, second])]
        super().__init__(MaskedTokens(first, second, beta), Pairwise(), Logistic(), regularisers=beside)


class Robust2DDPO(Objective):
    """2D-DPO, robust: a chosen option's best segments against a rejected one's worst, worth taken as noisy.

    Sum over k of -log sigmoid(r_k h(a_k) - q_k h(b_k)), h = beta * log-ratio of a segment; r is the worth of a chosen
    segment, q how far a rejected one falls short of the largest. Tokens carry their segment as step and its worth as
    weight, a weighted mean over aspects. ``flips`` corrects for segments whose worth has the wrong sign: the loss is
    an unbiased estimate of that on clean ones, and has no least value, so stop early. ``variance`` corrects for
    additive noise to second order. Both corrections are derived here; 2D-DPO relies on knowledge of the method. With
    neither it is plain 2D-DPO. Axes: log-ratio x segments x logistic, belief debiased.

    Args:
        beta: strength of the pull to the reference.
        segments: how many are paired at most.
        largest: the highest worth.
        flips: share of segments with the wrong sign, in [0, 0.5).
        variance: of additive noise in the worth.
    """

    source = "Robust 2D-DPO, 2025; 2D-DPO: Li et al. 2024"

    def __init__(
        self,
        beta: float = 0.1,
        segments: int = 3,
        largest: float = 4.0,
        flips: float = 0.0,
        variance: float = 0.0,
    ) -> None:
        belief = Debiased(flips) if flips else None
        super().__init__(LogRatio(beta), BestAgainstWorst(segments, largest, variance), Logistic(), belief=belief)


class AlignDistil(Objective):
    """Distillation token by token: mean of weight_t * KL(policy || teacher)_t over an accepted option's tokens.

    Divergences and weights are given with the tokens; the teacher's logits combine a model aligned by DPO and one
    aligned against it. Rejected options teach nothing. Axes: mean divergence x single x accepted likelihood.
    """

    source = "AlignDistil, 2025"

    def __init__(self) -> None:
        super().__init__(MeanDivergence(), Single(), AcceptedLikelihood())
