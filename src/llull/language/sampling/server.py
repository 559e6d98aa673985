"""Samples from a server that speaks OpenAI's protocol: vLLM, SGLang, llama.cpp, and services."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import groupby
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from llull.errors import InputError
from llull.language.sampling.cache import SampleCache
from llull.language.sampling.connections import Connections
from llull.language.sampling.posting import RETRY, Budget, Garbled, Poster, Refused, Retry, Stopped, address
from llull.language.sampling.prompts import Ready, is_messages, ready_ids, ready_prompts
from llull.language.sampling.sampler import Finish, Prompt, Request, Sample, Sampler, Settings
from llull.language.templates import Template, as_turn

_FINISHES: Mapping[Any, Finish] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "tool_calls": "stop",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "filtered",
}
_LARGEST_SEED = 2**31
LengthParameter = Literal["auto", "max_tokens", "max_completion_tokens"]
"""The name by which a server knows the most tokens of an answer."""


class ServerSampler(Sampler):
    """Draws samples from a server with OpenAI's protocol, many requests at a time.

    Messages go to ``/chat/completions``, where the server's own template applies; ids, and with a ``template`` of ours
    messages too, go to ``/completions`` as ids. Seeds are sent, and it is up to the server to be true to them.
    Connections stay open between requests.
    ``top_k`` and ``min_p``, which OpenAI itself does not know, are sent only where they are set.

    Args:
        url: of the server, such as ``http://localhost:8000/v1``.
        model: its name there.
        template: makes ids of messages here, instead of on the server.
        concurrency: requests under way at once.
        choices: samples asked for by one request. With 1, each sample has a seed of its own; more may cost less where
            each request pays for its prompt. A prompt's samples are then numbered in blocks of so many, each of which
            has one seed, and are cached one by one. A block of which some are there is asked for from its beginning,
            and only what was missing is taken, so that 2 samples and later 4 are the same as 4 at once, where the
            server's choices follow from seed and place.
        key_variable: environment variable that holds the key of the service; None: no key is sent.
        timeout: seconds without a sign of life.
        retry: how often and how long to try when the server is busy or broken.
        log_probs_of: which distribution the server's log-probabilities are of, where tempering or cutting makes the two
            different: the model's own (vLLM, llama.cpp and OpenAI by default), or that of sampling.
        extra: what else to send with each request; it goes before what would be sent.
        cache: where samples are kept and found again; None: nowhere.
        max_requests: that this sampler may send in all, those included that are sent again after a failure; when they
            are spent, sampling stops with an error, and what has come is in the cache. None: any number.
        length_parameter: how a chat is told the most tokens: ``max_tokens``, which most servers know;
            ``max_completion_tokens``, which newer models of OpenAI want; ``auto``: the first, and from then on the
            second when the server refuses the first and names the second.

    Raises:
        InputError: if the address, a number, a name or the variable is not usable.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        template: Template | None = None,
        concurrency: int = 16,
        choices: int = 1,
        key_variable: str | None = None,
        timeout: float = 600.0,
        retry: Retry = RETRY,
        log_probs_of: Literal["model", "sampling"] = "model",
        extra: Mapping[str, Any] | None = None,
        cache: SampleCache | None = None,
        max_requests: int | None = None,
        length_parameter: LengthParameter = "auto",
    ) -> None:
        super().__init__(cache)
        if length_parameter not in get_args(LengthParameter):
            known = ", ".join(get_args(LengthParameter))
            raise InputError(f"length_parameter={length_parameter!r} is not known; it is one of {known}")
        if concurrency < 1 or choices < 1:
            raise InputError(f"sampling with concurrency {concurrency} and choices {choices}: give at least 1 of each")
        key = None if key_variable is None else os.environ.get(key_variable, "").strip()
        if key == "":
            raise InputError(f"the environment variable {key_variable} is to hold the server's key, and is not set")
        self._connections = Connections(address(url), timeout)
        self._key, self._retry, self._budget = key, retry, Budget(max_requests)
        self._length_parameter: LengthParameter = length_parameter
        self._fixed_length_parameter = length_parameter != "auto"
        self.url = self._connections.url
        self.model, self.template = model, template
        self.concurrency, self.choices, self.log_probs_of = concurrency, choices, log_probs_of
        self.extra = dict(extra or {})

    @property
    def source(self) -> str:
        """The address, the model's name there, and how samples are asked for."""
        return json.dumps([self.url, self.model, self.choices, self.log_probs_of, self.extra], sort_keys=True)

    def prepare(self, prompts: Sequence[Prompt]) -> list[tuple[Any, bytes]]:
        """Each prompt as messages, or as ids."""
        if self.template is not None:
            return [(one, one.content) for one in ready_prompts(prompts, self.template)]
        return [_as_given(prompt, index) for index, prompt in enumerate(prompts)]

    def draw(self, requests: Sequence[Request], settings: Settings) -> Iterator[list[tuple[int, Sample]]]:
        """Draw samples, and give those of each request as its answer comes.

        Raises:
            InputError: as soon as one request fails for good; what the others under way bring is given before.
        """
        poster = Poster(self._connections, self._key, self._retry, self._budget)
        waiting = deque(_jobs(requests, 1 if settings.temperature == 0 else self.choices))
        running: dict[Future[list[Sample]], _Job] = {}
        failure: InputError | None = None
        pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="llull-sampling")
        try:
            while running or (waiting and failure is None):
                while waiting and failure is None and len(running) < self.concurrency:
                    job = waiting.popleft()
                    first = replace(requests[job.wanted[0]], number=job.first)
                    choices = requests[job.wanted[-1]].number - job.first + 1
                    running[pool.submit(self._ask, poster, first, choices, settings)] = job
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    job = running.pop(future)
                    try:
                        samples = future.result()
                    except Stopped:
                        continue
                    except InputError as fault:
                        failure = failure or fault
                        poster.stop.set()
                        continue
                    place = {at: requests[at].number - job.first for at in job.wanted}
                    # A server may give fewer choices than it was asked for.
                    left = [at for at in job.wanted if place[at] >= len(samples)]
                    if left:
                        waiting.appendleft(_Job(job.first + len(samples), left))
                    if len(left) < len(job.wanted):
                        yield [(at, samples[place[at]]) for at in job.wanted if place[at] < len(samples)]
        finally:
            poster.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
        if failure is not None:
            raise failure

    def _ask(self, poster: Poster, request: Request, choices: int, settings: Settings) -> list[Sample]:
        """Ask for some samples, the first of them that of a request; returns at least one and at most all."""
        ready = request.prompt
        body: dict[str, Any] = {
            "model": self.model,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "n": choices,
            "seed": request.stream(settings.seed) % _LARGEST_SEED,
        }
        body |= {"top_k": settings.top_k} if settings.top_k is not None else {}
        body |= {"min_p": settings.min_p} if settings.min_p > 0 else {}
        body |= {"stop": list(settings.stop)} if settings.stop else {}
        if isinstance(ready, Ready):
            path = "/completions"
            body |= {"prompt": ready.ids.tolist()} | ({"logprobs": 1} if settings.log_probs else {})
        else:
            path = "/chat/completions"
            body |= {"messages": ready} | ({"logprobs": True} if settings.log_probs else {})
        opening = ready.opening if isinstance(ready, Ready) else ""

        def read(answer: Any) -> list[Sample]:
            return [self._sample(choice, opening, settings) for choice in _choices(answer)][:choices]

        if {"max_tokens", "max_completion_tokens"} & set(self.extra):
            return poster.post(path, body | self.extra, read)
        if isinstance(ready, Ready):
            return poster.post(path, body | {"max_tokens": settings.max_tokens} | self.extra, read)
        name = "max_tokens" if self._length_parameter == "auto" else self._length_parameter
        try:
            return poster.post(path, body | {name: settings.max_tokens} | self.extra, read)
        except Refused as fault:
            wanted = fault.status == 400 and name == "max_tokens" and "max_completion_tokens" in fault.said
            if not wanted or self._fixed_length_parameter:
                raise
        self._length_parameter = "max_completion_tokens"
        return poster.post(path, body | {self._length_parameter: settings.max_tokens} | self.extra, read)

    def _sample(self, choice: Any, opening: str, settings: Settings) -> Sample:
        """A sample of one of the server's choices. Raises Garbled if it is none."""
        said = choice.get("finish_reason")
        text = choice["message"].get("content") if isinstance(choice.get("message"), dict) else choice.get("text")
        if said not in _FINISHES or not (isinstance(text, str) or (text is None and "message" in choice)):
            raise Garbled(f"a choice with finish_reason {said!r} and text {text!r:.80}")
        values = _log_probs(choice.get("logprobs")) if settings.log_probs else None
        if settings.log_probs and values is None and _FINISHES[said] != "filtered":
            raise InputError(
                f"{self.url}: the server gives no log-probabilities for {self.model}; ask for none (log_probs=False)"
            )
        # Of the distributions that are not the server's, that of greedy decoding is known: it is certain.
        of_sampling = values if settings.plain or self.log_probs_of == "sampling" else None
        if settings.temperature == 0 and values is not None:
            of_sampling = np.zeros_like(values)
        ids = choice.get("token_ids")
        return Sample(
            (text or "").removeprefix(opening),
            _FINISHES[said],
            ids=np.asarray(ids, np.int32) if ids else None,
            model_log_probs=values if settings.plain or self.log_probs_of == "model" else None,
            sampling_log_probs=of_sampling,
        )


class _Job(NamedTuple):
    """Samples to be asked for by one request, all of one prompt and one block."""

    first: int
    """Number of the sample that is the request's first choice."""
    wanted: list[int]
    """Indices of the requests to be answered, in the order of their numbers."""


def _as_given(prompt: Prompt, index: int) -> tuple[Any, bytes]:
    if len(prompt) and is_messages(prompt):
        messages = [dict(as_turn(turn)) for turn in prompt]
        return messages, json.dumps(messages, sort_keys=True).encode()
    ready = ready_ids(prompt, index)
    return ready, ready.content


def _jobs(requests: Sequence[Request], choices: int) -> Iterator[_Job]:
    """One for each block of so many numbers of one prompt."""
    blocks = groupby(enumerate(requests), lambda each: (each[1].index, each[1].number // choices))
    for (_, block), members in blocks:
        yield _Job(block * choices, [at for at, _ in members])


def _choices(answer: Any) -> list[Any]:
    found = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(found, list) or not found or not all(isinstance(choice, dict) for choice in found):
        raise Garbled(f"no choices: {json.dumps(answer)[:80]}")
    return sorted(found, key=lambda choice: choice.get("index") or 0)


def _log_probs(given: Any) -> np.ndarray | None:
    """float32 [t] from what servers send as ``logprobs``; None where they send none."""
    if not isinstance(given, dict):
        return None
    listed = given.get("token_logprobs")
    if listed is None and isinstance(given.get("content"), list):
        listed = [entry.get("logprob") for entry in given["content"]]
    if listed is None:
        return None
    try:
        return np.asarray(listed, np.float32)
    except (TypeError, ValueError):
        raise Garbled(f"log-probabilities that are no numbers: {str(listed)[:80]}") from None
