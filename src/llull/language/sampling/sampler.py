"""What is asked of a source of text and what it gives: prompts and settings in, samples out, each drawn only once."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from llull.errors import InputError
from llull.judgments.record import Message, Option, text_option
from llull.language.templates import Turn

if TYPE_CHECKING:
    from llull.language.sampling.cache import SampleCache

Prompt = Sequence[Turn] | Sequence[Message] | np.ndarray
"""A context as messages, those of judgments or mappings with role and content; or the int32 ids of a prompt."""

Finish = Literal["stop", "length", "filtered"]
"""Why a sample ended: by its end or a stop string; by the number of tokens; by the server's content filter."""

Progress = Callable[[int, int], None]
"""Called with the number of samples there are, and that of all."""


@dataclass(frozen=True)
class Settings:
    """How samples are drawn.

    The distribution of the next token is tempered, then cut by ``top_k``, by ``top_p`` and by ``min_p``, each on what
    the ones before have left.

    Args:
        n: samples of each prompt.
        max_tokens: of a sample.
        temperature: divides the logits; 0 takes the most probable token.
        top_p: keep the most probable tokens, as few as have this probability together.
        top_k: keep so many most probable tokens; None: all.
        min_p: keep tokens that are at least so probable relative to the most probable one.
        stop: a sample ends before any of these strings.
        seed: of all randomness.
        log_probs: keep the log-probabilities of the tokens.

    Raises:
        InputError: if a number is out of its range or a stop string is empty.
    """

    n: int = 1
    max_tokens: int = 256
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int | None = None
    min_p: float = 0.0
    stop: tuple[str, ...] = ()
    seed: int = 0
    log_probs: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "stop", (self.stop,) if isinstance(self.stop, str) else tuple(self.stop))
        ranges = {
            "n": (self.n >= 1, "at least 1"),
            "max_tokens": (self.max_tokens >= 1, "at least 1"),
            "temperature": (0 <= self.temperature < math.inf, "at least 0"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "top_k": (self.top_k is None or self.top_k >= 1, "at least 1, or None"),
            "min_p": (0 <= self.min_p < 1, "at least 0 and below 1"),
            "stop": (all(self.stop), "strings that are not empty"),
        }
        for name, (good, wanted) in ranges.items():
            if not good:
                raise InputError(f"sampling with {name} {getattr(self, name)!r}: give {wanted}")

    @property
    def plain(self) -> bool:
        """Whether tokens are drawn from the model's own distribution."""
        return self.temperature == 1 and self.top_p == 1 and self.top_k is None and self.min_p == 0


@dataclass(frozen=True)
class Sample:
    """One answer to one prompt."""

    text: str
    """Without the token that ended it, or cut before the stop string."""
    finish: Finish
    prompt: int = 0
    """Index of its prompt among those given."""
    number: int = 0
    """Which of the prompt's samples it is."""
    ids: np.ndarray | None = None
    """int32 [t], all the tokens drawn, with the one that ended it; None where a server does not tell."""
    model_log_probs: np.ndarray | None = None
    """float32 [t]: of each token under the model itself, at temperature 1 and with nothing cut off."""
    sampling_log_probs: np.ndarray | None = None
    """float32 [t]: of each token under the tempered and cut distribution it was drawn from."""

    def option(self, source: str | None = None) -> Option:
        """The sample as an option to be judged.

        Args:
            source: the model that made it.

        Examples:
            >>> Sample("Yes.", "stop").option(source="model-a").text
            'Yes.'
        """
        return text_option(self.text, source=source)


@dataclass(frozen=True)
class Request:
    """One sample to draw."""

    prompt: Any
    """As the sampler's `prepare` gave it."""
    content: bytes
    """What identifies the prompt."""
    occurrence: int
    """Which of the equal prompts of the run it belongs to."""
    index: int
    """Of the prompt."""
    number: int
    """Of the sample."""

    def stream(self, seed: int) -> int:
        """128 bits for this sample's own random numbers; they depend on nothing else in the run."""
        where = f"{seed} {self.occurrence} {self.number} ".encode()
        return int.from_bytes(blake2b(where + self.content, digest_size=16).digest(), "big")


class Sampler(ABC):
    """A source of text.

    Every sample has random numbers of its own, which follow from the seed, the content of its prompt, which of the
    equal prompts that is, and the number of the sample. So a run does not depend on how it is batched or on what else
    is in it, and more samples of a prompt begin with those of a smaller run.

    Args:
        cache: where samples are kept and found again; None: nowhere.
    """

    def __init__(self, cache: SampleCache | None = None) -> None:
        self.cache = cache

    @property
    @abstractmethod
    def source(self) -> str:
        """What identifies the model for the cache."""

    @abstractmethod
    def prepare(self, prompts: Sequence[Prompt]) -> list[tuple[Any, bytes]]:
        """Each prompt as `draw` takes it, and what identifies it."""

    @abstractmethod
    def draw(self, requests: Sequence[Request], settings: Settings) -> Iterator[list[tuple[int, Sample]]]:
        """Draw samples, in any order, and give some as soon as they are there, each with the index of its request."""

    def sample(
        self, prompts: Sequence[Prompt], settings: Settings = Settings(), progress: Progress | None = None
    ) -> list[list[Sample]]:
        """Draw ``settings.n`` samples of each prompt.

        Args:
            prompts: contexts as messages, or ids.
            settings: how to draw.
            progress: called as samples come in.

        Returns:
            The samples of each prompt, in the order of the prompts and of the samples' numbers.

        Raises:
            InputError: if a prompt cannot be used, or a server fails for good.
        """
        requests = _requests(self.prepare(prompts), settings.n)
        found: dict[int, Sample] = {}
        keys: list[bytes] = []
        source = ""
        if self.cache is not None:
            keys, source = [_key(request, settings) for request in requests], self.source
            stored = self.cache.get(source, keys, log_probs=settings.log_probs)
            found = {at: stored[key] for at, key in enumerate(keys) if key in stored}
        missing = [at for at in range(len(requests)) if at not in found]
        if progress is not None:
            progress(len(found), len(requests))
        for drawn in self.draw([requests[at] for at in missing], settings) if missing else ():
            for at, sample in drawn:
                found[missing[at]] = sample
            if self.cache is not None:
                self.cache.put(source, [(keys[missing[at]], sample) for at, sample in drawn])
            if progress is not None:
                progress(len(found), len(requests))
        samples: list[list[Sample]] = [[] for _ in prompts]
        for at, request in enumerate(requests):
            samples[request.index].append(replace(found[at], prompt=request.index, number=request.number))
        return samples


def _requests(prepared: Sequence[tuple[Any, bytes]], n: int) -> list[Request]:
    seen: Counter[bytes] = Counter()
    requests = []
    for index, (prompt, content) in enumerate(prepared):
        requests += [Request(prompt, content, seen[content], index, number) for number in range(n)]
        seen[content] += 1
    return requests


def _key(request: Request, settings: Settings) -> bytes:
    """Identify a sample by all that makes it; asking for more samples, or for log-probabilities, is no part of that."""
    how = {name: value for name, value in asdict(settings).items() if name not in ("n", "log_probs")}
    where = json.dumps([how, request.occurrence, request.number], sort_keys=True).encode()
    return blake2b(where + b"\0" + request.content, digest_size=16).digest()
