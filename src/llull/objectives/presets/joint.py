"""Objectives that compare across contexts, or that look at more than one comparison at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from llull.errors import InputError
from llull.objectives.axes import Regulariser
from llull.objectives.links.logistic import Logistic
from llull.objectives.objective import Objective
from llull.objectives.regularisers.contrast import LinearContrast
from llull.objectives.regularisers.kept import TokenKL
from llull.objectives.regularisers.likelihood import ChosenLikelihood
from llull.objectives.regularisers.rationales import LogisticLikelihood
from llull.objectives.scores.bent_probability import LogOdds
from llull.objectives.scores.log_ratio import LogRatio
from llull.objectives.structures.contrasts import WeightedContrasts
from llull.objectives.structures.pairwise import Pairwise
from llull.objectives.weights.confidence import ByReferenceDrop
from llull.objectives.weights.factors import Constant

Form = Literal["likelihood", "logistic"]


class DOVE(Objective):
    """Joint preference: DPO between answers to two contexts, -log sigmoid(s(w) - s(l)).

    A pair's options may respond to different contexts; each is measured against its own reference score, so that how
    hard a context is drops out. DPO where both respond to one. Axes: log-ratio x pair x logistic.

    Args:
        beta: strength of the pull to the reference.
    """

    source = "Bansal et al. 2024 (DOVE)"

    def __init__(self, beta: float = 0.1) -> None:
        super().__init__(LogRatio(beta), Pairwise(), Logistic())


class MAPL(Objective):
    """Multi-level aware preferences: DPO, one answer under two contexts, and the margins of two pairs.

    Units ``intra`` are pairs of one answer under a context that it satisfies and one that it violates. Units ``inter``
    are lists of four: chosen and rejected answer under the context where the margin should be larger, then both under
    the other; their loss is -log sigmoid(m_a - m_b). The inter form is inferred from the abstract. Axes: log-ratio x
    pair x logistic, regularisers contrasts.

    Args:
        beta: strength of the pull to the reference.
        intra: weight of contrasts within an answer; 0 leaves them out.
        inter: weight of contrasts of margins; 0 leaves them out.
    """

    source = "MAPL, 2025"

    def __init__(self, beta: float = 0.1, intra: float = 1.0, inter: float = 1.0) -> None:
        score, link = LogRatio(beta), Logistic()
        beside: list[Regulariser] = []
        if intra:
            beside.append(LinearContrast("intra", intra, score, link, (1, -1)))
        if inter:
            beside.append(LinearContrast("inter", inter, score, link, (1, -1, -1, 1)))
        super().__init__(score, Pairwise(), link, regularisers=beside)


class C3PO(Objective):
    """DPO where feedback applies, and the model's own answers kept where it does not.

    Units ``keep_near`` are the model's answers to contexts that are near but out of scope, ``keep_general`` those to
    any other; both keep their mean token likelihood. ``distilled`` puts KL(reference || policy) of whole distributions
    in its place. Axes: log-ratio x pair x logistic, regularisers likelihood and token divergence.

    Args:
        beta: strength of the pull to the reference.
        near: weight of near contexts.
        general: weight of general contexts.
        distilled: share of the divergence in what keeps answers, in [0, 1]; the rest is likelihood.
    """

    source = "Stephan et al. 2024 (C3PO), with the released configuration"

    def __init__(self, beta: float = 0.1, near: float = 0.1, general: float = 0.2, distilled: float = 0.0) -> None:
        if not 0 <= distilled <= 1:
            raise InputError(f"distilled: a share in [0, 1], not {distilled:g}")
        keep: list[Regulariser] = []
        for weight, of in ((near, "keep_near"), (general, "keep_general")):
            if distilled < 1:
                keep.append(ChosenLikelihood((1 - distilled) * weight, "mean", of))
            if distilled:
                keep.append(TokenKL(distilled * weight, of))
        super().__init__(LogRatio(beta), Pairwise(), Logistic(), regularisers=keep)


class RDPO(Objective):
    """DPO and the likelihood of rationales: why one answer is better than the other, the units ``rationale``.

    Form ``likelihood`` adds gamma times the rationale's negative log-likelihood, ``logistic`` adds
    -log sigmoid(gamma * log-likelihood), as the released code; both per token, so that long rationales do not
    saturate. Axes: log-ratio x pair x logistic, regulariser likelihood.

    Args:
        beta: strength of the pull to the reference.
        gamma: of the rationale.
        form: which.
    """

    source = "Just et al. 2024 (RDPO)"

    def __init__(self, beta: float = 0.1, gamma: float = 0.1, form: Form = "likelihood") -> None:
        super().__init__(LogRatio(beta), Pairwise(), Logistic(), regularisers=[_rationale(gamma, form)])


class RORPO(Objective):
    """ORPO and the likelihood of rationales, the units ``rationale``; forms as in `RDPO`.

    Axes: log odds x pair x logistic, factor beta, regularisers likelihood of the chosen answer and of rationales.

    Args:
        beta: weight of the odds ratio.
        gamma: of the rationale.
        form: which.
    """

    source = "Just et al. 2024 (RORPO)"

    def __init__(self, beta: float = 0.1, gamma: float = 0.1, form: Form = "likelihood") -> None:
        super().__init__(
            LogOdds(),
            Pairwise(),
            Logistic(),
            regularisers=[ChosenLikelihood(), _rationale(gamma, form)],
            weights=[Constant(beta)],
        )


class MCMDPO(Objective):
    """Multifaceted contrasts: -log sigmoid of a weighted mean of leads over up to seven corruptions of a true triple.

    Units are lists: the true combination of context, image and text first, then those with the text, image, context,
    context and text, image and text, context and image, and all three replaced. Axes: log-ratio x contrasts x logistic.

    Args:
        beta: strength of the pull to the reference.
        weights: of the contrasts, in that order; their sum divides.
    """

    source = "MCM-DPO, 2025, with the released weights"

    def __init__(self, beta: float = 0.1, weights: Sequence[float] = (1.0, 0.5, 0.5, 0.2, 0.2, 0.2, 0.2)) -> None:
        super().__init__(LogRatio(beta), WeightedContrasts(weights), Logistic())


class VDPO(Objective):
    """One answer under the true context against the same answer under an altered one.

    With ``scale``, pairs count 1 - exp(-drop / scale), the drop being how much less likely the reference finds the
    answer under the altered context; this soft confidence is our reading of the paper. Axes: log-ratio x pair x
    logistic, weight by drop, regulariser likelihood.

    Args:
        beta: strength of the pull to the reference.
        scale: of the drop; 0 lets every pair count the same.
        likelihood: weight of the answer's likelihood under the true context.
    """

    source = "PaMi-VDPO, 2025; the selection of altered contexts is a data step"

    def __init__(self, beta: float = 0.1, scale: float = 1.0, likelihood: float = 0.0) -> None:
        if scale < 0:
            raise InputError(f"scale must not be negative, not {scale:g}")
        super().__init__(
            LogRatio(beta),
            Pairwise(),
            Logistic(),
            regularisers=[ChosenLikelihood(likelihood)] if likelihood else [],
            weights=[ByReferenceDrop(scale)] if scale else [],
        )


def _rationale(gamma: float, form: Form) -> Regulariser:
    if form not in ("likelihood", "logistic"):
        raise InputError(f"form: no {form!r}; choose likelihood or logistic")
    if form == "logistic":
        return LogisticLikelihood("rationale", gamma)
    return ChosenLikelihood(gamma, "mean", "rationale")
