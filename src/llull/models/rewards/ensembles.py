"""Several fitted models as one: of their utilities, of their weights, and of how strongly they agree on a pair."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.views import Options, Pairs
from llull.models import saving
from llull.models.fitting.part import Part, Parts
from llull.models.model import PreferenceModel
from llull.models.populations.population import Membership
from llull.models.votes import Sides

_SPREAD = 1e-9


def utilities_of(
    models: Sequence[PreferenceModel],
    options: Options,
    centered: bool = True,
    group: str | None = None,
    annotator: str | None = None,
) -> np.ndarray:
    """Utilities of the same options by several fitted models: float64 [models, m].

    Args:
        models: fitted.
        options: such as ``pairs.options``.
        centered: whether each model's mean in each context is taken away. No comparison fixes it, so without this,
            models that agree on every pair would seem to differ, and the worst of them would always be the same one.
        group: of a population of groups.
        annotator: of a population of annotators.
    """
    found = np.stack([model.utility(options, group, annotator) for model in models])
    if not centered:
        return found
    context = options.context
    count = np.maximum(np.bincount(context), 1)
    return found - np.stack([(np.bincount(context, row) / count)[context] for row in found])


def mean_of(utilities: np.ndarray) -> np.ndarray:
    """The mean over members [m] of utilities [members, m]."""
    return _checked(utilities).mean(axis=0)


def worst_of(utilities: np.ndarray) -> np.ndarray:
    """The least over members [m] of utilities [members, m]: an option is as good as its sharpest critic says."""
    return _checked(utilities).min(axis=0)


def penalized(utilities: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """mean - strength * variance over members (Coste et al., 2024, equation 4), [m] of [members, m].

    Args:
        utilities: float [members, m], at least two members.
        strength: at least 0; per unit of utility, so it depends on the utilities' scale.
    """
    found = _checked(utilities)
    if len(found) < 2:
        raise InputError("one member has no variance; give at least two")
    if not strength >= 0:
        raise InputError(f"strength={strength} is below 0 and would reward doubt")
    return found.mean(axis=0) - strength * found.var(axis=0)


def average_weights(models: Sequence[PreferenceModel]) -> PreferenceModel:
    """One model whose weights are the mean of several models' weights (as WARM, Rame et al., 2024).

    It costs no more than one of them. For a linear head its utilities are the mean of theirs, but for a constant;
    what a head learned below its weights must be the same in all, such as by ``copy`` of one fit. Weights are taken in
    units of the features, so models of different samples may differ in scaling. Its covariances are the mean of
    theirs: at least the variance of the mean, whatever the correlation between members.

    Args:
        models: fitted with one encoder, head, link and population.

    Raises:
        InputError: they are not of one kind.
    """
    if not models:
        raise InputError("there are no models to average")
    first = models[0]
    for at, model in enumerate(models):
        if not hasattr(model, "parts_"):
            raise InputError(f"model {at} is not fitted yet; call fit first")
        if different := _difference(first, model):
            raise InputError(f"models 0 and {at} differ in {different}; take the mean of their utilities instead")
    new = copy.copy(first)
    by_name = zip(*([_named(model.parts_)[name] for name in _named(first.parts_)] for model in models), strict=True)
    named = {name: _mean_part(parts, models) for name, parts in zip(_named(first.parts_), by_name, strict=True)}
    shared = named.pop(None, None)
    new.parts_ = Parts(shared, {name: part for name, part in named.items() if name is not None})
    probe = first.probe_
    context = probe.context if probe.context.shape[1] else None
    new.probe_ = saving.Probe.take(new, Sides(probe.winner, probe.loser, context), Membership(probe.codes, probe.names))
    return new


@dataclass(frozen=True)
class Strength:
    """How strongly an ensemble prefers the winner of each pair, by members that did not see it."""

    mean: np.ndarray
    """float64 [n], log-odds; below 0 where the ensemble holds that the label is wrong."""
    deviation: np.ndarray
    """float64 [n], standard deviation over members."""
    members: np.ndarray
    """int64 [n], members that voted."""

    def wrong(self, deviations: float = 2.0) -> np.ndarray:
        """Labels that are likely wrong: bool [n], where the mean is below minus so many standard deviations.

        A fixed share of the pairs, such as the lowest fifth, would be wrong in data without wrong labels.
        """
        return self.mean < -deviations * np.maximum(self.deviation, _SPREAD)

    def flipped(self, pairs: Pairs, deviations: float = 2.0) -> Pairs:
        """The pairs with winner and loser exchanged where the label is likely wrong; ties stay.

        What only the source said of the order, its strength, becomes unknown there.
        """
        if len(pairs) != len(self.mean):
            raise InputError(f"{len(pairs)} pairs, but the strength of {len(self.mean)}; measure it on these pairs")
        wrong = self.wrong(deviations) & ~pairs.tie
        return replace(
            pairs,
            winner=np.where(wrong, pairs.loser, pairs.winner),
            loser=np.where(wrong, pairs.winner, pairs.loser),
            side=np.where(wrong, -pairs.side, pairs.side).astype(np.int8),
            strength=np.where(wrong, np.nan, pairs.strength),
        )


def preference_strength(
    model: PreferenceModel, preferences: Preferences | Pairs, members: int = 10, seed: int = 0
) -> Strength:
    """How strongly an ensemble prefers the winner of each pair (Wang et al., Secrets of RLHF part II, 2024).

    Each member is fitted to a random half of the contexts (of the judgments, with fewer than five contexts), and votes
    on the other half: a model that has seen a wrong label believes it. Members come in twos of complementary halves,
    so every pair gets the same number of votes.

    Args:
        model: what to fit; this one is left as it is.
        preferences: judgments.
        members: fitted models, an even number of at least 4; half of them vote on each pair.
        seed: of the halves and of the members.
    """
    if members < 4 or members % 2:
        raise InputError(f"members={members} must be an even number of at least 4")
    pairs = model.pairs(preferences)
    units = pairs.context if len(np.unique(pairs.context)) >= 5 else pairs.judgment
    known, unit = np.unique(units, return_inverse=True)
    if len(known) < 4:
        raise InputError(f"{len(known)} judgments are too few to be parted in halves")
    random = np.random.default_rng(seed)
    votes = np.empty((members // 2, len(pairs)))
    for round_ in range(members // 2):
        half = np.zeros(len(known), bool)
        half[random.permutation(len(known))[: len(known) // 2]] = True
        for side in (half[unit], ~half[unit]):
            member = copy.copy(model)
            member.seed = int(random.integers(2**31))
            votes[round_, ~side] = member.fit(pairs.select(side)).margin(pairs.select(~side))
    return Strength(votes.mean(axis=0), votes.std(axis=0, ddof=1), np.full(len(pairs), members // 2))


def _checked(utilities: np.ndarray) -> np.ndarray:
    found = np.asarray(utilities, np.float64)
    if found.ndim != 2 or len(found) == 0:
        raise InputError(f"utilities of shape {found.shape} are not [members, options]")
    return found


def _named(parts: Parts) -> dict[str | None, Part]:
    shared: dict[str | None, Part] = {} if parts.shared is None else {None: parts.shared}
    return {**shared, **parts.members}


def _difference(first: PreferenceModel, other: PreferenceModel) -> str | None:
    """What makes weights of two models mean different things, in words; None where they mean the same."""
    if first.encoder_.fingerprint != other.encoder_.fingerprint:
        return "their features"
    for name in ("head", "link", "population"):
        if getattr(first, name) != getattr(other, name):
            return f"their {name}"
    mine, theirs = _named(first.parts_), _named(other.parts_)
    if mine.keys() != theirs.keys():
        return "the annotators or groups they know"
    if other.parts_.arrays or not all(part.covariance.size for part in theirs.values()):
        return "more than weights, which the population learns"
    for name, part in theirs.items():
        hidden = mine[name].hidden
        if hidden.keys() != part.hidden.keys() or not all(np.array_equal(hidden[k], part.hidden[k]) for k in hidden):
            return "what their head learned below the weights"
    by_feature = first.head.names(first.names_) == first.names_ and not any(part.hidden for part in mine.values())
    same = np.array_equal(first.scaling_.scale, other.scaling_.scale)
    if not by_feature and not (same and np.array_equal(first.scaling_.center, other.scaling_.center)):
        return "how features are scaled, which goes into weights that are not those of features"
    return None


def _mean_part(parts: Sequence[Part], models: Sequence[PreferenceModel]) -> Part:
    # A weight is per scale of its feature; this is what one becomes in the scale of the first model.
    scale = models[0].scaling_.scale
    same = [np.array_equal(model.scaling_.scale, scale) for model in models]
    units = [1.0 if alike else scale / model.scaling_.scale for alike, model in zip(same, models, strict=True)]
    pairs = [(unit * np.ones(len(part.weights)), part) for unit, part in zip(units, parts, strict=True)]
    return replace(
        parts[0],
        weights=np.mean([unit * part.weights for unit, part in pairs], axis=0),
        theta=np.mean([part.theta for part in parts], axis=0),
        covariance=np.mean([np.outer(unit, unit) * part.covariance for unit, part in pairs], axis=0),
        errors=np.sqrt(np.mean([(unit * part.errors) ** 2 for unit, part in pairs], axis=0)),
        converged=all(part.converged for part in parts),
        l2=float(np.mean([part.l2 for part in parts])),
        path={},
    )
