"""Objectives of policies that answer while they still read."""

from __future__ import annotations

from llull.objectives.links.logistic import Logistic
from llull.objectives.objective import Objective
from llull.objectives.regularisers.latency import ExpectedLag, GivenWrite, Measure, WriteHead
from llull.objectives.scores.log_ratio import LogRatio
from llull.objectives.structures.pairwise import Pairwise


class SimulDPO(Objective):
    """DPO on translations written while their source is read, and the expected lag of the preferred one.

    Log-probabilities must be those of each token given only the words read before it: with the whole source the future
    leaks. Units ``prefixes`` are the preferred translations' prefixes, as `ExpectedLag` takes them. Which lag the paper
    uses is a reconstruction. Axes: log-ratio x pair x logistic, regulariser expected lag.

    Args:
        beta: strength of the pull to the reference.
        latency: of the lag, in source words; 0 leaves it out.
        measure: ``mean`` over all tokens, or ``average`` over those before the source's end.
        allowance: the lag that costs nothing.
        column: known probabilities to write; without it a head on hidden states learns them.
        width: of the hidden state; found from the model if not given.
    """

    source = "SimulPL, 2025"

    def __init__(
        self,
        beta: float = 0.1,
        latency: float = 0.1,
        measure: Measure = "mean",
        allowance: float = 0.0,
        column: str | None = None,
        width: int | None = None,
    ) -> None:
        write = WriteHead(width) if column is None else GivenWrite(column)
        lag = [ExpectedLag(latency, measure, allowance, write)] if latency else []
        super().__init__(LogRatio(beta), Pairwise(), Logistic(), regularisers=lag)
