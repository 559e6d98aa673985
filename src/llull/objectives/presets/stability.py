"""Objectives that keep likelihoods, unseen options or latent spaces from drifting."""

from __future__ import annotations

from llull.objectives.links.logistic import Logistic
from llull.objectives.objective import Objective
from llull.objectives.regularisers.kept import SampledKL
from llull.objectives.regularisers.latent import LatentDistance
from llull.objectives.regularisers.likelihood import ChosenLikelihood
from llull.objectives.scores.log_ratio import LogRatio
from llull.objectives.scores.two_betas import TwoBetas
from llull.objectives.structures.pairwise import Pairwise


class FlexDPO(Objective):
    """DPO with a beta for either side, -log sigmoid(beta_w h(w) - beta_l h(l)), and the likelihood of the chosen one.

    A smaller beta of the rejected option slows its fall. Axes: two betas x pair x logistic, regulariser likelihood.

    Args:
        beta: of the chosen option.
        rejected: beta of the rejected option.
        likelihood: weight of the mean token likelihood of the chosen option; 0 leaves it out.
    """

    source = "3D-Properties, 2024"

    def __init__(self, beta: float = 0.1, rejected: float = 0.08, likelihood: float = 0.0) -> None:
        keep = [ChosenLikelihood(likelihood)] if likelihood else []
        super().__init__(TwoBetas(beta, rejected), Pairwise(), Logistic(), regularisers=keep)


class HyPO(Objective):
    """DPO, and KL(policy || reference) on the policy's own samples, the units ``samples``.

    The KL has its score-function gradient with the other samples of the context as baseline; their options' context is
    the column ``context``. Axes: log-ratio x pair x logistic, regulariser sampled KL. Relies on knowledge of the
    method.

    Args:
        beta: strength of the pull to the reference.
        kl: weight of the divergence.
    """

    source = "Song et al. 2024 (HyPO)"

    def __init__(self, beta: float = 0.1, kl: float = 1e-4) -> None:
        super().__init__(LogRatio(beta), Pairwise(), Logistic(), regularisers=[SampledKL(kl)])


class GRACE(Objective):
    """DPO, and a latent space in which safe answers lie apart from adverse ones and adverse ones together.

    Units ``separate`` are pairs of a safe and an unsafe or jailbreak answer, kept at least ``margin`` apart; units
    ``gather`` are pairs of an unsafe and a jailbreak answer, kept within ``radius``. The form is our reading of the
    public outline. Axes: log-ratio x pair x logistic, regularisers latent distances.

    Args:
        beta: strength of the pull to the reference.
        separate: weight of the first.
        gather: weight of the second.
        margin: least distance of the first.
        radius: largest distance of the second.
    """

    source = "GRACE (ALKALI), 2025"

    def __init__(
        self, beta: float = 0.1, separate: float = 1.0, gather: float = 1.0, margin: float = 1.0, radius: float = 0.1
    ) -> None:
        super().__init__(
            LogRatio(beta),
            Pairwise(),
            Logistic(),
            regularisers=[
                LatentDistance("separate", separate, margin),
                LatentDistance("gather", gather, radius, apart=False),
            ],
        )
