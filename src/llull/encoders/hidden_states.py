"""Hidden states of a language model as frozen features of options under their contexts."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from rich.console import Console
from rich.progress import Progress

from llull.encoders.cache import VectorCache
from llull.encoders.encoder import Encoder
from llull.errors import InputError
from llull.judgments.views import Options

if TYPE_CHECKING:
    from llull.language.model import LanguageModel
    from llull.language.packing import Packed
    from llull.language.templates import Template
    from llull.language.tokens import Cut, Encoded
    from llull.language.trees import PrefixTree

Pooling = Literal["last", "mean"]
HiddenCutting = Literal["option_right", "drop", "error"]
"""What is done with what is too long, as in `llull.language.tokens`; cutting contexts to make room for options is not
among it, as an option's features would then depend on the other options of its context."""

_VERSION = 1
"""Raise it when tokens or pooling change, so that older cached vectors are not taken for new ones."""
_BUDGET = 4096
"""Tokens that go through the model at once; the numbers do not depend on it."""
_FLUSH = 8
"""Rows that are computed between two writes to the cache."""


class HiddenStates(Encoder):
    """Hidden states of a causal language model that has read a context and one of its options; frozen.

    A context is read once for all of its options. Beside a reward model that is trained end to end these are the
    features of a linear probe.

    Args:
        model: folder or hub name of a causal language model.
        layer: whose output: -1 the last, after the model's final norm, as a reward head reads it; 0 the embeddings;
            i the i-th layer; or counted from the end.
        pooling: ``last``: at the token that ends the option; ``mean``: over the option's tokens.
        max_tokens: of a context and one option together.
        device: as torch names it; by default the best there is.
        cache: False to encode everything anew, or the file of a cache of its own.
        cut: what is done with what is longer. ``option_right``: contexts longer than ``max_prompt_tokens`` are cut at
            their beginning, and options at their end to the room that is left; ``drop``: the option is left out, and
            its features are NaN; ``error``: stop. No rule makes an option's features depend on other options.
        max_prompt_tokens: of a context. By default half of ``max_tokens`` where options are cut, so that an option
            has the other half for itself, and no limit where they are not.

    Raises:
        InputError: if pooling or cut is not known.
    """

    def __init__(
        self,
        model: str,
        layer: int = -1,
        pooling: Pooling = "last",
        max_tokens: int = 1024,
        device: str | None = None,
        cache: bool | str = True,
        cut: HiddenCutting = "option_right",
        max_prompt_tokens: int | None = None,
    ) -> None:
        if pooling not in ("last", "mean"):
            raise InputError(f"pooling={pooling!r} is not known; it is last or mean")
        if cut not in get_args(HiddenCutting):
            raise InputError(f"cut={cut!r} is not known for hidden states; it is {', '.join(get_args(HiddenCutting))}")
        self.model, self.layer, self.pooling = model, layer, pooling
        self.max_tokens, self.device, self.cache = max_tokens, device, cache
        self.cut: HiddenCutting = cut
        self.max_prompt_tokens = max_prompt_tokens
        self._cuts: dict[bytes, Cut] = {}

    def encode(self, options: Options, progress: bool = True) -> np.ndarray:
        """float32 [m, d]; NaN where an option was left out as too long.

        Raises:
            InputError: an option has no text or, where ``cut`` is "error", is too long;
                the model cannot be had, or it has no such layer.
        """
        from llull.language.packing import pack

        trees = self._trees(options)
        keys = {number: key for tree in trees for number, key in zip(_numbers(tree), _keys(tree), strict=True)}
        cache = VectorCache(self.cache if isinstance(self.cache, str) else None) if self.cache else None
        try:
            found = cache.get(self.fingerprint, list(dict.fromkeys(keys.values()))) if cache else {}
            missing = [tree for tree in trees if any(keys[number] not in found for number in _numbers(tree))]
            rows = pack(missing, _BUDGET, layout=self._language.layout) if missing else []
            console = Console(stderr=True)
            with Progress(console=console, transient=True, disable=not (progress and console.is_terminal)) as bar:
                task = bar.add_task("reading hidden states", total=len(rows))
                for start in range(0, len(rows), _FLUSH):
                    part = rows[start : start + _FLUSH]
                    fresh = {keys[number]: vector for row in part for number, vector in self._row(row)}
                    found.update(fresh)
                    if cache:
                        cache.put(self.fingerprint, fresh.items())
                    bar.advance(task, len(part))
            if cache and rows:
                cache.trim()
        finally:
            if cache:
                cache.close()
        encoded = np.full((len(options), self._width), np.nan, np.float32)
        for number, key in keys.items():
            encoded[number] = found[key]
        return encoded

    @property
    def encodes_contexts(self) -> bool:
        """Yes."""
        return True

    def encode_contexts(self, options: Options, progress: bool = True) -> np.ndarray:
        """float32 [number of contexts, d]: the states at the contexts' ends, before any option; never cached.

        NaN for a context of a single token, and where all its options were left out as too long.
        """
        from llull.language.packing import pack
        from llull.language.trees import PrefixTree

        found = np.full((len(np.unique(options.context)), self._width), np.nan, np.float32)
        if not len(options):
            return found
        made = self._encoded(options)
        place = np.full(len(found), -1)
        place[options.context[made.kept]] = made.prompt[made.kept]
        longer = [at for at in np.unique(place[place >= 0]).tolist() if len(made.prompts[at]) > 1]
        ends = [(made.prompts[at][:-1], [made.prompts[at][-1:]]) for at in longer]
        trees = [PrefixTree.of_options(*end, numbers=[at]) for at, end in zip(longer, ends, strict=True)]
        for row in pack(trees, _BUDGET, layout=self._language.layout) if trees else []:
            for prompt, vector in self._row(row):
                found[place == prompt] = vector
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """Numbered: no one feature means anything by itself."""
        return tuple(f"hidden {number}" for number in range(self._width))

    @property
    def descriptions(self) -> tuple[str, ...]:
        """Empty: a dimension by itself means nothing to a person."""
        return ("",) * self._width

    @property
    def notes(self) -> tuple[str, ...]:
        """For each set of options that was encoded, what was cut or left out, if anything."""
        lines = dict.fromkeys(cut.line() for cut in self._cuts.values())
        return tuple(f"hidden states, at most {self.max_tokens:,} tokens: {line}" for line in lines if line)

    @property
    def fingerprint(self) -> str:
        """A hash of weights, tokenizer and template, with layer, pooling, longest text and how it is cut."""
        return self._space

    @cached_property
    def _space(self) -> str:
        from llull.language.fingerprints import fingerprint

        weights = fingerprint(self._language.model)
        content = f"{_VERSION} {weights} {self._template.fingerprint} {self.layer} {self.pooling} {self.max_tokens}"
        # Left out at the defaults, so that models and vectors saved before there was a choice stay valid.
        if (self.cut, self._prompt_limit) != ("option_right", self.max_tokens // 2):
            content += f" {self.cut} {self._prompt_limit}"
        return f"hidden-{blake2b(content.encode(), digest_size=12).hexdigest()}"

    def config(self) -> dict[str, Any]:
        """Model, layer, pooling, longest text and how it is cut."""
        return {
            "model": self.model,
            "layer": self.layer,
            "pooling": self.pooling,
            "max_tokens": self.max_tokens,
            "cut": self.cut,
            "max_prompt_tokens": self.max_prompt_tokens,
        }

    @property
    def _prompt_limit(self) -> int | None:
        if self.max_prompt_tokens is not None or self.cut != "option_right":
            return self.max_prompt_tokens
        return self.max_tokens // 2

    @cached_property
    def _loaded(self) -> tuple[LanguageModel, Template]:
        for package in ("torch", "transformers"):
            if importlib.util.find_spec(package) is None:
                raise InputError(f"hidden states need {package}, which is not installed; pip install 'llull[align]'")
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from llull.language.loading import loaded
        from llull.language.model import LanguageModel
        from llull.language.templates import Template

        device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        what = "causal language model"
        weights = loaded(AutoModelForCausalLM.from_pretrained, self.model, what, dtype=torch.float32)
        tokenizer = loaded(AutoTokenizer.from_pretrained, self.model, "tokenizer")
        language = LanguageModel(weights.eval().requires_grad_(False).to(device))
        layers = int(language.anatomy.text_config.num_hidden_layers)
        if not -layers - 1 <= self.layer <= layers:
            raise InputError(f"layer {self.layer}: {self.model} has {layers}; choose 0 (embeddings) to {layers}, or -1")
        return language, Template(tokenizer)

    @property
    def _language(self) -> LanguageModel:
        return self._loaded[0]

    @property
    def _template(self) -> Template:
        return self._loaded[1]

    @property
    def _width(self) -> int:
        return int(self._language.anatomy.text_config.hidden_size)

    def _encoded(self, options: Options) -> Encoded:
        from llull.language.tokens import encode

        return encode(
            options,
            self._template,
            max_tokens=self.max_tokens,
            max_prompt_tokens=self._prompt_limit,
            cut=self.cut,
        )

    def _trees(self, options: Options) -> list[PrefixTree]:
        from llull.language.trees import PrefixTree

        if not len(options):
            return []
        made = self._encoded(options)
        # Options that are encoded again are not counted again.
        self._cuts[blake2b("\n".join(options.ids).encode(), digest_size=16).digest()] = made.cut
        members: dict[int, list[int]] = {}
        for number in np.flatnonzero(made.kept).tolist():
            members.setdefault(int(made.prompt[number]), []).append(number)
        return [
            PrefixTree.of_options(made.prompts[prompt], [made.options[i] for i in numbers], numbers=numbers)
            for prompt, numbers in members.items()
        ]

    def _row(self, packed: Packed) -> Iterator[tuple[int, np.ndarray]]:
        import torch

        from llull.language.model import Want

        want = Want(log_probs=False, hidden=self.pooling == "mean", hidden_at_end=self.pooling == "last")
        with torch.inference_mode(), self._reading():
            values = self._language(packed, want)
        if values.hidden_at_end is not None:
            pooled = values.hidden_at_end
        else:
            assert values.hidden is not None
            numbers, place = values.option.unique(return_inverse=True)
            sums = values.hidden.new_zeros(len(numbers), values.hidden.shape[1]).index_add(0, place, values.hidden)
            pooled = (sums / place.bincount()[:, None])[torch.searchsorted(numbers, packed.options.to(numbers.device))]
        yield from zip(packed.options.tolist(), pooled.float().cpu().numpy(), strict=True)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Let the backbone give out the layer's output in the place of the last one's."""
        anatomy = self._language.anatomy
        layers = int(anatomy.text_config.num_hidden_layers)
        wanted = self.layer % (layers + 1)
        if wanted == layers:
            yield
            return
        caught: list[Any] = []

        def catch(module: Any, inputs: tuple[Any, ...], arguments: dict[str, Any]) -> None:
            caught.append(inputs[0] if inputs else arguments["hidden_states"])

        def replace(module: Any, inputs: Any, output: Any) -> Any:
            output["last_hidden_state"] = caught.pop()
            return output

        # What goes into a layer is what comes out of the one before it; into the first, the embeddings.
        reading = _layers(anatomy.backbone, layers)[wanted].register_forward_pre_hook(catch, with_kwargs=True)
        giving = anatomy.backbone.register_forward_hook(replace)
        try:
            yield
        finally:
            reading.remove()
            giving.remove()


def _layers(backbone: Any, count: int) -> Any:
    import torch

    for module in backbone.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == count:
            return module
    raise InputError(f"{type(backbone).__name__} keeps no list of its {count} layers; use layer=-1")


def _numbers(tree: PrefixTree) -> list[int]:
    assert tree.numbers is not None
    return tree.numbers.tolist()


def _keys(tree: PrefixTree) -> list[bytes]:
    from llull.language.reference import option_keys

    return option_keys(tree)
