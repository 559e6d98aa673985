"""TRL's own loss code, called on numbers instead of a model: bare trainers with what their losses read."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from llull.objectives import Batch, PairUnits, Scores, SingleUnits, Tokens


def accelerator() -> SimpleNamespace:
    """One process that gathers what it has."""
    same = lambda value: value  # noqa: E731
    return SimpleNamespace(
        device=torch.device("cpu"), gather=same, gather_for_metrics=same, unwrap_model=same, num_processes=1
    )


class Numbers(nn.Module):
    """A model whose outputs are given."""

    is_gradient_checkpointing = False

    def __init__(self, **outputs: object) -> None:
        super().__init__()
        self.outputs = SimpleNamespace(**outputs)

    def forward(self, *_: object, **__: object) -> SimpleNamespace:
        """The given outputs."""
        return self.outputs


def bare(trainer: type, **attributes: object) -> object:
    """A trainer that was never set up, with these attributes and the bookkeeping that losses touch."""
    made = object.__new__(trainer)
    plain = {
        "accelerator": accelerator(),
        "aux_loss_enabled": False,
        "_metrics": defaultdict(lambda: defaultdict(list)),
        "_total_train_tokens": 0,
        "_tp_size": 1,
        "is_encoder_decoder": False,
        "pad_token_id": 0,
        "padding_value": 0,
    }
    for name, value in (plain | attributes).items():
        setattr(made, name, value)
    return made


class PaddedPairs:
    """m pairs as TRL has them, [chosen, rejected] padded, and the same as a batch of scores.

    The leaf of the policy is ``policy`` [2 m, t], zero where padded; option i is row i, pair i is rows i and m + i.
    """

    def __init__(self, m: int = 5, longest: int = 7, seed: int = 0, spread: float = 2.0, equal: bool = False) -> None:
        random = torch.Generator().manual_seed(seed)
        self.m = m
        self.length = torch.randint(2, longest + 1, (2 * m,), generator=random)
        if equal:
            self.length = torch.full((2 * m,), longest)
        self.mask = torch.arange(longest) < self.length.unsqueeze(1)
        self.policy = -spread * torch.rand(2 * m, longest, generator=random) * self.mask
        self.reference = self.policy + 0.7 * torch.randn(2 * m, longest, generator=random) * self.mask
        self.concentration = -torch.rand(2 * m, longest, generator=random) * self.mask
        self.units = PairUnits.of(torch.arange(m), m + torch.arange(m))

    def batch(self, policy: Tensor, rows: Tensor | None = None) -> Batch:
        """Ours."""
        option = torch.arange(2 * self.m).unsqueeze(1).expand_as(self.mask)[self.mask]
        tokens = Tokens(
            option, policy[self.mask], self.reference[self.mask], concentration=self.concentration[self.mask]
        )
        options = Scores((policy * self.mask).sum(1), self.reference.sum(1), self.length, tokens)
        return Batch(options, {"main": self.units if rows is None else self.units.select(rows)})

    def dpo(self, policy: Tensor, rows: Tensor | None = None, **settings: object) -> Tensor:
        """The loss of TRL's DPO trainer."""
        from trl import DPOTrainer

        rows = torch.arange(self.m) if rows is None else rows
        both = torch.cat([rows, self.m + rows])
        completion = torch.cat([torch.zeros(len(both), 1), self.mask[both]], 1).long()
        quiet = torch.zeros(len(both), self.mask.shape[1])
        shared = {"entropy": quiet, "mean_logits": quiet, "is_top1": quiet.bool()}
        model = Numbers(log_probs=policy[both] * self.mask[both], log_sum_sq_probs=self.concentration[both], **shared)
        reference = Numbers(log_probs=self.reference[both])
        plain = {
            "beta": 0.1,
            "label_smoothing": 0.0,
            "loss_types": ["sigmoid"],
            "loss_weights": [1.0],
            "f_divergence_type": "reverse_kl",
            "f_alpha_divergence_coef": 0.5,
            "use_weighting": False,
            "ld_alpha": None,
            "precompute_ref_logps": False,
            "model": model,
            "ref_model": reference,
            "args": SimpleNamespace(discopop_tau=0.05, gradient_checkpointing_kwargs=None),
        }
        trainer = bare(DPOTrainer, **(plain | settings))
        inputs = {"input_ids": completion, "attention_mask": completion, "completion_mask": completion}
        return trainer._compute_loss(model, inputs, False)


class LogitPairs:
    """m pairs of answers to a prompt of two tokens, from given logits, for the trainers that read logits themselves.

    The leaf is ``logits`` [branches * m, 2 + t, v]; option i is row i, pair i is rows i and m + i, gold 2 m + i.
    """

    def __init__(
        self, m: int = 4, t: int = 5, v: int = 6, branches: int = 2, seed: int = 0, equal: bool = True
    ) -> None:
        random = torch.Generator().manual_seed(seed)
        self.m, self.branches, rows = m, branches, branches * m
        self.length = torch.full((rows,), t) if equal else torch.randint(2, t + 1, (rows,), generator=random)
        self.answer = torch.arange(-2, t) < self.length.unsqueeze(1)
        self.answer[:, :2] = False
        self.ids = torch.randint(1, v, (rows, 2 + t), generator=random) * (
            torch.arange(-2, t) < self.length.unsqueeze(1)
        )
        self.logits = torch.randn(rows, 2 + t, v, generator=random)
        self.units = PairUnits.of(torch.arange(m), m + torch.arange(m))

    def token_log_probs(self, logits: Tensor) -> Tensor:
        """Log-probabilities of each token after the first, zero where it is prompt or padding: [rows, 1 + t]."""
        found = torch.log_softmax(logits[:, :-1], -1).gather(-1, self.ids[:, 1:].unsqueeze(-1)).squeeze(-1)
        return found * self.answer[:, 1:]

    def batch(self, logits: Tensor) -> Batch:
        """Ours."""
        options = Scores(self.token_log_probs(logits).sum(1), None, self.length)
        units = {"main": self.units}
        if self.branches == 3:
            units["gold"] = SingleUnits.of(2 * self.m + torch.arange(self.m))
        return Batch(options, units)

    def rows(self) -> dict[str, Tensor]:
        """Inputs as TRL's experimental trainers collate them."""
        labels = torch.where(self.answer, self.ids, -100)
        attention = (self.answer | (torch.arange(self.ids.shape[1]) < 2)).long()
        found = {}
        for at, side in enumerate(("chosen", "rejected")):
            part = slice(at * self.m, (at + 1) * self.m)
            found |= {
                f"{side}_input_ids": self.ids[part],
                f"{side}_labels": labels[part],
                f"{side}_attention_mask": attention[part],
            }
        return found
