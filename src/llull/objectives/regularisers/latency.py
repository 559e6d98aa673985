"""How far a simultaneous translation lags behind its source, expected from the probabilities to write."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from llull.errors import InputError
from llull.objectives.axes import Needs, Part, Regulariser
from llull.objectives.batch import Batch, ListUnits, Units
from llull.objectives.regularisers.heads import HiddenHead, hidden_states
from llull.objectives.scores.offsets import known_column

Measure = Literal["mean", "average"]


class WriteHead(Part):
    """The probability to write at each prefix: sigmoid of a linear head on the hidden state at its end.

    Args:
        width: of the hidden state; found from the model if not given.
    """

    needs = Needs(hidden=True)

    def __init__(self, width: int | None = None) -> None:
        super().__init__()
        self.head = HiddenHead(1, width)

    def forward(self, batch: Batch) -> Tensor:
        """[n], in (0, 1)"""
        return torch.sigmoid(self.head(hidden_states(batch))).squeeze(-1)


class GivenWrite(Part):
    """The probability to write at each prefix, as it is known; whatever gradient it comes with stays.

    Args:
        column: its name.
    """

    def __init__(self, column: str = "write") -> None:
        super().__init__()
        self.column = column
        self.needs = Needs(columns=frozenset({column}))

    def forward(self, batch: Batch) -> Tensor:
        """[n]

        Raises:
            InputError: if a number is no probability.
        """
        write = known_column(batch, self.column)
        if not bool(((write >= 0) & (write <= 1)).all()):
            raise InputError(f"column {self.column!r}: probabilities to write lie in [0, 1]")
        return write


class ExpectedLag(Regulariser):
    """max(0, expected lag - allowance), in source words, of translations written while their source is read.

    A unit is the grid of one translation's prefixes, as a ranking: the tier is the number of target tokens written so
    far, and within a tier stand the prefixes with 1, 2, ... source words read, in this order. At each prefix the next
    token is written, or another word read; after the last word all that is left is written. Measures are as
    `expected_lag` has them. Without the allowance, or a loss that asks for right tokens under what has been read, the
    least lag is to write everything after one word.

    Args:
        weight: of the term.
        measure: ``mean`` over all tokens, or ``average`` over those before the source's end.
        allowance: the lag that costs nothing.
        write: the probability to write at each option; a `WriteHead` if not given.
        of: the units' name.
    """

    kind = "lists"

    def __init__(
        self,
        weight: float = 0.1,
        measure: Measure = "mean",
        allowance: float = 0.0,
        write: Part | None = None,
        of: str = "prefixes",
    ) -> None:
        super().__init__(of, weight)
        self.measure: Measure = checked_measure(measure)
        self.allowance = allowance
        self.write = WriteHead() if write is None else write
        self.needs = Needs(units=frozenset({of}))

    def forward(self, batch: Batch, units: Units) -> Tensor:
        """[u]"""
        if not isinstance(units, ListUnits):
            raise InputError(f"units {self.of!r}: prefixes of a translation are rankings, not {type(units).__name__}")
        write = self.write(batch).to(batch.options.policy.dtype)
        grid, source, target = prefix_grid(units, self.of)
        known = grid >= 0
        write = torch.where(known, write[grid.clamp(min=0)], 1.0)
        return torch.relu(expected_lag(write, source, target, self.measure) - self.allowance)

    def formula(self) -> tuple[str, ...]:
        """Lines over ``write(i, j)``: the probability to write token i, from 0, after j source words."""
        if self.measure == "mean":
            lag = ("lag = mean([read(i) - i * source / target for i in range(target)])",)
        else:
            lag = (
                "lag = sum([read(i) - source * (1 - early(i)) - early(i) * i * source / target for i in range(target)])"
                " / sum([early(i) for i in range(target)])",
                "early(i) = 1 if i == 0 else 1 - writes(i - 1, source)",
            )
        return (
            f"loss += {self.weight:g} * relu(lag - {self.allowance:g})",
            *lag,
            "read(i) = sum(j * writes(i, j) for j in range(1, source + 1))",
            "writes(i, j) = at(i, j) * (write(i, j) if j < source else 1)",
            "at(i, j) = (i == 0 and j == 1) + (writes(i - 1, j) if i > 0 else 0)"
            " + (at(i, j - 1) * (1 - write(i, j - 1)) if j > 1 else 0)",
        )


def prefix_grid(units: ListUnits, name: str = "prefixes") -> tuple[Tensor, Tensor, Tensor]:
    """Rankings of prefixes as grids: options [m, T, S] with -1 where there is none, and lengths S [m] and T [m].

    Raises:
        InputError: if a translation's tokens do not all have the same number of prefixes.
    """
    known = units.mask
    m, k = units.option.shape
    target = (units.tier.masked_fill(~known, -1).amax(dim=1) + 1) if k else units.option.new_zeros(m)
    tokens = int(target.max()) if m else 0
    member = known.unsqueeze(2) & (units.tier.unsqueeze(2) == torch.arange(tokens, device=known.device))
    words = member.sum(dim=1)
    source = words.amax(dim=1) if tokens else target.clone()
    there = torch.arange(tokens, device=known.device) < target.unsqueeze(1)
    if bool(((words != source.unsqueeze(1)) & there).any()):
        raise InputError(f"units {name!r}: each target token needs one prefix for each number of source words read")
    read = (member.cumsum(dim=1) * member).sum(dim=2) - 1
    grid = units.option.new_full((m, tokens, int(source.max()) if m else 0), -1)
    row, column = known.nonzero(as_tuple=True)
    grid[row, units.tier[row, column], read[row, column]] = units.option[row, column]
    return grid, source, target


def written_after(write: Tensor, source: Tensor) -> Tensor:
    """The probability that token i is written when j + 1 source words have been read.

    Args:
        write: [m, T, S], the probability to write token i, rather than to read on, after j + 1 words.
        source: int64 [m], the number of words S of each, after the last of which everything is written.

    Returns:
        [m, T, S]; each token's sum to 1.
    """
    _, tokens, words = write.shape
    word = torch.arange(words, device=write.device)
    write = torch.where(word < source[:, None, None] - 1, write, 1.0)
    # Prefixes with the same number of steps behind them depend only on those with one step less.
    token = torch.arange(tokens, device=write.device)
    step = torch.arange(tokens + words - 1, device=write.device).unsqueeze(1)
    after = step - token
    inside = (after >= 0) & (after < words)
    slanted = torch.where(inside, write[:, token, after.clamp(0, words - 1)], 0.0)
    at = torch.zeros_like(slanted[:, 0])
    at[:, 0] = 1.0
    found = []
    for now in slanted.unbind(dim=1):
        written = at * now
        found.append(written)
        moved = torch.cat([torch.zeros_like(written[:, :1]), written[:, :-1]], dim=1)
        at = moved + (at - written)
    upright = token.unsqueeze(1) + word
    return torch.stack(found, dim=1)[:, upright, token.unsqueeze(1)]


def expected_lag(write: Tensor, source: Tensor, target: Tensor, measure: Measure = "mean") -> Tensor:
    """How many source words a translation is behind one that reads and writes at an even pace, in expectation.

    With g_i the words read when token i = 1 ... T is written, ``mean`` is the mean over i of E[g_i] - (i - 1) S / T.
    ``average`` sums over the tokens up to the first one that is written with all words read, and divides the expected
    sum by their expected number; along a path without chance it is average lagging (Ma et al. 2019).

    Args:
        write: [m, T, S], as in `written_after`.
        source: int64 [m], words of each source.
        target: int64 [m], tokens of each translation.
        measure: which.

    Returns:
        [m]; 0 for a translation without tokens.

    >>> always, never = torch.ones(1, 2, 2), torch.zeros(1, 2, 2)
    >>> [expected_lag(write, torch.tensor([2]), torch.tensor([2])).item() for write in (always, never)]
    [0.5, 1.5]
    """
    checked_measure(measure)
    m, tokens, words = write.shape
    if not m or not tokens:
        return write.sum(dim=(1, 2))
    writes = written_after(write, source)
    read = writes @ torch.arange(1, words + 1, device=write.device, dtype=write.dtype)
    token = torch.arange(tokens, device=write.device)
    counted = (token < target.unsqueeze(1)).to(write.dtype)
    pace = token * (source / target.clamp(min=1)).to(write.dtype).unsqueeze(1)
    if measure == "mean":
        return (counted * (read - pace)).sum(dim=1) / counted.sum(dim=1).clamp(min=1)
    last = (source - 1).clamp(min=0)[:, None, None].expand(-1, tokens, 1)
    ended = writes.gather(2, last).squeeze(2)
    done = torch.cat([torch.zeros_like(ended[:, :1]), ended[:, :-1]], dim=1)
    lags = read - source.unsqueeze(1) * done - pace * (1 - done)
    return (counted * lags).sum(dim=1) / (counted * (1 - done)).sum(dim=1).clamp(min=1)


def checked_measure(measure: Measure) -> Measure:
    """A word that says which tokens a lag goes over."""
    if measure not in get_args(Measure):
        raise InputError(f"measure: no {measure!r}; choose {' or '.join(get_args(Measure))}")
    return measure
