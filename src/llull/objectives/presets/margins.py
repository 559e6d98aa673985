"""Objectives on pairs that know more than who won: margins, rewards, several aims, calibration samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from llull.errors import InputError
from llull.objectives.links.logistic import Logistic
from llull.objectives.links.margins import Hinge, SquaredLead
from llull.objectives.objective import Objective
from llull.objectives.regularisers.drift import CalibrationValue
from llull.objectives.regularisers.likelihood import ChosenLikelihood
from llull.objectives.scores.log_ratio import LogRatio, Reduction
from llull.objectives.scores.offsets import LessMargin, LessRewards
from llull.objectives.structures.given_gaps import BackwardKL, ForwardKL, GivenGaps
from llull.objectives.structures.pairwise import Pairwise
from llull.objectives.weights.beliefs import AsJudged
from llull.objectives.weights.factors import ByStrength, Constant


class ODPO(Objective):
    """DPO with an offset: -log sigmoid(beta * (h_w - h_l) - scale * g(x)), x by how much the chosen option is better.

    Axes: log-ratio less margin x pair x logistic.

    Args:
        beta: strength of the pull to the reference.
        column: a reward of each option, whose gap is x; without it x is the pair's strength.
        scale: of the margin.
        growth: g, ``log`` as published or ``linear``.
    """

    source = "Amini et al. 2024, eq. 7"
    peers: ClassVar[Mapping[str, str]] = {"Online-RLHF": "margin"}

    def __init__(
        self,
        beta: float = 0.1,
        column: str | None = None,
        scale: float = 1.0,
        growth: Literal["linear", "log"] = "log",
    ) -> None:
        super().__init__(LessMargin(LogRatio(beta), column, scale, growth), Pairwise(), Logistic())


class StrengthDPO(Objective):
    """DPO whose pairs count in proportion to their strength: (strength / unit) * -log sigmoid(beta * (h_w - h_l)).

    Axes: log-ratio x pair x logistic, weight by strength.

    Args:
        beta: strength of the pull to the reference.
        unit: the strength that counts once.
        power: how fast the weight grows with strength.
    """

    source = "strength as importance weight, folklore"

    def __init__(self, beta: float = 0.1, unit: float = 1.0, power: float = 1.0) -> None:
        super().__init__(LogRatio(beta), Pairwise(), Logistic(), weights=[ByStrength(unit, power)])


class MODPO(Objective):
    """Multi-objective DPO: one aspect is judged, the others enter as known rewards that are paid for.

    s(y) = (beta * log-ratio - other weights . other rewards) / share; the loss is -log sigmoid(s(w) - s(l)), or its
    hinge. With share 1 and no others it is DPO. The rewards must be on the scale of beta; implicit rewards times their
    own beta are. Axes: log-ratio less rewards x pair x logistic or hinge.

    Args:
        beta: strength of the pull to the reference.
        share: weight of the judged aspect, in (0, 1].
        others: weights of the other aspects, in the order of the column's rewards; by default all the rest on one.
        column: the other aspects' rewards, [n] or [n, k].
        link: ``logistic`` or ``hinge``.
        soft: use the annotators' probabilities.
    """

    source = "Zhou et al. 2023 (MODPO)"
    peers: ClassVar[Mapping[str, str]] = {"MODPO": "MODPOTrainer"}

    def __init__(
        self,
        beta: float = 0.1,
        share: float = 0.5,
        others: Sequence[float] | None = None,
        column: str = "other_reward",
        link: Literal["logistic", "hinge"] = "logistic",
        soft: bool = False,
    ) -> None:
        weights = [1 - share] if others is None else others
        score = LessRewards(LogRatio(beta), column, weights, share)
        super().__init__(score, Pairwise(), Hinge() if link == "hinge" else Logistic(), belief=AsJudged(soft))


class VPO(Objective):
    """Value-incentivised preference optimization: DPO loss, and the mean log-ratio of calibration samples.

    Optimistic (online) pushes the samples' likelihood down, which is a bonus for what has not been seen; pessimistic
    (offline) pushes it up. The term is alpha * beta * (log policy - log reference) with that sign; it is published as
    a sum over all pairs beside one expectation, here both are means, so alpha stands for the published alpha over the
    number of pairs. From knowledge of the paper. Axes: log-ratio x pair x logistic, regulariser calibration value.

    Args:
        beta: strength of the pull to the reference.
        alpha: of the value term, not negative.
        attitude: optimistic or pessimistic.
        soft: use the annotators' probabilities.
    """

    source = "Cen et al. 2024"

    def __init__(
        self,
        beta: float = 0.1,
        alpha: float = 0.1,
        attitude: Literal["optimistic", "pessimistic"] = "pessimistic",
        soft: bool = False,
    ) -> None:
        if attitude not in ("optimistic", "pessimistic"):
            raise InputError(f"attitude: no {attitude!r}; choose optimistic or pessimistic")
        weight = alpha * beta if attitude == "optimistic" else -alpha * beta
        super().__init__(
            LogRatio(beta),
            Pairwise(),
            Logistic(),
            regularisers=[CalibrationValue(weight)],
            belief=AsJudged(soft),
        )


class RewardGapDPO(Objective):
    """Reward-aware preference optimization (RPO): the implied gap of rewards is brought to a given one.

    With d = beta * (h_w - h_l) and g = scale * (given reward of w - of l): ``squared`` (d - g) ** 2; ``backward_kl``
    KL(sigmoid(g) || sigmoid(d)) over the two orders; ``forward_kl`` KL(sigmoid(d) || sigmoid(g)). Relied on: names and
    direction as remembered from NeMo-Aligner (rpo_sq, rpo_bwd_kl, rpo_fwd_kl). Axes: log-ratio x given gaps x squared
    or KL.

    Args:
        beta: strength of the pull to the reference.
        distance: of the two gaps.
        scale: what a unit of the given reward is worth.
        column: the given reward.
        reduction: sum or mean of the log-ratio over tokens.
    """

    source = "Adler et al. 2024 (Nemotron-4 340B), section 3.3.2; Sun et al. 2025 (RPO)"
    peers: ClassVar[Mapping[str, str]] = {"NeMo-Aligner": "rpo_sq, rpo_bwd_kl, rpo_fwd_kl"}

    def __init__(
        self,
        beta: float = 0.1,
        distance: Literal["squared", "backward_kl", "forward_kl"] = "backward_kl",
        scale: float = 1.0,
        column: str = "reward",
        reduction: Reduction = "sum",
    ) -> None:
        links = {"squared": lambda: SquaredLead(0.0), "backward_kl": BackwardKL, "forward_kl": ForwardKL}
        if distance not in links:
            raise InputError(f"distance: no {distance!r}; choose {', '.join(links)}")
        super().__init__(LogRatio(beta, reduction), GivenGaps(column, scale), links[distance]())


class DPOLikelihood(Objective):
    """DPO and the likelihood of the chosen option: pair_weight * DPO loss + likelihood * -log policy(chosen).

    The DPO + SFT of iterative reasoning preference optimization, of MPO and of temporal preference optimization for
    video (there pair_weight 1, likelihood 0.1 to 1). Axes: log-ratio x pair x logistic, regulariser likelihood.

    Args:
        beta: strength of the pull to the reference.
        pair_weight: of the DPO loss.
        likelihood: of the likelihood.
        reduction: of the likelihood, mean over tokens or sum.
    """

    source = "Pang et al. 2024, eq. 1; TPO for long-form video, 2025"
    peers: ClassVar[Mapping[str, str]] = {
        "TRL": "sigmoid + sft",
        "OpenRLHF": "nll_loss_coef",
        "LLaMA-Factory": "pref_ftx",
        "NeMo-RL": "sft_loss_weight",
    }

    def __init__(
        self,
        beta: float = 0.1,
        pair_weight: float = 1.0,
        likelihood: float = 1.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            LogRatio(beta),
            Pairwise(),
            Logistic(),
            regularisers=[ChosenLikelihood(likelihood, reduction)],
            weights=[] if pair_weight == 1 else [Constant(pair_weight)],
        )


class ScoreDPO(Objective):
    """UV-CoT's score-DPO: -log sigmoid(beta * (h_w - h_l) - scale * (score of w - score of l)), with the likelihood.

    Larger score gaps ask for larger leads. The paper's loss has the offset; the released trainer has no offset and
    0.1 * DPO loss + 0.9 * -mean log policy(chosen), which is ``scale=0, pair_weight=0.1, likelihood=0.9``. Relied on:
    the offset is commented out in the code. Axes: log-ratio less margin x pair x logistic, regulariser likelihood.

    Args:
        beta: strength of the pull to the reference.
        scale: what a unit of score is worth as margin.
        column: the score of each option.
        pair_weight: of the pair loss.
        likelihood: of the likelihood, a mean over tokens; 0 leaves it out.
    """

    source = "UV-CoT, 2025"
    peers: ClassVar[Mapping[str, str]] = {"UV-CoT": "score-DPO"}

    def __init__(
        self,
        beta: float = 0.1,
        scale: float = 1.0,
        column: str = "reward",
        pair_weight: float = 1.0,
        likelihood: float = 0.0,
    ) -> None:
        super().__init__(
            LessMargin(LogRatio(beta), column, scale),
            Pairwise(),
            Logistic(),
            regularisers=[ChosenLikelihood(likelihood)] if likelihood else [],
            weights=[] if pair_weight == 1 else [Constant(pair_weight)],
        )
