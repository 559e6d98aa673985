"""Learning by gradients: Adam on shuffled votes, stopped where votes of other contexts are predicted best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from llull.errors import InputError
from llull.models.links.link import Link
from llull.models.votes import Sides, Votes, held_out

Margin = Callable[[dict[str, Any], Sides, np.ndarray], Any]
"""From arrays as tensors, the rows of some votes, and their positions among all, to a margin [b] for each."""


@dataclass(frozen=True)
class Learning:
    """How Adam learns.

    Args:
        learning_rate: of its steps.
        weight_decay: pulls arrays to 0, apart from the gradient (Loshchilov and Hutter, 2019).
        batch: votes in each step, at most a sixteenth of all.
        epochs: at most so many passes over the votes.
        patience: stop after so many passes without a lower loss on the contexts held out.
        restarts: begin so often, and keep the best.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    batch: int = 256
    epochs: int = 100
    patience: int = 5
    restarts: int = 1

    def __post_init__(self) -> None:
        for name in ("batch", "epochs", "patience", "restarts"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1")


@dataclass(frozen=True)
class Learned:
    """What was learned."""

    arrays: dict[str, np.ndarray]
    """float64, where the loss on the contexts held out was least."""
    loss: float
    """Per unit of weight, on the contexts held out."""
    passes: int
    """Over the votes, until the best one."""


def learn(
    start: Callable[[np.random.Generator], dict[str, np.ndarray]],
    margin: Margin,
    votes: Votes,
    link: Link,
    seed: int,
    how: Learning,
    *,
    penalty: Callable[[dict[str, Any]], Any] | None = None,
    decayed: Callable[[str], bool] = lambda name: True,
) -> Learned:
    """Learn arrays by which votes are predicted, together with the link's own parameters.

    Of several starts the one is kept whose loss on the contexts held out is least. The link gives its own gradient, so
    no link has to be written twice. Arithmetic is float32.

    Args:
        start: arrays to begin from.
        margin: of votes.
        votes: to learn from; a fifth of their contexts says when to stop.
        link: the loss of a margin.
        seed: of the order, and of which contexts are held out.
        how: Adam learns.
        penalty: added to the mean loss, a scalar tensor.
        decayed: the arrays that weight decay is for.
    """
    torch = torch_or_error()
    random = np.random.default_rng(seed)
    # Dropout draws from torch's own generator, which is left as it was found.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        runs = [_descend(start(random), margin, votes, link, seed, how, penalty, decayed) for _ in range(how.restarts)]
    return min(runs, key=lambda found: found.loss)


STEPS = 16
"""Steps of a pass at least: few votes are taken in smaller batches."""


def _descend(
    start: dict[str, np.ndarray],
    margin: Margin,
    votes: Votes,
    link: Link,
    seed: int,
    how: Learning,
    penalty: Callable[[dict[str, Any]], Any] | None,
    decayed: Callable[[str], bool],
) -> Learned:
    torch = torch_or_error()
    generator = torch.Generator().manual_seed(seed)
    arrays = {name: torch.from_numpy(np.ascontiguousarray(a)).float().requires_grad_() for name, a in start.items()}
    theta = torch.from_numpy(link.start()).float().requires_grad_()
    groups = [
        {"params": [a for name, a in arrays.items() if decayed(name)], "weight_decay": how.weight_decay},
        {"params": [theta, *(a for name, a in arrays.items() if not decayed(name))], "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW([g for g in groups if g["params"]], lr=how.learning_rate)
    rows = torch.from_numpy(votes.rows).float()
    about = None if votes.about is None else torch.from_numpy(votes.about).float()

    def margins(which: np.ndarray) -> Any:
        context = None if about is None or votes.place is None else about[votes.place[which]]
        return margin(arrays, Sides(rows[votes.winner[which]], rows[votes.loser[which]], context), which)

    def loss_of(found: Any, which: np.ndarray) -> tuple[float, np.ndarray]:
        margin = found.detach().double().numpy()
        margin = margin if votes.lead is None else margin - votes.lead[which]
        value, slope = link.loss(margin, votes.tie[which], theta.detach().double().numpy())
        total = max(float(votes.weight[which].sum()), 1e-300)
        return float(votes.weight[which] @ value) / total, slope * (votes.weight[which] / total)[:, None]

    out = held_out(votes, seed)
    inside, outside = np.flatnonzero(~out), np.flatnonzero(out)
    size = max(min(how.batch, len(inside) // STEPS), 1)
    best, kept, waited, at_best = np.inf, {name: a.detach().clone() for name, a in arrays.items()}, 0, 0
    for passed in range(1, how.epochs + 1):
        shuffled = inside[torch.randperm(len(inside), generator=generator).numpy()]
        for first in range(0, len(shuffled), size):
            which = shuffled[first : first + size]
            adam.zero_grad()
            found = margins(which)
            _, slope = loss_of(found, which)
            # One call, so that what margins and penalty share is passed once.
            told = [(found, found.new_tensor(slope[:, 0]))]
            if penalty is not None:
                told.append((penalty(arrays), torch.ones(())))
            torch.autograd.backward([value for value, _ in told], [given for _, given in told])
            theta.grad = theta.new_tensor(slope[:, 1:].sum(axis=0))
            adam.step()
        with torch.no_grad():
            found = torch.cat([margins(part) for part in np.array_split(outside, max(len(outside) // 65536, 1))])
            loss, _ = loss_of(found, outside)
        if loss < best:
            best, waited, at_best = loss, 0, passed
            kept = {name: a.detach().clone() for name, a in arrays.items()}
        else:
            waited += 1
        if waited == how.patience:
            break
    return Learned({name: a.numpy().astype(np.float64) for name, a in kept.items()}, best, at_best)


def as_tensors(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Arrays as float32 tensors, to stand beside those that are learned."""
    torch = torch_or_error()
    return {name: torch.from_numpy(np.ascontiguousarray(array)).float() for name, array in arrays.items()}


def torch_or_error() -> Any:
    """Torch, or an InputError that says how to install it."""
    try:
        import torch
    except ModuleNotFoundError:
        raise InputError("this head learns with torch, which is not installed: pip install 'llull[text]'") from None
    return torch


def is_learning() -> bool:
    """Whether gradients are being taken, and not losses on votes held out."""
    import torch

    return torch.is_grad_enabled()
