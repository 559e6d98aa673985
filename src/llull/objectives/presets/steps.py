"""Objectives on sibling steps: pairs of continuations of one prefix, of which only the step itself is scored."""

from __future__ import annotations

from llull.objectives.links.logistic import Logistic
from llull.objectives.objective import Objective
from llull.objectives.regularisers.likelihood import ChosenLikelihood
from llull.objectives.regularisers.values import ValueHead
from llull.objectives.scores.inside import WeightedTokens
from llull.objectives.scores.log_ratio import LogRatio
from llull.objectives.structures.pairwise import Pairwise


class StepDPO(Objective):
    """DPO between sibling steps: -log sigmoid(s(w) - s(l)), the context being the question and the steps before.

    Axes: log-ratio x pair x logistic.

    Args:
        beta: strength of the pull to the reference.
    """

    source = "Step-DPO, 2024"

    def __init__(self, beta: float = 0.1) -> None:
        super().__init__(LogRatio(beta), Pairwise(), Logistic())


class SVPO(Objective):
    """Step-level DPO with a value head that learns the steps' values and copies their order.

    Values of steps are the column ``value``, from a tree search. Weights and margin are inferred. Axes: log-ratio x
    pair x logistic, regulariser value head.

    Args:
        beta: strength of the pull to the reference.
        error: weight of the squared errors of values.
        order: weight of the ranking hinge on values.
        margin: of that hinge.
        width: of the hidden state; found from the model if not given.
    """

    source = "SVPO, 2024"

    def __init__(
        self,
        beta: float = 0.1,
        error: float = 1.0,
        order: float = 1.0,
        margin: float = 0.1,
        width: int | None = None,
    ) -> None:
        super().__init__(LogRatio(beta), Pairwise(), Logistic(), regularisers=[ValueHead(error, order, margin, width)])


class RISE(Objective):
    """DPO on answers and on steps with injected errors, and the likelihood of the chosen option.

    Main units hold both kinds of pairs. ``edited`` reads token weights, so that only edited tokens count. Weights are
    inferred. Axes: log-ratio (or weighted tokens) x pair x logistic, regulariser likelihood.

    Args:
        beta: strength of the pull to the reference.
        likelihood: weight of the mean token likelihood of the chosen option.
        edited: count tokens by their given weights.
    """

    source = "RISE, 2024"

    def __init__(self, beta: float = 0.1, likelihood: float = 0.05, edited: bool = False) -> None:
        score = WeightedTokens(beta) if edited else LogRatio(beta)
        super().__init__(score, Pairwise(), Logistic(), regularisers=[ChosenLikelihood(likelihood)])
