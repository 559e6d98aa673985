"""A head with hidden layers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from llull.errors import InputError
from llull.models.heads.head import Head, Hidden
from llull.models.links.link import Link
from llull.models.votes import Votes, held_out

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class MLP(Head):
    """Utility is a weighted sum of the last of some layers of rectified units.

    The layers are learned by Adam on shuffled batches, and kept as they were when the loss on a fifth of the
    contexts was least. The weights of the last layer are then fitted to their optimum on all votes, like those
    of a linear head, with l2 chosen on the same fifth. Learning needs torch (``pip install 'llull[text]'``);
    predicting does not.

    Args:
        hidden: units of each layer.
        learning_rate: of Adam.
        weight_decay: pulls the layers' weights to 0, apart from the gradient (Loshchilov and Hutter, 2019).
        batch: pairs in each step.
        epochs: at most so many passes over the pairs.
        patience: stop after so many passes without a lower loss on the contexts held out.
    """

    hidden: tuple[int, ...] = (64,)
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    batch: int = 256
    epochs: int = 100
    patience: int = 5

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise InputError(f"hidden={self.hidden} has no units; give the size of each layer, such as (64,)")

    def learn(self, votes: Votes, link: Link, seed: int) -> Hidden:
        """Learn the layers; the same votes and seed give the same layers on CPU."""
        torch = _import_torch()
        generator = torch.Generator().manual_seed(seed)
        sizes = [votes.rows.shape[1], *self.hidden]
        layers: list[torch.Tensor] = []
        for inputs, units in pairwise(sizes):
            layers.append(torch.randn(inputs, units, generator=generator) * (2 / inputs) ** 0.5)
            layers.append(torch.zeros(units))
        layers.append(torch.randn(sizes[-1], generator=generator) * sizes[-1] ** -0.5)
        theta = torch.from_numpy(link.start()).float()
        learned = [tensor.requires_grad_() for tensor in [*layers, theta]]
        adam = torch.optim.AdamW(learned, lr=self.learning_rate, weight_decay=self.weight_decay)
        rows = torch.from_numpy(votes.rows).float()
        out = held_out(votes, seed)
        inside, outside = np.flatnonzero(~out), np.flatnonzero(out)
        best, kept, waited = np.inf, [tensor.detach().clone() for tensor in layers], 0
        for _ in range(self.epochs):
            shuffled = inside[torch.randperm(len(inside), generator=generator).numpy()]
            for start in range(0, len(shuffled), self.batch):
                _step(adam, layers, theta, rows, votes, link, shuffled[start : start + self.batch])
            with torch.no_grad():
                loss, _ = _loss(layers, theta, rows, votes, link, outside)
            if loss < best:
                best, kept, waited = loss, [tensor.detach().clone() for tensor in layers], 0
            else:
                waited += 1
            if waited == self.patience:
                break
        arrays = [tensor.numpy().astype(np.float64) for tensor in kept[:-1]]
        names = [f"{kind}{layer}" for layer in range(len(self.hidden)) for kind in ("weight", "bias")]
        return dict(zip(names, arrays, strict=True))

    def basis(self, hidden: Hidden, rows: np.ndarray) -> np.ndarray:
        """The last layer's units [m, p]."""
        for layer in range(len(self.hidden)):
            rows = np.maximum(rows @ hidden[f"weight{layer}"] + hidden[f"bias{layer}"], 0)
        return rows

    def contrast(self, hidden: Hidden, winner: np.ndarray, loser: np.ndarray) -> np.ndarray:
        """Differences of the last layer's units [n, p]."""
        return self.basis(hidden, winner) - self.basis(hidden, loser)

    def names(self, features: tuple[str, ...]) -> None:
        """No one could say what a unit is about."""
        return None


def _step(
    adam: torch.optim.Optimizer,
    layers: list[torch.Tensor],
    theta: torch.Tensor,
    rows: torch.Tensor,
    votes: Votes,
    link: Link,
    which: np.ndarray,
) -> None:
    adam.zero_grad()
    margin = _margin(layers, rows, votes, which)
    _, slope = link.loss(margin.detach().numpy().astype(np.float64), votes.tie[which], theta.detach().numpy())
    slope = slope * (votes.weight[which] / votes.weight[which].sum())[:, None]
    # The link gives its own gradient, so no link has to be written twice.
    margin.backward(margin.new_tensor(slope[:, 0]))
    theta.grad = theta.new_tensor(slope[:, 1:].sum(axis=0))
    adam.step()


def _loss(
    layers: list[torch.Tensor], theta: torch.Tensor, rows: torch.Tensor, votes: Votes, link: Link, which: np.ndarray
) -> tuple[float, np.ndarray]:
    margin = _margin(layers, rows, votes, which).detach().numpy().astype(np.float64)
    loss, slope = link.loss(margin, votes.tie[which], theta.detach().numpy())
    return float(votes.weight[which] @ loss / votes.weight[which].sum()), slope


def _margin(layers: list[torch.Tensor], rows: torch.Tensor, votes: Votes, which: np.ndarray) -> torch.Tensor:
    def utility(at: np.ndarray) -> torch.Tensor:
        units = rows[at]
        for weight, bias in zip(layers[:-1:2], layers[1:-1:2], strict=True):
            units = (units @ weight + bias).relu()
        return units @ layers[-1]

    return utility(votes.winner[which]) - utility(votes.loser[which])


def _import_torch() -> Any:
    try:
        import torch
    except ModuleNotFoundError:
        raise InputError("the MLP head learns with torch, which is not installed: pip install 'llull[text]'") from None
    return torch
