"""Objectives on options judged alone, and on rewards whose sign matters."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from llull.errors import InputError
from llull.objectives.batch import Batch, SingleUnits
from llull.objectives.links.likelihoods import SignedLikelihood, Unlikelihood, WithAbsolute
from llull.objectives.links.separate import Classifier, SigmoidUtility
from llull.objectives.objective import Objective
from llull.objectives.regularisers.kept import CoveringKL
from llull.objectives.scores.log_probability import LogProbability
from llull.objectives.scores.log_ratio import LogRatio
from llull.objectives.scores.reward import Reward
from llull.objectives.structures.pairwise import Pairwise
from llull.objectives.structures.single import MismatchedMean, RunningMean, Single
from llull.objectives.weights.verdicts import ByVerdict, MatchedContexts


class KTO(Objective):
    """Kahneman-Tversky optimization: 1 - sigmoid(s - z) of an accepted option, 1 - sigmoid(z - s) of a rejected one.

    z = max(0, mean score of the units ``mismatched``) over the whole window, no gradient. Axes: log-ratio x single x
    sigmoid utility, weights by verdict.

    Args:
        beta: strength of the pull to the reference.
        desirable: weight of accepted options.
        undesirable: weight of rejected options.
    """

    source = "Ethayarajh et al. 2024, eqs. 7 and 8"
    peers: ClassVar[Mapping[str, str]] = {
        "TRL": "kto",
        "OpenRLHF": "train_kto",
        "LLaMA-Factory": "kto",
        "axolotl": "kto",
        "HALOs": "kto",
        "Liger": "kto",
    }

    def __init__(self, beta: float = 0.1, desirable: float = 1.0, undesirable: float = 1.0) -> None:
        score = LogRatio(beta)
        structure = Single(MismatchedMean(score))
        super().__init__(score, structure, SigmoidUtility(), weights=[ByVerdict(desirable, undesirable)])


class APOZeroUnpaired(Objective):
    """Anchored preference optimization without pairs: 1 - sigmoid(s) of an accepted option, sigmoid(s) of a rejected.

    KTO whose reference point stays at 0. Axes: log-ratio x single x sigmoid utility, weights by verdict.

    Args:
        beta: strength of the pull to the reference.
        desirable: weight of accepted options.
        undesirable: weight of rejected options.
    """

    source = "D'Oosterlinck et al. 2024"
    peers: ClassVar[Mapping[str, str]] = {"TRL": "apo_zero_unpaired", "Liger": "apo_zero"}

    def __init__(self, beta: float = 0.1, desirable: float = 1.0, undesirable: float = 1.0) -> None:
        super().__init__(LogRatio(beta), Single(), SigmoidUtility(), weights=[ByVerdict(desirable, undesirable)])


class BCO(Objective):
    """Binary classifier optimization: -log sigmoid(s - shift) of accepted, -log sigmoid(shift - s) of rejected options.

    The shift is the running mean of all scores. With ``matched``, rejected options are weighted so that their contexts
    are distributed as those of accepted ones. Axes: log-ratio x single x classifier.

    Args:
        beta: strength of the pull to the reference.
        matched: weight rejected options by the column ``context_features``.
    """

    source = "Jung et al. 2024"
    peers: ClassVar[Mapping[str, str]] = {"TRL": "bco (until it was removed)", "LLaMA-Factory": "bco_pair"}

    def __init__(self, beta: float = 0.1, matched: bool = False) -> None:
        weights = [MatchedContexts()] if matched else []
        super().__init__(LogRatio(beta), Single(RunningMean()), Classifier(), weights=weights)


class PMPO(Objective):
    """Preference optimization as inference: likelihood of accepted up, of rejected down, KL(reference || policy) kept.

    -share * mean_accepted log policy + (1 - share) * mean_rejected log policy + kl * KL on the units
    ``reference_samples``. Means are over each verdict of the whole data set. The loss has a least value only if
    every rejected option y is held: kl * p_reference(y) + share * p_accepted(y) > (1 - share) * p_rejected(y), with
    p the shares in samples and judgments; rejected options alone (share 0) need kl above the largest p_rejected /
    p_reference. Less than kl > 1 - 2 share cannot do that and is refused. Where samples and judgments are of the
    same options, those that are left unheld are warned of at the start, with the kl that would hold them. Where
    each option is seen once, as texts are, no data hold a rejected option, and only what the model shares between
    texts does: watch the likelihood of held-out options, and stop early. Where it holds, the tabular optimum is
    [share * p_accepted - (1 - share) * p_rejected + kl * p_reference] / (2 share - 1 + kl). Axes: log-probability x
    single x signed likelihood, weights evened by verdict, regulariser covering KL. Relies on knowledge of the
    method.

    Args:
        share: of accepted options, in [0, 1]; 1 accepted only, 0 rejected only.
        kl: weight of the divergence.
    """

    source = "Abdolmaleki et al. 2024 (PMPO)"

    def __init__(self, share: float = 0.5, kl: float = 1.0) -> None:
        if not 0 <= share <= 1 or kl < 0:
            raise InputError(f"share {share:g} must lie in [0, 1] and kl {kl:g} must not be negative")
        if share < 1 and not kl > 1 - 2 * share:
            raise InputError(
                f"kl {kl:g} lets rejected options fall without bound at share {share:g}: take more than "
                f"{max(1 - 2 * share, 0):g}"
            )
        super().__init__(
            LogProbability(1.0, "sum"),
            Single(),
            SignedLikelihood(),
            regularisers=[CoveringKL(kl)] if kl else [],
            weights=[ByVerdict(share, 1 - share, even=True)],
        )
        self.share, self.kl = share, kl

    def begin(self, everything: Batch) -> None:
        """Besides, warn if rejected options can fall without end."""
        super().begin(everything)
        units, samples = everything.main, everything.units.get("reference_samples")
        if self.share == 1 or not isinstance(units, SingleUnits) or not len(units):
            return
        weight, accept = units.weight.double(), units.accept.double()

        def shares(option: Tensor, weight: Tensor) -> Tensor:
            total = weight.new_zeros(len(everything.options)).index_add(0, option, weight)
            return total / weight.sum().clamp(min=1e-12)

        rejected = (1 - self.share) * shares(units.option, weight * (1 - accept))
        accepted = self.share * shares(units.option, weight * accept)
        sampled = rejected.new_zeros(len(rejected))
        if isinstance(samples, SingleUnits):
            sampled = shares(samples.option, samples.weight.double())
        if not bool(((rejected > 0) & (accepted + sampled > 0)).any()):
            # Each option is seen once, so that counts say nothing of what holds it.
            return
        loose = rejected > accepted + self.kl * sampled
        if bool(loose.any()):
            reached = loose & (sampled > 0)
            cure = "more samples of the reference hold them, or a larger share"
            if bool(reached.any()):
                least = ((rejected - accepted)[reached] / sampled[reached]).max().item()
                cure = f"kl above {least:.3g} holds the {int(reached.sum()):,} of them that the samples contain"
            warnings.warn(
                f"PMPO: {int(loose.sum()):,} of {int((rejected > 0).sum()):,} rejected options are rejected more often "
                f"than samples of the reference and acceptances hold, and their likelihood falls without end; {cure}",
                stacklevel=2,
            )


class AcceptReject(Objective):
    """Likelihood of accepted options, unlikelihood of rejected ones: -log p, -log(1 - p) of mean token probabilities.

    Axes: log-probability x single x unlikelihood, weights by verdict.

    Args:
        rejected: weight of rejected options.
    """

    source = "Welleck et al. 2019 (unlikelihood), of whole answers"

    def __init__(self, rejected: float = 1.0) -> None:
        super().__init__(LogProbability(1.0, "mean"), Single(), Unlikelihood(), weights=[ByVerdict(1.0, rejected)])


class EurusReward(Objective):
    """Rewards with a sign: -log sigmoid(r_w - r_l) - absolute * (log sigmoid(r_w) + log sigmoid(-r_l)).

    Reads rewards, so it trains a reward model. Axes: reward x pair x logistic with absolute terms. The form relies on
    knowledge of the paper.

    Args:
        absolute: weight of the two absolute terms.
    """

    source = "Yuan et al. 2024 (Eurus), section 3"

    def __init__(self, absolute: float = 1.0) -> None:
        super().__init__(Reward(), Pairwise(), WithAbsolute(absolute))
