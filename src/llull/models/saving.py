"""Models as folders: arrays in safetensors, everything else in JSON, nothing that runs on reading.

A folder holds ``model.json``, ``arrays.safetensors`` and nothing else. The arrays include a *probe*: some pairs of rows
of features with the probabilities that the model gave them. On reading they are scored again; if a
probability differs by more than 1e-6, or the encoder is not the one of the fit, the model is refused.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save_file

from llull.encoders import encoder_from_config
from llull.errors import InputError
from llull.models import heads, links, populations
from llull.models.fitting.learning import Learning
from llull.models.fitting.part import Part, Parts
from llull.models.fitting.separation import Separation
from llull.models.populations.population import Membership
from llull.models.votes import Scaling, Sides

if TYPE_CHECKING:
    from llull.models.model import PreferenceModel

FORMAT = 2
_PROBE_PAIRS = 64
_TOLERANCE = 1e-6
_AXES = {
    axis: {name: getattr(room, name) for name in room.__all__}
    for axis, room in (("head", heads), ("link", links), ("population", populations))
}
_BESIDE = "population/"
_PROBE = ("winner", "loser", "context", "codes", "outcomes")
_ARRAYS = ("weights", "theta", "covariance", "errors", "evidence")


@dataclass(frozen=True)
class Probe:
    """Some pairs of standardized rows, and what the model says of them."""

    winner: np.ndarray
    loser: np.ndarray
    context: np.ndarray
    """[pairs, e]; [pairs, 0] where nothing reads contexts."""
    codes: np.ndarray
    names: tuple[str, ...]
    outcomes: np.ndarray

    @classmethod
    def take(cls, model: PreferenceModel, sides: Sides, membership: Membership) -> Probe:
        """Pairs spread evenly over those given."""
        at = np.unique(np.linspace(0, len(sides) - 1, min(_PROBE_PAIRS, len(sides))).round().astype(int))
        codes = membership.codes[at].astype(np.int32)
        chosen, some = Membership(codes, membership.names), sides.select(at)
        outcomes = model.score_sides(some, chosen)
        context = np.empty((len(at), 0)) if some.context is None else some.context
        return cls(some.winner, some.loser, context, codes, membership.names, outcomes)

    def check(self, model: PreferenceModel, where: Path) -> None:
        """Raise InputError unless the model still says the same."""
        context = self.context if self.context.shape[1] else None
        now = model.score_sides(Sides(self.winner, self.loser, context), Membership(self.codes, self.names))
        far = float(np.abs(now - self.outcomes).max(initial=0.0))
        if not far <= _TOLERANCE:
            raise InputError(
                f"{where}: the model gives other probabilities than when it was saved (by {far:.3g}); refit it"
            )


def save(model: PreferenceModel, folder: Path) -> Path:
    """Write a fitted model; see `PreferenceModel.save`."""
    if not hasattr(model, "parts_"):
        raise InputError("this model is not fitted yet; call fit before save")
    arrays = {f"scaling/{name}": value for name, value in asdict(model.scaling_).items()}
    arrays |= {f"probe/{name}": getattr(model.probe_, name) for name in _PROBE}
    if model.context_scaling_ is not None:
        arrays |= {f"context_scaling/{name}": value for name, value in asdict(model.context_scaling_).items()}
    arrays |= {f"population/{name}": value for name, value in model.parts_.arrays.items()}
    named: list[tuple[str | None, Part]] = [(None, model.parts_.shared)] if model.parts_.shared else []
    named += list(model.parts_.members.items())
    described = []
    for number, (member, part) in enumerate(named):
        arrays |= {f"part{number}/{name}": getattr(part, name) for name in _ARRAYS}
        arrays |= {f"part{number}/hidden/{name}": value for name, value in part.hidden.items()}
        described.append({"member": member, **_scalars(part)})
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / "arrays.safetensors.part"
    save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, unfinished)
    facts = {
        "format": FORMAT,
        "features": model.encoder_.to_config(),
        "features_fingerprint": model.encoder_.fingerprint,
        "features_names": list(model.names_),
        "features_descriptions": list(model.descriptions_),
        "head": _config(model.head),
        "link": _config(model.link),
        "population": _config(model.population),
        "l2": model.l2,
        "standardize": model.standardize,
        "criteria": model.criteria,
        "criteria_known": list(model.criteria_),
        "seed": model.seed,
        "probe_members": list(model.probe_.names),
        "parts": described,
        "known": list(model.parts_.known),
        "arrays_sha256": hashlib.sha256(unfinished.read_bytes()).hexdigest(),
    }
    (folder / "model.json.part").write_text(json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8")
    unfinished.replace(folder / "arrays.safetensors")
    (folder / "model.json.part").replace(folder / "model.json")
    return folder


def load_model(folder: str | Path) -> PreferenceModel:
    """Read what `PreferenceModel.save` wrote, and check that it still says the same.

    Raises:
        InputError: a file is missing, damaged or from another version, or the probe's probabilities differ.
    """
    from llull.models.model import PreferenceModel

    folder = Path(folder)
    facts, arrays = _read(folder)
    try:
        features = encoder_from_config(facts["features"])
        axes = {axis: _component(axis, facts[axis], folder) for axis in _AXES}
        settings = {name: facts[name] for name in ("l2", "standardize", "seed")}
        model = PreferenceModel(features, **axes, criteria=facts.get("criteria"), **settings)
        model.criteria_ = tuple(facts.get("criteria_known", ()))
        model.encoder_ = features
        model.names_, model.descriptions_ = tuple(facts["features_names"]), tuple(facts["features_descriptions"])
        model.scaling_ = Scaling(arrays["scaling/center"], arrays["scaling/scale"])
        named = [(entry["member"], _part(entry, f"part{i}/", arrays)) for i, entry in enumerate(facts["parts"])]
        shared = next((part for member, part in named if member is None), None)
        members = {member: part for member, part in named if member is not None}
        beside = {name[len(_BESIDE) :]: value for name, value in arrays.items() if name.startswith(_BESIDE)}
        model.parts_ = Parts(shared, members, beside, tuple(facts["known"]))
        model.context_scaling_ = None
        if "context_scaling/center" in arrays:
            model.context_scaling_ = Scaling(arrays["context_scaling/center"], arrays["context_scaling/scale"])
        probe = {name: arrays[f"probe/{name}"] for name in _PROBE}
        model.probe_ = Probe(names=tuple(facts["probe_members"]), **probe)
    except KeyError as error:
        raise InputError(f"{folder}: the saved model lacks {error.args[0]!r}; save it again") from None
    if features.fingerprint != facts["features_fingerprint"]:
        raise InputError(f"{folder}: its encoder is not the one of the fit (its fingerprint differs); refit the model")
    model.probe_.check(model, folder)
    return model


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    try:
        facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        content = (folder / "arrays.safetensors").read_bytes()
        arrays = load(content)
    except OSError as error:
        raise InputError(f"{folder} is no saved model: {error.strerror} ({error.filename})") from None
    except (json.JSONDecodeError, UnicodeDecodeError, SafetensorError) as error:
        raise InputError(f"{folder}: a file of the saved model is damaged ({error}); copy or save it again") from None
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise InputError(f"{folder}: this is not a model of format {FORMAT}; use the version of llull that saved it")
    if hashlib.sha256(content).hexdigest() != facts.get("arrays_sha256"):
        raise InputError(f"{folder}: arrays.safetensors was changed after the model was saved; copy or save it again")
    return facts, arrays


def _config(component: Any) -> dict[str, Any]:
    return {"name": type(component).__name__, **asdict(component)}


def _component(axis: str, config: dict[str, Any], folder: Path) -> Any:
    settings = {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()}
    learning: Any = settings.get("learning")
    if isinstance(learning, dict):
        settings["learning"] = Learning(**learning)
    name = settings.pop("name")
    if name not in _AXES[axis]:
        raise InputError(f"{folder}: the {axis} {name!r} is unknown; there is {', '.join(_AXES[axis])}")
    try:
        return _AXES[axis][name](**settings)
    except TypeError as error:
        raise InputError(
            f"{folder}: the {axis} {name} was saved with other settings than it has now ({error})"
        ) from None


def _scalars(part: Part) -> dict[str, Any]:
    return {
        "l2": part.l2,
        "converged": part.converged,
        "n": part.n,
        "n_effective": part.n_effective,
        "shrinkage": part.shrinkage,
        "separation": asdict(part.separation),
        "path": list(part.path.items()),
        "shrinkage_path": list(part.shrinkage_path.items()),
    }


def _part(entry: dict[str, Any], prefix: str, arrays: dict[str, np.ndarray]) -> Part:
    found: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in entry["separation"].items()}
    below = prefix + "hidden/"
    return Part(
        hidden={name[len(below) :]: value for name, value in arrays.items() if name.startswith(below)},
        **{name: arrays[prefix + name] for name in _ARRAYS},
        **{key: entry[key] for key in ("l2", "converged", "n", "n_effective", "shrinkage")},
        separation=Separation(**found),
        path=dict(entry["path"]),
        shrinkage_path=dict(entry["shrinkage_path"]),
    )
