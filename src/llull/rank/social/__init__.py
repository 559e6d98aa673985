"""Social choice: from rankings, majorities or utilities to a decision, where no common scale of strength exists."""

from llull.rank.social.axioms import Breach, check, winners
from llull.rank.social.bargaining import Package, Scenario, negotiate
from llull.rank.social.committees import equal_shares
from llull.rank.social.condorcet import (
    KemenyOrder,
    condorcet_winner,
    copeland,
    kemeny,
    majority_cycles,
    minimax,
    ranked_pairs,
    schulze,
    smith_set,
)
from llull.rank.social.lottery import maximal_lottery
from llull.rank.social.profile import Profile, preferred_in
from llull.rank.social.scoring import approval, borda, instant_runoff, plurality
from llull.rank.social.welfare import Welfare, egalitarian, gini, nash_product, utilitarian, welfare

__all__ = [
    "Breach",
    "KemenyOrder",
    "Package",
    "Profile",
    "Scenario",
    "Welfare",
    "approval",
    "borda",
    "check",
    "condorcet_winner",
    "copeland",
    "egalitarian",
    "equal_shares",
    "gini",
    "instant_runoff",
    "kemeny",
    "majority_cycles",
    "maximal_lottery",
    "minimax",
    "nash_product",
    "negotiate",
    "plurality",
    "preferred_in",
    "ranked_pairs",
    "schulze",
    "smith_set",
    "utilitarian",
    "welfare",
    "winners",
]
