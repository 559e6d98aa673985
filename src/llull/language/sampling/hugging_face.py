"""Samples from a causal language model in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor, nn

from llull.errors import InputError
from llull.language.anatomy import Anatomy
from llull.language.fingerprints import adapter_fingerprint, adapters, fingerprint
from llull.language.model import LanguageModel
from llull.language.probing import evaluating
from llull.language.sampling.batch import Batch, Row
from llull.language.sampling.cache import SampleCache
from llull.language.sampling.decoding import Decoder, decoder_for
from llull.language.sampling.endings import Endings, end_ids
from llull.language.sampling.prompts import Ready, ready_prompts
from llull.language.sampling.sampler import Prompt, Request, Sample, Sampler, Settings
from llull.language.templates import Template


class HuggingFaceSampler(Sampler):
    """Draws samples from a causal language model of transformers, many at a time.

    Each different prompt of a batch is read once, however many samples it has; a sample that has ended leaves the
    batch. Which tokens are drawn does not depend on the batch, unless a random number falls within the rounding error
    of a probability: with vocabularies of 512 and 2,048, two to seventeen tokens in a hundred thousand in float32.

    Args:
        model: a `transformers.PreTrainedModel`, a `peft.PeftModel` around one, or a `LanguageModel` of either.
        template: how conversations become text, with the model's tokenizer.
        batch_size: samples drawn side by side.
        cache: where samples are kept and found again; None: nowhere.

    Raises:
        InputError: if the model is not a causal language model, or ``batch_size`` is below 1.
    """

    def __init__(
        self, model: nn.Module, template: Template, *, batch_size: int = 64, cache: SampleCache | None = None
    ) -> None:
        super().__init__(cache)
        if batch_size < 1:
            raise InputError(f"sampling with a batch of {batch_size}: give at least 1")
        self.model: Any = model.model if isinstance(model, LanguageModel) else model
        self.template = template
        self.batch_size = batch_size
        self._anatomy = Anatomy(self.model)
        self._make_decoder = decoder_for(self.model, self._anatomy)
        self._ends = end_ids(self._anatomy.base, template)

    @property
    def source(self) -> str:
        """Identifies weights, adapters, template, and the tokens that end a sample, as they are now."""
        active = adapters(self.model) and getattr(self.model, "active_adapters", [])
        parts = [fingerprint(self.model), self.template.fingerprint, str(self._ends.tolist())]
        parts += [adapter_fingerprint(self.model, name) for name in active]
        return blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()

    def prepare(self, prompts: Sequence[Prompt]) -> list[tuple[Ready, bytes]]:
        """Each prompt as ids. Raises InputError if the model cannot go on behind one."""
        ready = ready_prompts(prompts, self.template)
        longest = self._anatomy.longest
        for index, one in enumerate(ready):
            if longest is not None and len(one.ids) >= longest:
                raise InputError(
                    f"prompt {index} has {len(one.ids):,} tokens, and this model's positions end or change at "
                    f"{longest:,}: leave it out or cut it"
                )
        return [(one, one.content) for one in ready]

    def draw(self, requests: Sequence[Request], settings: Settings) -> Iterator[list[tuple[int, Sample]]]:
        """Draw samples, those of the longest prompts first."""
        endings = Endings(self.template.tokenizer, self._ends, settings.stop)
        for prompts in _batches(requests, self.batch_size):
            ready = [requests[samples[0]].prompt for samples in prompts]
            with torch.inference_mode(), evaluating(self.model):
                decoder = self._make_decoder(self.model, self._anatomy)
                logits = decoder.start([one.ids for one in ready])
            rows = [(at, prompt) for prompt, samples in enumerate(prompts) for at in samples]
            for start in range(0, len(rows), self.batch_size):
                part = rows[start : start + self.batch_size]
                last = start + self.batch_size >= len(rows)
                batch = self._batch(decoder if last else decoder.fork(), logits, requests, part, settings, endings)
                while batch.active.size:
                    # While the caller has what has finished, it has its own modes back.
                    with torch.inference_mode(), evaluating(self.model):
                        finished = batch.advance()
                    yield [(part[row][0], sample) for row, sample in finished]

    def _batch(
        self,
        decoder: Decoder,
        logits: Tensor,
        requests: Sequence[Request],
        part: Sequence[tuple[int, int]],
        settings: Settings,
        endings: Endings,
    ) -> Batch:
        longest = self._anatomy.longest
        rows = [
            Row(
                request.stream(settings.seed),
                settings.max_tokens if longest is None else min(settings.max_tokens, longest - len(request.prompt.ids)),
                request.prompt.opening,
            )
            for request in (requests[at] for at, _ in part)
        ]
        which = torch.tensor([prompt for _, prompt in part], device=logits.device)
        with torch.inference_mode():
            decoder.keep(which)
            return Batch(decoder, logits[which], rows, settings, endings)


def _batches(requests: Sequence[Request], size: int) -> Iterator[list[list[int]]]:
    """Indices of requests, by prompt: as many prompts of about one length as have ``size`` samples, or a single one."""
    groups: dict[bytes, list[int]] = {}
    for at, request in enumerate(requests):
        groups.setdefault(request.content, []).append(at)
    batch: list[list[int]] = []
    held = 0
    # The longest prompts first: what does not fit into memory is known at once.
    for samples in sorted(groups.values(), key=lambda samples: -len(requests[samples[0]].prompt.ids)):
        if batch and held + len(samples) > size:
            yield batch
            batch, held = [], 0
        batch.append(samples)
        held += len(samples)
    if batch:
        yield batch
