"""Whether a model gives the same numbers for a tree as for its paths one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from llull.errors import InputError
from llull.language.anatomy import Anatomy
from llull.language.attention import TreeLayout, use_tree_attention
from llull.language.packing import Packed, pack
from llull.language.trees import PrefixTree

_TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-5, torch.float16: 3e-3, torch.bfloat16: 2e-2}
"""Root mean square difference of log-probabilities, relative to 1 + their root mean square.

Float64 has that of float32, in which most architectures normalize and attend whatever their weights are.
"""

Scorer = Callable[[Packed, TreeLayout | None], Tensor]
"""Log-probabilities [u] of a row's distinct scored tokens, over trees or (None) one copy of the context per option."""


def why_not_trees(anatomy: Anatomy, scorer: Scorer) -> str | None:
    """Make a model attend over trees if it can.

    Args:
        anatomy: the model.
        scorer: computes its log-probabilities.

    Returns:
        None if the model now takes trees; otherwise why it does not, and the model is as before.
    """
    if not anatomy.attends_only:
        return "some of its layers are not full or sliding-window attention"
    packed = random_row(anatomy)
    layout = TreeLayout(packed, anatomy.device)
    undo: Callable[[], None] | None = None
    try:
        undo = use_tree_attention(anatomy.base)
        same = agrees(anatomy, scorer, packed, layout)
    except Exception as error:  # An architecture may do anything with keyword arguments it does not know.
        said = str(error).splitlines()[0] if str(error) else ""
        reason = said if isinstance(error, InputError) else f"{type(error).__name__}: {said}"
    else:
        if not layout.windows:
            reason = "it does not pass on which tokens may be attended to"
        elif anatomy.window is not None and anatomy.window not in layout.windows:
            reason = f"it keeps its sliding window of {anatomy.window} tokens to itself"
        else:
            reason = None if same else "its numbers for a tree are not those of its paths one at a time"
    if reason is not None and undo is not None:
        undo()
    return reason


def random_row(anatomy: Anatomy) -> Packed:
    """Two small random trees, one of them with shared steps."""
    generator = np.random.default_rng(0)
    vocabulary = anatomy.text_config.vocab_size

    def some(n: int) -> np.ndarray:
        return generator.integers(0, vocabulary, n)

    first, second, third = some(4), some(3), some(5)
    steps = PrefixTree.of_steps(some(7), [[first, second], [first, third], [some(6)]])
    pair = PrefixTree.of_options(some(5), [some(4), some(7)])
    return pack([steps, pair], budget=len(steps) + len(pair))[0]


def agrees(anatomy: Anatomy, scorer: Scorer, packed: Packed, layout: TreeLayout | None) -> bool:
    """Whether log-probabilities in a layout are those that the model itself gives for one path at a time.

    Args:
        anatomy: the model.
        scorer: computes its log-probabilities.
        packed: on which trees.
        layout: over trees, or None for the flat layout.

    Returns:
        Whether they agree, as far as the dtype of the model allows.
    """
    with torch.no_grad(), evaluating(anatomy.base):
        expected = plain_log_probs(anatomy.base, packed, anatomy.device)
        found = scorer(packed, layout)
    dtype = next(anatomy.base.parameters()).dtype
    if torch.is_autocast_enabled(anatomy.device.type):
        dtype = torch.get_autocast_dtype(anatomy.device.type)
    # Not every device has float64.
    found, expected = found.cpu().double(), expected.cpu().double()
    difference = (found - expected).square().mean().sqrt()
    size = 1 + expected.square().mean().sqrt()
    return bool(difference <= _TOLERANCE.get(dtype, 2e-2) * size)


def plain_log_probs(model: Any, packed: Packed, device: torch.device) -> Tensor:
    """Log-probabilities [u] of a row's distinct scored tokens from the model's own logits, one path at a time."""
    ids, lengths = packed.rows
    logits = [
        model(input_ids=row[None, :length].to(device)).logits[0] for row, length in zip(ids, lengths, strict=True)
    ]
    pairs = zip(packed.owner.tolist(), packed.position[packed.source].tolist(), strict=True)
    picked = torch.stack([logits[row][at] for row, at in pairs])
    precise = picked if picked.dtype == torch.float64 else picked.float()
    return precise.log_softmax(-1).gather(1, packed.target_ids.to(device)[:, None]).squeeze(1)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Without dropout, and afterwards each module as it was."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
