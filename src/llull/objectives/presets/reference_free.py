"""Objectives on pairs that need no reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from llull.errors import InputError
from llull.objectives.links.logistic import Logistic
from llull.objectives.links.margins import Hinge
from llull.objectives.links.worlds import (
    CCPO_STRUCTURE,
    CFUNL_STRUCTURE,
    CROSS_ENTROPY,
    UNCPO_STRUCTURE,
    UNLIKELIHOOD,
    PreferenceStructure,
    compile_loss,
)
from llull.objectives.objective import Objective
from llull.objectives.regularisers.likelihood import ChosenLikelihood
from llull.objectives.scores.bent_probability import DenoisingMargin, LogOdds, PowerOfProbability
from llull.objectives.scores.log_probability import LogProbability
from llull.objectives.scores.log_ratio import Reduction
from llull.objectives.structures.pairwise import Pairwise
from llull.objectives.weights.beliefs import Smoothed
from llull.objectives.weights.factors import Constant


class SimPO(Objective):
    """-log sigmoid(beta * (mean log-probability of chosen - of rejected) - gamma).

    Axes: log-probability (mean) x pair x logistic with margin, belief smoothed.

    Args:
        beta: what a nat per token is worth.
        gamma: the lead asked for.
        noise: chance that a judgment is wrong, in [0, 0.5).
    """

    source = "Meng et al. 2024, eq. 6"
    peers: ClassVar[Mapping[str, str]] = {
        "TRL": "CPO simpo",
        "LLaMA-Factory": "simpo",
        "open-instruct": "simpo",
        "HALOs": "simpo",
        "align-anything": "SimPO",
        "Liger": "simpo",
    }

    def __init__(self, beta: float = 2.0, gamma: float = 1.0, noise: float = 0.0) -> None:
        belief = Smoothed(noise) if noise else None
        super().__init__(LogProbability(beta, "mean"), Pairwise(), Logistic(gamma), belief=belief)


class CPO(Objective):
    """Contrastive preference optimization: -log sigmoid(beta * (log p_w - log p_l)) + likelihood of the chosen option.

    Axes: log-probability (sum) x pair x logistic, regulariser likelihood, belief smoothed.

    Args:
        beta: what a nat is worth.
        likelihood: weight of -log p_w; 0 leaves it out.
        reduction: of the likelihood, mean over tokens or sum.
        noise: chance that a judgment is wrong, in [0, 0.5).
    """

    source = "Xu et al. 2024 (CPO), eq. 5"
    peers: ClassVar[Mapping[str, str]] = {"TRL": "CPO sigmoid", "axolotl": "simpo through CPO", "Liger": "cpo"}

    def __init__(
        self, beta: float = 0.1, likelihood: float = 1.0, reduction: Reduction = "mean", noise: float = 0.0
    ) -> None:
        super().__init__(
            LogProbability(beta, "sum"),
            Pairwise(),
            Logistic(),
            regularisers=[ChosenLikelihood(likelihood, reduction)] if likelihood else [],
            belief=Smoothed(noise) if noise else None,
        )


class SLiC(Objective):
    """Sequence likelihood calibration: max(0, delta - beta * (log p_w - log p_l)) + likelihood of a good answer.

    The answer to be kept likely is the chosen one, or the units "gold" where they are given. Axes: log-probability
    (sum) x pair x hinge, regulariser likelihood.

    Args:
        delta: the lead from which on nothing is lost.
        beta: what a nat is worth.
        likelihood: weight of the likelihood; 0 leaves it out.
        keep: ``main`` for the chosen options, or the name of units of answers to keep.
    """

    source = "Zhao et al. 2023 (SLiC-HF), eq. 2"
    peers: ClassVar[Mapping[str, str]] = {"TRL": "CPO hinge", "HALOs": "slic"}

    def __init__(self, delta: float = 1.0, beta: float = 1.0, likelihood: float = 0.1, keep: str = "main") -> None:
        super().__init__(
            LogProbability(beta, "sum"),
            Pairwise(),
            Hinge(delta),
            regularisers=[ChosenLikelihood(likelihood, of=keep)] if likelihood else [],
        )


class ORPO(Objective):
    """Odds ratio preference optimization: -mean log p_w - beta * log sigmoid(log odds of w - log odds of l).

    Odds are of the geometric mean of token probabilities. The likelihood is of the chosen answer; TRL's goes over the
    prompt as well. Axes: log odds x pair x logistic, factor beta, regulariser likelihood.

    Args:
        beta: weight of the odds ratio.
        likelihood: weight of the likelihood.
    """

    source = "Hong et al. 2024, eqs. 6 and 7"
    peers: ClassVar[Mapping[str, str]] = {
        "TRL": "ORPO",
        "LLaMA-Factory": "orpo",
        "axolotl": "orpo",
        "align-anything": "ORPO",
        "Liger": "orpo",
    }

    def __init__(self, beta: float = 0.1, likelihood: float = 1.0) -> None:
        super().__init__(
            LogOdds(),
            Pairwise(),
            Logistic(),
            regularisers=[ChosenLikelihood(likelihood)],
            weights=[Constant(beta)],
        )


class AlphaPO(Objective):
    """SimPO with a bent reward: -log sigmoid(r_w - r_l - gamma), r = beta * (1 - p ** -alpha) / alpha, p per token.

    Axes: power of probability x pair x logistic with margin.

    Args:
        beta: what a unit is worth.
        gamma: the lead asked for.
        alpha: how far the logarithm is bent; 0 is SimPO.
    """

    source = "AlphaPO, 2025"
    peers: ClassVar[Mapping[str, str]] = {"TRL": "CPO with alpha"}

    def __init__(self, beta: float = 2.5, gamma: float = 0.25, alpha: float = 0.25) -> None:
        super().__init__(PowerOfProbability(beta, alpha), Pairwise(), Logistic(gamma))


class Phantom(Objective):
    """Phantom optimization: SimPO and the likelihood of the chosen option in one pass.

    -log sigmoid(beta * (mean log p_w - mean log p_l) - gamma) - likelihood * mean log p_w. Axes: log-probability (mean)
    x pair x logistic with margin, regulariser likelihood.

    Args:
        beta: what a nat per token is worth.
        gamma: the lead asked for.
        likelihood: weight of the likelihood.
    """

    source = "Phantom of Latent, 2024"

    def __init__(self, beta: float = 2.0, gamma: float = 0.5, likelihood: float = 1.0) -> None:
        super().__init__(
            LogProbability(beta, "mean"), Pairwise(), Logistic(gamma), regularisers=[ChosenLikelihood(likelihood)]
        )


class TriplePO(Objective):
    """Triple preference optimization: -log sigmoid(beta * (log p_w - log p_l) - gamma), and a gold answer's likelihood.

    Gold answers are units "gold" of options judged alone; without any it is the pair loss. With ``reduction="mean"``
    it is TPO-L. Axes: log-probability x pair x logistic with margin, regulariser likelihood of gold.

    Args:
        beta: what a nat is worth.
        gamma: the lead asked for.
        likelihood: weight of the gold answer's likelihood, a mean over tokens.
        reduction: sum or mean of the log-probability over tokens.
    """

    source = "Saeidi et al. 2024 (TPO)"
    peers: ClassVar[Mapping[str, str]] = {"TRL": "TPO sigmoid (sum), tpo-l (mean)"}

    def __init__(
        self, beta: float = 0.1, gamma: float = 0.0, likelihood: float = 1.0, reduction: Reduction = "sum"
    ) -> None:
        super().__init__(
            LogProbability(beta, reduction),
            Pairwise(),
            Logistic(gamma),
            regularisers=[ChosenLikelihood(likelihood, of="gold")],
        )


class MaPO(Objective):
    """Margin-aware preference optimization: e_w - beta * log sigmoid(s(e_w) - s(e_l)), e the denoising errors.

    s(e) = steps * c e / (exp(c e) - 1). The first term keeps the chosen option likely, the second is the margin;
    beta = 0 is plain training on the chosen. For a language model e is the negative mean log-probability, and steps
    should be small. Axes: denoising margin x pair x logistic, factor beta, regulariser likelihood.

    Args:
        beta: weight of the margin.
        steps: what an errorless option is worth; timesteps of a diffusion model.
        constant: c, the constant signal-to-noise ratio.
    """

    source = "Hong et al. 2024 (MaPO)"
    peers: ClassVar[Mapping[str, str]] = {"MaPO": "compute_loss"}

    def __init__(self, beta: float = 0.1, steps: float = 1000.0, constant: float = 0.5) -> None:
        super().__init__(
            DenoisingMargin(steps, constant),
            Pairwise(),
            Logistic(),
            regularisers=[ChosenLikelihood(1.0, "mean")],
            weights=[Constant(beta)],
        )


class LogicPO(Objective):
    """A loss compiled from a preference structure: -log sigmoid(beta * log(weight of worlds for / against)).

    A world says which of the two options the model accepts, each with its probability: ``ce`` chosen, p_w
    against 1 - p_w; ``ceunl`` chosen and not rejected, against all else; ``uncpo`` "rejected implies chosen", against
    rejected alone; ``ccpo`` chosen, against rejected alone; ``cfunl`` not rejected, against rejected alone. CPO and
    ORPO have presets of their own. Axes: log-probability x pair x world odds.

    Args:
        structure: a name, or a structure of one's own.
        beta: sharpness.
        reduction: probability of the whole option (sum), or of its average token (mean).
    """

    source = "Richardson et al. 2024 (the logic of direct preference alignment)"

    def __init__(
        self,
        structure: Literal["ce", "ceunl", "uncpo", "ccpo", "cfunl"] | PreferenceStructure = "ccpo",
        beta: float = 1.0,
        reduction: Reduction = "mean",
    ) -> None:
        named = {
            "ce": CROSS_ENTROPY,
            "ceunl": UNLIKELIHOOD,
            "uncpo": UNCPO_STRUCTURE,
            "ccpo": CCPO_STRUCTURE,
            "cfunl": CFUNL_STRUCTURE,
        }
        if isinstance(structure, str):
            if structure not in named:
                raise InputError(f"structure: no {structure!r}; choose {', '.join(named)} or give one of your own")
            structure = named[structure]
        super().__init__(LogProbability(1.0, reduction), Pairwise(), compile_loss(structure, beta))
