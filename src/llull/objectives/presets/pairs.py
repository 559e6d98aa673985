"""Objectives on pairs that compare with a reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from llull.objectives.links.logistic import Logistic
from llull.objectives.objective import Objective
from llull.objectives.scores.log_ratio import LogRatio, Reduction
from llull.objectives.structures.pairwise import Pairwise


class DPO(Objective):
    """Direct preference optimization: -log sigmoid(beta * (log-ratio of chosen - log-ratio of rejected)).

    With ``reduction="mean"`` the log-ratios are per token (sigmoid_norm in TRL, dpo_norm in open-instruct).
    Axes: log-ratio x pair x logistic.

    Args:
        beta: strength of the pull to the reference.
        reduction: sum or mean of the log-ratio over tokens.
    """

    source = "Rafailov et al. 2023, eq. 7"
    peers: ClassVar[Mapping[str, str]] = {
        "TRL": "sigmoid",
        "OpenRLHF": "dpo",
        "LLaMA-Factory": "sigmoid",
        "NeMo-RL": "dpo",
        "torchtune": "DPOLoss",
    }

    def __init__(self, beta: float = 0.1, reduction: Reduction = "sum") -> None:
        super().__init__(LogRatio(beta, reduction), Pairwise(), Logistic())
