"""Models of what options are worth that learn from more than pairs: from ratings, rankings or shares of votes."""

from __future__ import annotations

import copy
import hashlib
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from safetensors.numpy import load, save_file
from scipy.special import expit

from llull.encoders import Encoder, encoder_from_config
from llull.errors import InputError
from llull.judgments import Preferences
from llull.judgments.columns import encode
from llull.judgments.views import Options, Pairs
from llull.models.fitting.part import L2_GRID
from llull.models.fitting.weights import inverse
from llull.models.votes import HELD_OUT, Scaling, only_used

FORMAT = 1
_KINDS: dict[str, type[UtilityModel]] = {}


class Evidence(Protocol):
    """What judgments say, as a model reads it."""

    @property
    def total(self) -> float:
        """The weight of all there is."""
        ...

    def only(self, kept: np.ndarray) -> Self:
        """What these judgments say: bool [judgments]."""
        ...


class UtilityModel(ABC):
    """One utility for each option, of its features; what a judgment tells of it is up to the kind of model.

    The interface is that of `llull.models.PreferenceModel`: `fit`, `prob`, `score`, `utility`, `adapt`, `save` and the
    rest. A fit reads whole judgments, so it takes `Preferences`; predictions take pairs too. Features are centered and,
    all but indicators, divided by their standard deviations over the options. It is fitted to the least of minus a
    log-likelihood (or another loss) plus ``l2 / 2 * sum_j w_j^2`` over its weights w.

    Args:
        features: any encoder; frozen.
        l2: strength of the penalty; None chooses it by the loss on a fifth of the contexts (of the judgments, with
            fewer than five contexts).
        seed: of which these are.
    """

    kind: ClassVar[str]
    """In saved models; the name of the class."""

    def __init_subclass__(cls) -> None:
        cls.kind = cls.__name__
        _KINDS[cls.__name__] = cls

    def __init__(self, features: Encoder, *, l2: float | None = None, seed: int = 0) -> None:
        if l2 is not None and not 0 < l2 < np.inf:
            raise InputError(f"l2={l2} is not a strength; give a number above 0, or None to choose it")
        self.features, self.l2, self.seed = features, l2, seed

    # Learned state; set by `fit`, `adapt` and `load_utility_model`.
    encoder_: Encoder
    scaling_: Scaling
    arrays_: dict[str, np.ndarray]
    """What was learned; ``weights`` among them, and ``covariance`` of these, flattened."""
    known_: tuple[str, ...] = ()
    """Annotators that rows of ``arrays_`` are about."""
    l2_: float
    path_: dict[float, float]
    """Loss per unit of weight on what was held out, for each strength tried."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Arguments of the constructor beyond features, l2 and seed, for JSON."""

    @abstractmethod
    def evidence(self, preferences: Preferences) -> Any:
        """What is read of these judgments: an `Evidence`, over their options in the numbering of all views.

        Raises:
            InputError: there is nothing of what this model learns from.
        """

    def more_evidence(self, judgments: Preferences) -> Any:
        """What is read of judgments that a fitted model is told."""
        return self.evidence(judgments)

    @abstractmethod
    def learn(
        self, rows: np.ndarray, evidence: Any, l2: float, start: dict[str, np.ndarray] | None, center: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        """The optimum for features [m, d]: arrays with ``weights``, searched from earlier ones, if given.

        Args:
            rows: standardized features of the options.
            evidence: of these options.
            l2: strength of the penalty.
            start: where to begin.
            center: what weights are drawn to; 0 if not given.
        """

    @abstractmethod
    def loss(self, rows: np.ndarray, evidence: Any, arrays: dict[str, np.ndarray]) -> float:
        """Of all that the evidence says, without the penalty."""

    @abstractmethod
    def curvature(self, rows: np.ndarray, evidence: Any, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Second derivatives of the loss in the weights, or their expectation, all else as it is: [p, p]."""

    def value(self, rows: np.ndarray, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Utility of options: [m]."""
        return rows @ arrays["weights"]

    def slope(self, rows: np.ndarray, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Derivative of the utility in the weights: [m, p]."""
        return rows

    def chances(self, margin: np.ndarray) -> np.ndarray:
        """Win, tie and loss [n, 3] of differences of utility, which are log-odds unless said otherwise."""
        return np.stack([expit(margin), np.zeros_like(margin), expit(-margin)], axis=1)

    def fit(self, preferences: Preferences) -> Self:
        """Fit to these judgments; returns the model itself.

        Raises:
            InputError: the judgments cannot be fitted; the message says why and what to do.
        """
        if not isinstance(preferences, Preferences):
            raise InputError(f"{self.kind} learns from whole judgments; fit it to Preferences, not to pairs")
        evidence = self.evidence(preferences)
        options = preferences.options()
        self.encoder_ = self.features.fit(options)
        encoded = self._encode(options)
        scaling = Scaling.of_rows(encoded)
        self.scaling_ = Scaling(scaling.center, np.where(self.encoder_.indicators, 1.0, scaling.scale))
        rows = self.scaling_.apply(encoded)
        start = None
        self.path_ = {}
        if self.l2 is None:
            self.l2_, start = self._choose(rows, evidence, preferences)
        else:
            self.l2_ = self.l2
        self.arrays_ = self._finished(rows, evidence, self.learn(rows, evidence, self.l2_, start, None), self.l2_)
        return self

    def adapt(self, judgments: Preferences, strength: float | None = None) -> Self:
        """A new model whose weights are drawn to those of this one and know a few judgments; this one stays as it is.

        Args:
            judgments: of the people to adapt to.
            strength: of the draw; l2 if not given.
        """
        rows = self._features(judgments.options())
        strength = self.l2_ if strength is None else strength
        evidence = self.more_evidence(judgments)
        found = self.learn(rows, evidence, strength, self.arrays_, self.arrays_["weights"])
        new = copy.copy(self)
        new.arrays_ = self._finished(rows, evidence, found, strength)
        return new

    def pairs(self, preferences: Preferences | Pairs) -> Pairs:
        """The pairs of these judgments; pairs are given back as they are."""
        return preferences if isinstance(preferences, Pairs) else preferences.pairs()

    def margin(self, pairs: Preferences | Pairs, annotator: str | None = None) -> np.ndarray:
        """Utility of the winner minus that of the loser: float64 [n]."""
        pairs, rows = self._compared(pairs)
        value = self.value(rows, self.arrays_)
        return value[pairs.winner] - value[pairs.loser]

    def outcomes(self, pairs: Preferences | Pairs, annotator: str | None = None) -> np.ndarray:
        """Probabilities of win, tie and loss: float64 [n, 3]."""
        return self.chances(self.margin(pairs, annotator))

    def prob(self, pairs: Preferences | Pairs, annotator: str | None = None) -> np.ndarray:
        """P(winner preferred to loser), ties counted half: float64 [n]. Swapping a pair gives 1 minus it.

        The utility is the same for all, so it makes no difference who judges.
        """
        outcomes = self.outcomes(pairs, annotator)
        return outcomes[:, 0] + 0.5 * outcomes[:, 1]

    def utility(self, options: Options) -> np.ndarray:
        """Utility of each option: float64 [m]."""
        return self.value(self._features(options), self.arrays_)

    def uncertainty(self, pairs: Preferences | Pairs, annotator: str | None = None) -> np.ndarray:
        """Standard error of each pair's margin: float64 [n], by the Laplace approximation (see `curvature`)."""
        pairs, rows = self._compared(pairs)
        slope = self.slope(rows, self.arrays_)
        gap = slope[pairs.winner] - slope[pairs.loser]
        return np.sqrt(np.maximum(((gap @ self.arrays_["covariance"]) * gap).sum(axis=1), 0.0))

    def disagreement(self, pairs: Preferences | Pairs, annotator: str | None = None) -> np.ndarray:
        """How far people are expected to disagree on each pair: 4 p (1 - p) for p as in `prob`, float64 [n]."""
        prob = self.prob(pairs, annotator)
        return 4 * prob * (1 - prob)

    def score(self, preferences: Preferences | Pairs) -> float:
        """Accuracy: the weighted share of pairs without ties whose winner is predicted; an even chance counts half."""
        pairs = self.pairs(preferences)
        pairs = pairs.select(~pairs.tie & (pairs.weight > 0))
        if len(pairs) == 0:
            raise InputError("there are no pairs with a winner to score")
        return float(np.average((np.sign(self.margin(pairs)) + 1) / 2, weights=pairs.weight))

    def save(self, folder: str | Path) -> Path:
        """Write the model to a folder, as safetensors and JSON; returns its path. `load_utility_model` reads it."""
        if not hasattr(self, "arrays_"):
            raise InputError("this model is not fitted yet; call fit before save")
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        scaling = {"scaling/center": self.scaling_.center, "scaling/scale": self.scaling_.scale}
        unfinished = folder / "arrays.safetensors.part"
        arrays = {**scaling, **self.arrays_}
        save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, unfinished)
        facts = {
            "format": FORMAT,
            "kind": self.kind,
            "features": self.encoder_.to_config(),
            "features_fingerprint": self.encoder_.fingerprint,
            "settings": {**self.settings(), "l2": self.l2, "seed": self.seed},
            "l2": self.l2_,
            "path": list(self.path_.items()),
            "known": list(self.known_),
            "arrays_sha256": hashlib.sha256(unfinished.read_bytes()).hexdigest(),
        }
        (folder / "model.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8")
        unfinished.replace(folder / "arrays.safetensors")
        return folder

    @classmethod
    def made_of(cls, features: Encoder, settings: dict[str, Any]) -> Self:
        """A model of `settings` that were read from JSON."""
        return cls(features, **settings)

    def _encode(self, options: Options) -> np.ndarray:
        encoded = self.encoder_.encode(options)
        if not np.isfinite(encoded).all():
            bad = int((~np.isfinite(encoded)).any(axis=1).sum())
            raise InputError(f"{bad} of {len(encoded)} options have features that are not finite numbers")
        return encoded

    def _features(self, options: Options) -> np.ndarray:
        if not hasattr(self, "arrays_"):
            raise InputError("this model is not fitted yet; call fit first")
        return self.scaling_.apply(self._encode(options))

    def _compared(self, preferences: Preferences | Pairs) -> tuple[Pairs, np.ndarray]:
        pairs = only_used(self.pairs(preferences))
        return pairs, self._features(pairs.options)

    def _finished(
        self, rows: np.ndarray, evidence: Any, arrays: dict[str, np.ndarray], l2: float
    ) -> dict[str, np.ndarray]:
        bent = self.curvature(rows, evidence, arrays)
        return {**arrays, "covariance": inverse(bent + l2 * np.eye(len(bent)))}

    def _choose(
        self, rows: np.ndarray, evidence: Evidence, preferences: Preferences
    ) -> tuple[float, dict[str, np.ndarray]]:
        """The strength with the least loss on what is held out, from strong to weak; and what it learned."""
        out = _held_out(preferences, self.seed)
        inside, outside = evidence.only(~out), evidence.only(out)
        if not inside.total > 0 or not outside.total > 0:
            raise InputError("there are too few judgments to choose a strength by validation; give l2 a value")
        start: dict[str, np.ndarray] | None = None
        best: tuple[float, float, dict[str, np.ndarray]] | None = None
        worse = 0
        for l2 in (L2_GRID * evidence.total).tolist():
            start = self.learn(rows, inside, l2, start, None)
            self.path_[l2] = self.loss(rows, outside, start) / outside.total
            if best is None or self.path_[l2] < best[0]:
                best, worse = (self.path_[l2], l2, start), 0
            else:
                worse += 1
            if worse == 2:
                break
        assert best is not None
        return best[1], best[2]


def load_utility_model(folder: str | Path) -> UtilityModel:
    """Read what `UtilityModel.save` wrote.

    Raises:
        InputError: a file is missing or changed, from another version, or the encoder is not the one of the fit.
    """
    folder = Path(folder)
    try:
        facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        content = (folder / "arrays.safetensors").read_bytes()
    except OSError as error:
        raise InputError(f"{folder} is no saved model: {error.strerror} ({error.filename})") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{folder}: model.json is damaged ({error}); copy or save it again") from None
    if facts.get("kind") not in _KINDS or facts.get("format") != FORMAT:
        raise InputError(f"{folder}: this is no model of {', '.join(_KINDS)} in format {FORMAT}; see load_model")
    if hashlib.sha256(content).hexdigest() != facts["arrays_sha256"]:
        raise InputError(f"{folder}: arrays.safetensors was changed after the model was saved; copy or save it again")
    features = encoder_from_config(facts["features"])
    if features.fingerprint != facts["features_fingerprint"]:
        raise InputError(f"{folder}: its encoder is not the one of the fit (its fingerprint differs); refit the model")
    model = _KINDS[facts["kind"]].made_of(features, facts["settings"])
    arrays = load(content)
    model.encoder_, model.l2_, model.path_ = features, facts["l2"], dict(facts["path"])
    model.known_ = tuple(facts["known"])
    model.scaling_ = Scaling(arrays.pop("scaling/center"), arrays.pop("scaling/scale"))
    model.arrays_ = arrays
    return model


def is_utility_model(folder: str | Path) -> bool:
    """Whether this folder was written by `UtilityModel.save`."""
    try:
        return json.loads((Path(folder) / "model.json").read_text(encoding="utf-8")).get("kind") in _KINDS
    except (OSError, ValueError, AttributeError):
        return False


def _held_out(preferences: Preferences, seed: int) -> np.ndarray:
    """Which judgments choose strengths: those of a fifth of the contexts, or a fifth of the judgments: bool."""
    units = encode(preferences.table["context_id"]).codes
    if len(np.unique(units)) < 5:
        units = np.arange(len(preferences))
    known, codes = np.unique(units, return_inverse=True)
    if len(known) < 5:
        raise InputError(f"{len(known)} judgments are too few to choose a strength by validation; give l2 a value")
    chosen = np.zeros(len(known), bool)
    chosen[np.random.default_rng(seed).permutation(len(known))[: max(round(HELD_OUT * len(known)), 1)]] = True
    return chosen[codes]
