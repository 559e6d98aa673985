"""Samples drawn side by side, each with its own random numbers, until it ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from llull.language.sampling.decoding import Decoder
from llull.language.sampling.endings import Endings
from llull.language.sampling.sampler import Finish, Sample, Settings
from llull.language.sampling.truncation import draw, model_log_probs, sampling_log_probs


class Row(NamedTuple):
    """One sample to draw."""

    stream: int
    """128 bits that its random numbers follow from."""
    room: int
    """Tokens that it may have."""
    opening: str
    """What is left out at the beginning of its text."""


class Batch:
    """Samples drawn side by side.

    Args:
        decoder: that has read the prompt of each sample.
        logits: [samples, vocabulary] of what comes next.
        rows: the samples.
        settings: how to draw.
        endings: where samples end.
    """

    def __init__(
        self, decoder: Decoder, logits: Tensor, rows: Sequence[Row], settings: Settings, endings: Endings
    ) -> None:
        self.active = np.arange(len(rows))
        """The samples that go on, in the order in which the decoder has them."""
        self._decoder, self._logits, self._rows = decoder, logits, rows
        self._settings, self._endings = settings, endings
        self._room = np.array([row.room for row in rows])
        self._step = 0
        shape = (len(rows), int(self._room.max()))
        self._ids = np.zeros(shape, np.int32)
        self._log_probs = np.zeros((2, *shape), np.float32)
        self._uniform = np.stack(
            [np.random.Generator(np.random.Philox(key=row.stream)).random(shape[1]) for row in rows]
        )

    def advance(self) -> list[tuple[int, Sample]]:
        """Draw tokens until some samples end; returns these, with their numbers."""
        while True:
            drawn = self._draw()
            at, step = self.active, self._step
            self._step += 1
            ended = self._endings.ended(self._ids[at, step])
            stopped = np.array([self._endings.stopped(self._ids[row, : step + 1]) for row in at]) & ~ended
            over = ended | stopped | (self._step >= self._room[at])
            self.active = at[~over]
            if self.active.size:
                if over.any():
                    going = torch.from_numpy(np.flatnonzero(~over)).to(drawn.device)
                    self._decoder.keep(going)
                    drawn = drawn[going]
                self._logits = self._decoder.step(drawn)
            if over.any():
                return [
                    (row, self._sample(row, bool(end), bool(stop)))
                    for row, end, stop in zip(at[over].tolist(), ended[over], stopped[over], strict=True)
                ]

    def _draw(self) -> Tensor:
        """Draw a token of each active sample, int64 [active], and note it."""
        at, step = self.active, self._step
        of_model = model_log_probs(self._logits)
        of_sampling = sampling_log_probs(of_model, self._settings)
        drawn = draw(of_sampling, torch.from_numpy(self._uniform[at, step]).to(of_model.device))
        self._ids[at, step] = drawn.cpu().numpy()
        if self._settings.log_probs:
            both = [values.gather(1, drawn[:, None]).squeeze(1).float() for values in (of_model, of_sampling)]
            self._log_probs[:, at, step] = torch.stack(both).cpu().numpy()
        return drawn

    def _sample(self, row: int, ended: bool, stopped: bool) -> Sample:
        ids = self._ids[row, : self._step].copy()
        finish: Finish = "stop" if ended or stopped else "length"
        text = self._endings.text(ids, stopped).removeprefix(self._rows[row].opening)
        kept = self._settings.log_probs
        of_model, of_sampling = self._log_probs[:, row, : self._step].copy()
        return Sample(
            text,
            finish,
            ids=ids,
            model_log_probs=of_model if kept else None,
            sampling_log_probs=of_sampling if kept else None,
        )
