"""Objectives of reward models: an option's value is a reward, not a log-probability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from llull.errors import InputError
from llull.objectives.links.logistic import Logistic
from llull.objectives.links.ties import Davidson
from llull.objectives.objective import Objective
from llull.objectives.regularisers.centering import Centering
from llull.objectives.scores.offsets import LessMargin
from llull.objectives.scores.reward import Reward
from llull.objectives.structures.pairwise import Pairwise


class BradleyTerryReward(Objective):
    """Reward of a pair's chosen option above that of its rejected one: -log sigmoid(r(w) - r(l) - margin).

    Reads rewards, so it trains a reward model (`llull.align.reward_model.RewardModel`), not a policy.
    Axes: reward x pair x logistic (or Davidson) + centering.

    Args:
        margin: ``none``, or ``strength``: by how much the chosen option was judged better, where that is known.
        scale: of the margin.
        centering: weight of (r(w) + r(l)) ** 2; 0 leaves it out.
        ties: ``half``: a tie counts as half of each order; ``davidson``: ties have a probability of their own, whose
            parameter is learned with the reward.
    """

    source = "Ouyang et al. 2022, eq. 1; margin: Touvron et al. 2023, eq. 2; centering: Eisenstein et al. 2023"
    peers: ClassVar[Mapping[str, str]] = {
        "TRL": "RewardTrainer",
        "OpenRLHF": "train_rm: sigmoid",
        "LLaMA-Factory": "stage rm",
        "NeMo-Aligner": "binary_ranking",
        "open-instruct": "reward_modeling",
    }

    def __init__(
        self,
        margin: Literal["none", "strength"] = "none",
        scale: float = 1.0,
        centering: float = 0.0,
        ties: Literal["half", "davidson"] = "half",
    ) -> None:
        if margin not in ("none", "strength"):
            raise InputError(f"margin {margin!r}: choose none or strength")
        if ties not in ("half", "davidson"):
            raise InputError(f"ties {ties!r}: choose half or davidson")
        score = Reward() if margin == "none" else LessMargin(Reward(), scale=scale)
        link = Logistic() if ties == "half" else Davidson(learned=True)
        super().__init__(score, Pairwise(), link, regularisers=[Centering(centering)] if centering else [])
