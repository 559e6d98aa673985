"""`PreferenceModel`: features, head, link and population, composed."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from llull.encoders import Encoder
from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.views import Options, Pairs
from llull.models import saving
from llull.models.coefficients import Coefficient, coefficient_table
from llull.models.criteria import CriteriaAs, CriteriaRead, known_criteria
from llull.models.fitting.part import Part, Parts
from llull.models.fitting.separation import Separation
from llull.models.fitting.threads import calm_threads
from llull.models.fitting.uncertainty import Doubt, Draw, Spoken, draws_of, margin_variance, quadratic
from llull.models.heads import Head, Linear
from llull.models.links import Link, Logistic
from llull.models.populations import Population, Shared
from llull.models.populations.population import Membership
from llull.models.votes import Scaling, Sides, Votes, identities, only_used


class PreferenceModel:
    """Predicts who prefers what: features x head x link x population.

    It is fitted to the least of

        sum_i weight_i * loss(margin_i)  +  l2 / 2 * sum_j w_j^2

    over the votes i and the weights w, with ``margin = w . (z_winner - z_loser)`` and z the standardized features (see
    `llull.models.votes.Scaling`) for a linear head. The penalty is on the sum of the losses, not on
    their mean: l2 is the precision of a Gaussian prior with mean 0, and does not depend on the number of votes.

    Args:
        features: any encoder; frozen.
        head: what a pair looks like to the weights.
        link: how a margin becomes a probability, and how ties are read.
        population: whose weights they are.
        l2: strength of the penalty; None chooses it by the loss on a fifth of the contexts, for each fit by itself.
            With 0 there is no prior, and a fit without a finite optimum is an error.
        standardize: whether to divide features by their scale. By default all but indicators, such as those of
            `OneHot`, where it would shrink a rare item less than a frequent one.
        criteria: how judgments' criteria enter, as features of the context for a head or a population that reads it:
            by ``names``, an indicator for each, or by ``texts``, which the encoder encodes; not at all if not given.
        seed: of every random choice.

    Examples:
        >>> from llull.encoders import OneHot
        >>> from llull.judgments import Judgment, Preferences, named_option
        >>> def vote(winner, loser):
        ...     return Judgment([named_option(winner), named_option(loser)], ranking=[[0], [1]])
        >>> votes = Preferences.from_judgments([vote("tea", "coffee")] * 3 + [vote("coffee", "tea")])
        >>> model = PreferenceModel(OneHot(), l2=0).fit(votes)
        >>> round(float(model.prob(votes)[0]), 6)
        0.75
    """

    def __init__(
        self,
        features: Encoder,
        head: Head | None = None,
        link: Link | None = None,
        population: Population | None = None,
        *,
        l2: float | None = None,
        standardize: bool | None = None,
        criteria: CriteriaAs | None = None,
        seed: int = 0,
    ) -> None:
        if l2 is not None and not 0 <= l2 < np.inf:
            raise InputError(f"l2={l2} is not a strength; give a number of at least 0, or None to choose it")
        self.features = features
        self.head: Head = head or Linear()
        self.link: Link = link or Logistic()
        self.population: Population = population or Shared()
        self.l2 = l2
        self.standardize = standardize
        self.criteria: CriteriaAs | None = criteria
        self.seed = seed
        if criteria is not None and criteria not in ("names", "texts"):
            raise InputError(f"criteria={criteria!r} is not a way to read criteria; it is names or texts")
        if criteria is not None and not self._reads_context:
            raise InputError(
                f"criteria={criteria!r} needs a head or a population that reads contexts, such as Bilinear; "
                "for a linear head there is the population PerCriterion"
            )

    # Learned state; set by `fit`, `adapt` and `load_model`.
    parts_: Parts
    scaling_: Scaling
    context_scaling_: Scaling | None
    criteria_: tuple[str, ...] = ()
    names_: tuple[str, ...]
    encoder_: Encoder
    descriptions_: tuple[str, ...]
    probe_: saving.Probe

    @calm_threads()
    def fit(self, preferences: Preferences | Pairs) -> PreferenceModel:
        """Fit to these judgments, to the optimum; returns the model itself.

        Raises:
            InputError: the judgments cannot be fitted; the message says why and what to do.
            NotConverged: the optimum was not reached.
        """
        pairs = self.pairs(preferences)
        pairs = only_used(pairs.select(self.link.keep(pairs) & (pairs.weight > 0)))
        if len(pairs) == 0:
            raise InputError(
                "there are no pairs to fit; the judgments rank nothing, or the link leaves all of them out"
            )
        self.encoder_ = self.features.fit(pairs.options)
        encoded = self._encode(pairs.options)
        self.names_, self.descriptions_ = self.encoder_.names, self.encoder_.descriptions
        divide = ~self.encoder_.indicators
        if self.standardize is not None:
            divide = np.full(len(divide), self.standardize)
        self.scaling_ = Scaling.measure(encoded, pairs, pairs.weight, divide)
        rows = self.scaling_.apply(encoded)
        membership = self.population.membership(pairs)
        self.context_scaling_ = None
        if self.criteria is not None:
            self.criteria_ = known_criteria(pairs)
        if self._reads_context:
            known, _ = self._encode_settings(*_judged_in(pairs))
            self.context_scaling_ = Scaling.of_rows(known[np.isfinite(known).all(axis=1)])
        votes = self._votes(pairs, rows, membership)
        self.parts_ = self.population.fit(votes, self.head, self.link, self.l2, self.seed, self.names_)
        self.probe_ = saving.Probe.take(self, votes.sides(), membership)
        return self

    def pairs(self, preferences: Preferences | Pairs) -> Pairs:
        """Pairs with the group that the population needs; pairs are given back as they are."""
        return preferences if isinstance(preferences, Pairs) else preferences.pairs(group=self.population.group_key)

    def votes(self, pairs: Pairs) -> Votes:
        """Pairs as a fitted model reads them: standardized features, members, and what the link makes of them."""
        return self._votes(pairs, self._features(pairs.options), self.population.membership(pairs))

    def prob(self, pairs: Preferences | Pairs, annotator: str | None = None) -> np.ndarray:
        """P(winner preferred to loser), ties counted half: float64 [n]. Swapping a pair gives 1 minus it.

        Args:
            pairs: the pairs to predict; what they say of who won is not read.
            annotator: predict for this member of the population, instead of for the one each pair names.
        """
        outcomes = self.outcomes(pairs, annotator)
        return outcomes[:, 0] + 0.5 * outcomes[:, 1]

    def outcomes(self, pairs: Preferences | Pairs, annotator: str | None = None) -> np.ndarray:
        """Probabilities of win, tie and loss: float64 [n, 3]. Ties are 0 under a link that does not model them."""
        return self.score_sides(*self._sides(pairs, annotator))

    def score_sides(self, sides: Sides, membership: Membership) -> np.ndarray:
        """`outcomes` for rows of standardized features."""
        found = np.zeros((len(sides), 3))
        for part, which, share in self._voices(sides, membership):
            margin = part.contrasts(self.head, sides.select(which)) @ part.weights
            found[which] += share[:, None] * self.link.outcomes(margin, part.theta)
        return found

    def margin(self, pairs: Preferences | Pairs, annotator: str | None = None) -> np.ndarray:
        """Utility of the winner minus that of the loser, in log-odds: float64 [n]."""
        sides, membership = self._sides(pairs, annotator)
        found = np.zeros(len(sides))
        for part, which, share in self._voices(sides, membership):
            found[which] += share * (part.contrasts(self.head, sides.select(which)) @ part.weights)
        return found

    def uncertainty(self, pairs: Preferences | Pairs, annotator: str | None = None) -> np.ndarray:
        """Standard error of each pair's margin: float64 [n], in log-odds.

        It is that of the Laplace approximation (the inverse Hessian of the objective at its optimum,
        penalty included), so it says how far the weights are undetermined, not how far people disagree:
        that is `disagreement`. Of a mixture it is the mean over its parts, as if it were known who judges. What a
        head or a population learned below the weights is taken as known: for what else it could have learned, fit an
        `Ensemble`.
        """
        sides, membership = self._sides(pairs, annotator)
        variance = np.zeros(len(sides))
        for part, which, share in self._voices(sides, membership):
            contrasts = part.contrasts(self.head, sides.select(which))
            variance[which] += share * margin_variance(contrasts, part, self.parts_.shared)
        return np.sqrt(variance)

    def doubt(self, pairs: Preferences | Pairs, annotator: str | None = None, draws: int = 64) -> Doubt:
        """Why each pair's answer cannot be foreseen: what is not known, people who differ, and noise.

        What is not known is the error of the margin by `uncertainty`. People differ as a population says they do:
        those who are not known by the variance of deviations, and everyone by the tastes they may have.

        Args:
            pairs: the pairs to predict.
            annotator: predict for this member of the population, instead of for the one each pair names.
            draws: quantiles of each margin that are taken.
        """
        return Doubt.over(self.answers(pairs, annotator, draws))

    def answers(self, pairs: Preferences | Pairs, annotator: str | None = None, draws: int = 1) -> Iterator[Draw]:
        """What `Doubt.over` takes: answers under draws of the weights; with 0, once under the weights themselves."""
        sides, membership = self._sides(pairs, annotator)
        spoken = []
        for part, which, share in self._voices(sides, membership):
            contrasts = part.contrasts(self.head, sides.select(which))
            between = self.population.spread(self.parts_, part)
            spoken.append(
                Spoken(
                    which,
                    share,
                    contrasts @ part.weights,
                    margin_variance(contrasts, part, self.parts_.shared),
                    np.zeros(len(which)) if between is None else quadratic(contrasts, between),
                    part.theta,
                )
            )
        return draws_of(spoken, self.link, len(sides), draws)

    def disagreement(self, pairs: Preferences | Pairs, annotator: str | None = None) -> np.ndarray:
        """How far people are expected to disagree on each pair: float64 [n], from 0 to 1.

        Four times the variance of the answer, 4 p (1 - p) for p as in `prob`: 1 where one half prefers each. It does
        not fall with more judgments, as `uncertainty` does. `doubt` tells its causes apart.
        """
        prob = self.prob(pairs, annotator)
        return 4 * prob * (1 - prob)

    def utility(
        self,
        options: Options,
        group: str | None = None,
        annotator: str | None = None,
        criterion: str | None = None,
    ) -> np.ndarray:
        """Utility of each option, in log-odds, 0 at the average option of the fit: float64 [m].

        Args:
            options: such as ``pairs.options``.
            group: of a population of groups; the shared part if not given.
            annotator: of a population of annotators; the shared part if not given.
            criterion: of a model that reads criteria; an average one if not given.
        """
        rows = self._features(options)
        code = np.full(len(rows), -1 if criterion is None else 0)
        about, place = self._settings(options, options.context, code, () if criterion is None else (criterion,))
        context = None if about is None else about[place]
        of_criteria = criterion if self.population.member_noun == "criterion" else None
        member = next((one for one in (group, annotator, of_criteria) if one is not None), None)
        code = np.full(len(rows), -1 if member is None else 0, np.int32)
        membership = Membership(code, () if member is None else (member,))
        found = np.zeros(len(rows))
        for voice in self.population.voices(self.parts_, membership, context):
            seen = None if context is None else context[voice.which]
            basis = voice.part.basis(self.head, rows[voice.which], seen)
            if basis is None:
                raise InputError(
                    f"the head {type(self.head).__name__} compares options and gives them no utility; use prob"
                )
            found[voice.which] += voice.share * (basis @ voice.part.weights)
        return found

    def score(self, preferences: Preferences | Pairs) -> float:
        """Accuracy: the weighted share of pairs without ties whose winner is predicted; an even chance counts half."""
        pairs = self.pairs(preferences)
        pairs = pairs.select(~pairs.tie & (pairs.weight > 0))
        if len(pairs) == 0:
            raise InputError("there are no pairs with a winner to score")
        margin = self.margin(pairs)
        return float(np.average((np.sign(margin) + 1) / 2, weights=pairs.weight))

    @calm_threads()
    def adapt(self, judgments: Preferences | Pairs, strength: float | None = None) -> PreferenceModel:
        """A new model that also knows the annotators or groups of a few judgments; this one stays as it is.

        For each of them the new weights v are the least of

            sum_i weight_i * loss(margin_i)  +  strength / 2 * sum_j (v_j - w_j)^2

        with w the shared weights, or, for a member already known, its own. All else stays. For a
        population without members (`Shared`), v takes the place of the shared weights.

        Args:
            judgments: of the new annotators or groups.
            strength: how strongly v is drawn to w; by default the ``shrinkage`` fitted by a
                population of annotators, otherwise the l2 of the part adapted.
        """
        pairs = self.pairs(judgments)
        pairs = pairs.select(self.link.keep(pairs) & (pairs.weight > 0))
        if len(pairs) == 0:
            raise InputError("there are no pairs to adapt to")
        pairs = only_used(pairs)
        rows, membership = self._features(pairs.options), self.population.membership(pairs)
        votes = self._votes(pairs, rows, membership)
        new = copy.copy(self)
        new.parts_ = self.population.adapt(self.parts_, votes, self.head, self.link, strength)
        new.probe_ = saving.Probe.take(new, votes.sides(), membership)
        return new

    def coefficients(self, level: float = 0.95) -> list[Coefficient]:
        """What drives preferences: one row for each part and feature, in the order of the features.

        A coefficient is the change of log-odds for one scale of its feature; its standard error is clustered by
        annotator and context (see `llull.models.fitting.clustered`). With a penalty, coefficients are
        drawn to 0 and so are their intervals. Raises InputError for a head whose weights have no names.
        """
        names = self.head.names(self.names_)
        if names is None:
            raise InputError(f"the weights of the head {type(self.head).__name__} have no names; use the Linear head")
        described = self.descriptions_ if names == self.names_ else ("",) * len(names)
        return coefficient_table(self.parts_, names, described, level)

    def save(self, folder: str | Path) -> Path:
        """Write the model to a folder, as safetensors and JSON; returns its path. `load_model` reads it."""
        return saving.save(self, Path(folder))

    @property
    def l2_(self) -> float | dict[str, float]:
        """The strength of the penalty in use; by member where each has its own."""
        return self._gather("l2")

    @property
    def separation_(self) -> Separation | dict[str, Separation]:
        """What would stand in the way of a finite optimum without a penalty; by member where each has its own."""
        return self._gather("separation")

    @property
    def converged_(self) -> bool:
        """Whether every part is at its optimum."""
        return all(part.converged for part in self.parts_.all())

    @property
    def n_effective_(self) -> float | dict[str, float]:
        """Kish's effective number of votes; by member where each has its own fit."""
        return self._gather("n_effective")

    @property
    def coef_(self) -> np.ndarray | dict[str, np.ndarray]:
        """The weights [p]; by member where there are members."""
        members = {name: part.weights for name, part in self.parts_.members.items()}
        return members or self._part(None).weights

    def _gather(self, name: str) -> Any:
        if self.parts_.shared is not None:
            return getattr(self.parts_.shared, name)
        return {member: getattr(part, name) for member, part in self.parts_.members.items()}

    def _encode(self, options: Options) -> np.ndarray:
        encoded = self.encoder_.encode(options)
        if not np.isfinite(encoded).all():
            bad = int((~np.isfinite(encoded)).any(axis=1).sum())
            raise InputError(f"{bad} of {len(encoded)} options have features that are not finite numbers")
        return encoded

    def _features(self, options: Options) -> np.ndarray:
        if not hasattr(self, "parts_"):
            raise InputError("this model is not fitted yet; call fit first")
        return self.scaling_.apply(self._encode(options))

    @property
    def _reads_context(self) -> bool:
        return self.head.reads_context or self.population.reads_context

    def _encode_settings(
        self, options: Options, context: np.ndarray, criterion: np.ndarray, criteria: tuple[str, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        if self.criteria is None:
            return self.encoder_.encode_contexts(options), context
        reading = CriteriaRead(self.criteria, self.criteria_, self.encoder_)
        return reading.settings(options, context, criterion, criteria)

    def _settings(
        self, options: Options, context: np.ndarray, criterion: np.ndarray, criteria: tuple[str, ...]
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Standardized features of contexts, with criteria where read [s, e]; and the row of each context given [n]."""
        if self.context_scaling_ is None:
            return None, None
        rows, place = self._encode_settings(options, context, criterion, criteria)
        return np.nan_to_num(self.context_scaling_.apply(rows), nan=0.0), place

    def _votes(self, pairs: Pairs, rows: np.ndarray, membership: Membership) -> Votes:
        about, place = self._settings(*_judged_in(pairs))
        return Votes(
            rows=rows,
            winner=pairs.winner,
            loser=pairs.loser,
            tie=pairs.tie,
            weight=self.link.weigh(pairs),
            lead=self.link.lead(pairs),
            context=pairs.context,
            annotator=pairs.annotator,
            judgment=pairs.judgment,
            member=membership.codes,
            members=membership.names,
            about=about,
            place=place,
            strength=pairs.strength,
            identity=identities(pairs.options) if self.population.reads_identity else None,
        )

    def sides(self, preferences: Preferences | Pairs) -> tuple[Sides, Membership]:
        """Pairs as rows of standardized features and of their settings, as `score_sides` takes them."""
        return self._sides(preferences, None)

    def _sides(self, preferences: Preferences | Pairs, annotator: str | None) -> tuple[Sides, Membership]:
        pairs = only_used(self.pairs(preferences))
        rows = self._features(pairs.options)
        membership = self.population.membership(pairs)
        if annotator is not None:
            self.population.check(self.parts_, annotator)
            membership = Membership(np.zeros(len(pairs), np.int32), (annotator,))
        about, place = self._settings(*_judged_in(pairs))
        context = None if about is None else about[place]
        return Sides(rows[pairs.winner], rows[pairs.loser], context), membership

    def _part(self, member: str | None) -> Part:
        return self.population.part(self.parts_, member)

    def _voices(self, sides: Sides, membership: Membership) -> list[tuple[Part, np.ndarray, np.ndarray]]:
        context = sides.context if self.population.reads_context else None
        voices = self.population.voices(self.parts_, membership, context)
        return [(voice.part, voice.which, voice.share) for voice in voices]


def _judged_in(pairs: Pairs) -> tuple[Options, np.ndarray, np.ndarray, tuple[str, ...]]:
    """What `PreferenceModel._settings` takes: contexts are numbered as those of the options are."""
    return pairs.options, pairs.options.context[pairs.winner], pairs.criterion, pairs.criteria
