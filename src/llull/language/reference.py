"""The reference as data: log-probabilities of options by a named, frozen model, computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from llull.errors import InputError
from llull.language.fingerprints import adapter_fingerprint, adapters, fingerprint
from llull.language.model import LanguageModel
from llull.language.reference_cache import ReferenceCache, StoredScore
from llull.language.trees import PrefixTree

_ROWS_AT_A_TIME = 8


class _Scores(Protocol):
    @property
    def tokens(self) -> Sequence[Tensor]: ...


Scorer = Callable[[Sequence[PrefixTree]], _Scores]
"""From trees to the log-probabilities of their options' tokens, in the order of their numbers, as
`LanguageModel.log_probs` gives them."""


@dataclass(frozen=True, eq=False)
class ReferenceColumn:
    """Reference log-probabilities of n options, in the order of their numbers, or else of the trees.

    What was not scored when the column was made is not in it: evaluation after training reads the reference from here,
    never from a model that has been trained since.
    """

    values: np.ndarray
    """float64 [n]: log-probability of each option, summed over its scored tokens."""
    tokens: tuple[np.ndarray, ...] | None
    """For each option, float32 [its scored tokens]; None where only sums were asked for."""
    keys: tuple[bytes, ...]
    """What identifies each option: its tokens, its context's, and which of them are scored."""
    source: str
    """Fingerprint of model, adapter, template and precision."""
    computed: int
    """How many different options were scored for this column."""
    reused: int
    """How many were found in the cache."""

    @cached_property
    def _index(self) -> dict[bytes, int]:
        return {key: row for row, key in enumerate(self.keys)}

    def __len__(self) -> int:
        return len(self.values)

    def find(self, trees: Sequence[PrefixTree]) -> np.ndarray:
        """Where the options of some trees are in the column, by content.

        Args:
            trees: whose options; their numbers play no part.

        Returns:
            int64 [options], tree after tree: indices into `values` and `tokens`.

        Raises:
            InputError: if the reference has not scored an option.
        """
        keys = [key for tree in trees for key in option_keys(tree)]
        missing = [number for number, key in enumerate(keys) if key not in self._index]
        if missing:
            raise InputError(
                f"reference {self.source[:12]}: {len(missing)} of {len(keys)} options are not in its column of "
                f"{len(self)} (the first is number {missing[0]}); score every option that training or evaluation "
                "will ask for before training, with reference_column"
            )
        return np.array([self._index[key] for key in keys], np.int64)


def option_keys(tree: PrefixTree) -> list[bytes]:
    """Sixteen bytes for each option of a tree that identify its context, its tokens, and which of them are scored."""
    keys = []
    for option in range(tree.n_options):
        path = tree.path(option)
        scored = tree.position[tree.target[tree.branch == option]]
        content = blake2b(np.array([len(path), len(scored)], "<i8").tobytes(), digest_size=16)
        content.update(tree.ids[path].astype("<i4").tobytes())
        content.update(scored.astype("<i4").tobytes())
        keys.append(content.digest())
    return keys


def reference_column(
    model: LanguageModel,
    trees: Sequence[PrefixTree],
    cache: ReferenceCache,
    *,
    template: str,
    adapter: str | None = None,
    tokens: bool = False,
    budget: int = 8192,
    progress: Callable[[int, int], object] | None = None,
) -> ReferenceColumn:
    """Log-probabilities of all options by the reference, from the cache where they are there, else computed and kept.

    The model given is the policy before training, or the reference itself. With PEFT adapters the reference is the
    model without them, or with another named one: no second copy of the weights is needed, and it may be asked at any
    time. The values are stored under a fingerprint of the weights, the adapter, the template and autocast's dtype, so
    that a model that has been trained since can never be taken for the reference.

    Args:
        model: the reference, or a policy that turns into it without its adapters.
        trees: contexts and options.
        cache: where the values are kept.
        template: fingerprint of tokenizer and template.
        adapter: the adapter that makes the reference; None: none.
        tokens: keep the values of tokens too.
        budget: tokens in a row of packed trees; eight rows are computed between two writes to the cache.
        progress: called with the options done and all to do after each write.

    Returns:
        The column.

    Raises:
        InputError: if there is no adapter of this name, or the adapters cannot be turned off without a trace.
    """
    source = source_fingerprint(model, template=template, adapter=adapter)

    def score(part: Sequence[PrefixTree]) -> Any:
        return model.log_probs(part, budget)

    with reference_of(model.model, adapter):
        return fill_column(
            score, trees, cache, source, tokens=tokens, batch=_ROWS_AT_A_TIME * budget, progress=progress
        )


def source_fingerprint(model: LanguageModel, *, template: str, adapter: str | None = None) -> str:
    """Identify who computes log-probabilities: weights, adapter, template, and the dtype of autocast where it is on."""
    inner = model.model
    device = model.anatomy.device.type
    parts = [
        fingerprint(inner),
        adapter_fingerprint(inner, adapter) if adapter is not None else "",
        template,
        str(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else "",
    ]
    return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()


@contextmanager
def reference_of(model: nn.Module, adapter: str | None = None) -> Iterator[None]:
    """Turn a policy into its reference for a while: its adapters off, or another one on.

    Args:
        model: a `peft.PeftModel`, or a model without adapters, which is its own reference and stays as it is.
        adapter: the name of the reference's adapter; None: no adapter.

    Raises:
        InputError: if there is no adapter of this name, or adapters train biases of the base model, which stay changed
            when they are off.
    """
    configs = adapters(model)
    if adapter is not None and adapter not in configs:
        raise InputError(f"adapter {adapter!r}: the model has {', '.join(map(repr, configs)) or 'no adapters'}")
    if not configs:
        yield
        return
    if any(getattr(config, "bias", "none") != "none" for config in configs.values()):
        raise InputError(
            "reference: the adapters train biases of the base model, which stay changed when adapters are off; "
            "use bias='none', or score the reference from a model of its own"
        )
    tuned: Any = model
    if adapter is None:
        with tuned.disable_adapter():
            yield
        return
    active = tuned.active_adapter
    # Switching adapters also switches which of them is trained.
    trained = {name: part.requires_grad for name, part in model.named_parameters()}
    try:
        tuned.set_adapter(adapter)
        yield
    finally:
        tuned.set_adapter(active)
        for name, part in model.named_parameters():
            part.requires_grad_(trained[name])


def fill_column(
    score: Scorer,
    trees: Sequence[PrefixTree],
    cache: ReferenceCache,
    source: str,
    *,
    tokens: bool = False,
    batch: int = 65_536,
    progress: Callable[[int, int], object] | None = None,
) -> ReferenceColumn:
    """The column of one source: what `reference_column` does once the model is settled.

    Args:
        score: gives log-probabilities of tokens.
        trees: contexts and options.
        cache: where the values are kept.
        source: who computes them.
        tokens: keep the values of tokens too.
        batch: tokens of trees scored between two writes to the cache.
        progress: called with the options done and all to do after each write.

    Returns:
        The column.

    Raises:
        InputError: if some trees number their options and others do not, or two options have one number.
    """
    by_tree = [option_keys(tree) for tree in trees]
    keys = [key for part in by_tree for key in part]
    unique = list(dict.fromkeys(keys))
    found = cache.get(source, unique, tokens)
    reused = len(found)
    for part in _unscored(trees, by_tree, found, batch):
        fresh = _score(score, [trees[i] for i in part], [key for i in part for key in by_tree[i]], tokens)
        # Options of a tree that were there already keep their values.
        new = {key: value for key, value in fresh.items() if key not in found}
        cache.put(source, new.items())
        found.update(new)
        if progress is not None:
            progress(len(found), len(unique))
    order = _order(trees, len(keys))
    ordered = tuple(keys[row] for row in order)
    return ReferenceColumn(
        values=np.array([found[key].total for key in ordered], np.float64),
        tokens=tuple(_kept(found[key]) for key in ordered) if tokens else None,
        keys=ordered,
        source=source,
        computed=len(unique) - reused,
        reused=reused,
    )


def _kept(score: StoredScore) -> np.ndarray:
    assert score.tokens is not None
    return score.tokens


def _unscored(
    trees: Sequence[PrefixTree], by_tree: list[list[bytes]], found: dict[bytes, StoredScore], batch: int
) -> Iterator[list[int]]:
    """Groups of trees, each of about a batch of tokens, that have options which nobody has scored yet."""
    group: list[int] = []
    size = 0
    seen = set(found)
    for number, keys in enumerate(by_tree):
        if all(key in seen for key in keys):
            continue
        seen.update(keys)
        if group and size + len(trees[number]) > batch:
            yield group
            group, size = [], 0
        group.append(number)
        size += len(trees[number])
    if group:
        yield group


def _score(score: Scorer, trees: Sequence[PrefixTree], keys: Sequence[bytes], tokens: bool) -> dict[bytes, StoredScore]:
    counts = np.cumsum([0, *(tree.n_options for tree in trees)])
    numbered = [
        replace(tree, numbers=np.arange(first, end))
        for tree, first, end in zip(trees, counts[:-1], counts[1:], strict=True)
    ]
    values = [part.numpy() for part in score(numbered).tokens]
    return {
        key: StoredScore(float(part.sum(dtype=np.float64)), part.astype(np.float32) if tokens else None)
        for key, part in zip(keys, values, strict=True)
    }


def _order(trees: Sequence[PrefixTree], count: int) -> np.ndarray:
    numbers = [tree.numbers for tree in trees if tree.numbers is not None]
    if not numbers:
        return np.arange(count)
    if len(numbers) != len(trees):
        raise InputError("some trees number their options and others do not: number all or none")
    joined = np.concatenate(numbers)
    if len(np.unique(joined)) != len(joined):
        raise InputError("two options have the same number: give each its own")
    return np.argsort(joined, kind="stable")
