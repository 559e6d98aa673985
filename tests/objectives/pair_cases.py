"""Every preset on pairs, with the arguments that change its form, and one random batch that serves them all."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from llull.objectives import Batch, Objective, PairUnits, Scores, SingleUnits, Tokens
from llull.objectives.links.worlds import CPO_STRUCTURE, ORPO_STRUCTURE
from llull.objectives.presets import margins, noisy, pairs, reference_free

MODULES = (pairs, margins, reference_free, noisy)

VARIANTS: tuple[tuple[str, dict[str, object]], ...] = (
    ("DPO", {"reduction": "mean"}),
    ("IPO", {"reduction": "sum"}),
    ("AOT", {"noise": 0.1}),
    ("AOTUnpaired", {"noise": 0.1}),
    ("FDPO", {"divergence": "forward_kl"}),
    ("FDPO", {"divergence": "alpha", "alpha": 0.3}),
    ("FDPO", {"divergence": "alpha", "alpha": 1.0}),
    ("FDPO", {"divergence": "reverse_kl"}),
    ("WPO", {"sampled_alignment": False}),
    ("ODPO", {"column": "reward"}),
    ("ODPO", {"growth": "linear", "scale": 0.3}),
    ("MODPO", {"link": "hinge"}),
    ("MODPO", {"share": 0.5, "others": (0.2, 0.3), "column": "two_rewards", "soft": True}),
    ("VPO", {"attitude": "optimistic", "soft": True}),
    ("RewardGapDPO", {"distance": "squared", "scale": 0.5}),
    ("RewardGapDPO", {"distance": "forward_kl"}),
    ("DPOLikelihood", {"pair_weight": 0.5, "likelihood": 0.2, "reduction": "sum"}),
    ("ScoreDPO", {"pair_weight": 0.1, "likelihood": 0.9}),
    ("SimPO", {"noise": 0.1}),
    ("CPO", {"noise": 0.1, "reduction": "sum"}),
    ("CPO", {"likelihood": 0.0}),
    ("SLiC", {"keep": "gold"}),
    ("AlphaPO", {"alpha": 0.0}),
    ("AlphaPO", {"alpha": -0.5}),
    ("TriplePO", {"reduction": "mean", "gamma": 0.5}),
    ("MaPO", {"steps": 5.0}),
    ("LogicPO", {"structure": "ce"}),
    ("LogicPO", {"structure": "ceunl", "beta": 0.5}),
    ("LogicPO", {"structure": "uncpo"}),
    ("LogicPO", {"structure": "cfunl"}),
    ("LogicPO", {"structure": CPO_STRUCTURE}),
    ("LogicPO", {"structure": ORPO_STRUCTURE}),
    ("SoftDPO", {"temperature": 2.0}),
    ("DavidsonDPO", {"nu": 0.3, "learned": False}),
    ("LCPO", {"inner": "ipo"}),
    ("LCPO", {"inner": "simpo"}),
    ("LCPO", {"inner": "cpo"}),
    ("UAPO", {"anchor": "learned", "uncertain": True}),
    ("UAPO", {"anchor": "zero", "reference": False, "down": 0.5}),
    ("GroupRobustDPO", {"rule": "softmax"}),
)


def presets() -> dict[str, type[Objective]]:
    """The presets of these modules by name."""
    return {
        name: value
        for module in MODULES
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Objective) and value.__module__ == module.__name__
    }


def cases() -> list[tuple[str, dict[str, object]]]:
    """Every preset as it comes, and the variants."""
    plain: list[tuple[str, dict[str, object]]] = [(name, {}) for name in presets()]
    return [*plain, *VARIANTS]


def name_of(case: tuple[str, dict[str, object]]) -> str:
    """A case's name in test reports."""
    return "-".join([case[0], *(f"{k}={v}" if not hasattr(v, "sides") else k for k, v in case[1].items())])


def made(case: tuple[str, dict[str, object]]) -> Objective:
    """The case's objective in float64, with whatever it learns drawn alike every time."""
    torch.manual_seed(0)
    if case[0] == "DegreeDPO":
        return presets()["DegreeDPO"](width=3, **case[1]).double()
    return presets()[case[0]](**case[1]).double()


M = 6
"""Pairs of the random batch; options 2 i and 2 i + 1 are pair i, and 12 + i is what belongs to it besides."""


class RandomBatch:
    """Random token log-probabilities of M pairs and M more options, with everything that presets ask for."""

    def __init__(self, seed: int = 0, dtype: torch.dtype = torch.float64, gap: float = 1.0) -> None:
        random = torch.Generator().manual_seed(seed)
        n = 3 * M
        length = torch.randint(2, 7, (n,), generator=random)
        self.option = torch.repeat_interleave(torch.arange(n), length)
        t = len(self.option)
        self.policy = (-0.05 - 2 * torch.rand(t, generator=random, dtype=torch.float64)).to(dtype)
        noise = gap * torch.randn(t, generator=random, dtype=torch.float64)
        self.reference = self.policy + 0.3 * noise.to(dtype)
        self.concentration = (-2 * torch.rand(t, generator=random, dtype=torch.float64)).to(dtype)
        self.hidden = torch.randn(n, 3, generator=random, dtype=torch.float64).to(dtype)
        self.columns = {
            "reward": torch.rand(n, generator=random, dtype=torch.float64).to(dtype),
            "other_reward": torch.randn(n, generator=random, dtype=torch.float64).to(dtype),
            "two_rewards": torch.randn(n, 2, generator=random, dtype=torch.float64).to(dtype),
            "degree": torch.randint(4, (n,), generator=random),
        }
        self.units = PairUnits.of(
            torch.arange(0, 2 * M, 2),
            torch.arange(1, 2 * M, 2),
            preferred=torch.rand(M, generator=random, dtype=torch.float64).to(dtype),
            strength=(0.5 + torch.rand(M, generator=random, dtype=torch.float64)).to(dtype),
            annotator=torch.tensor([0, 1, 0, -1, 2, 1]),
            group=torch.tensor([0, 0, 0, 0, 1, 1]),
        )
        beside = SingleUnits.of(2 * M + torch.arange(M))
        self.beside = dict.fromkeys(("gold", "calibration", "degraded_chosen", "degraded_rejected"), beside)

    def scores(self, policy: Tensor | None = None) -> Scores:
        """The options, scored from these policy tokens."""
        policy = self.policy if policy is None else policy
        tokens = Tokens(self.option, policy, self.reference, concentration=self.concentration)
        n = 3 * M
        return Scores(
            tokens.per_option(policy, n),
            tokens.per_option(self.reference, n),
            torch.bincount(self.option, minlength=n),
            tokens,
            self.hidden,
            self.columns,
        )

    def batch(self, policy: Tensor | None = None, units: PairUnits | None = None) -> Batch:
        """All options, and these pairs, or all."""
        return Batch(self.scores(policy), {"main": self.units if units is None else units, **self.beside})

    def begun(self, objective: Objective) -> Objective:
        """The objective after it has seen all data at the reference, and one window of updates."""
        objective.begin(self.batch(self.reference))
        objective.settle(objective.survey(self.batch()))
        objective.update(dict(objective(self.batch()).noted))
        objective.settle(objective.survey(self.batch()))
        return objective

    def alone(self, units: PairUnits) -> Batch:
        """These pairs without any named units."""
        return Batch(self.scores(), {"main": units})

    def far(self, dtype: torch.dtype = torch.float32) -> Batch:
        """Log-probabilities down to -1e4, and gaps to the reference of 1e3 in both directions."""
        n = 3 * M
        policy = torch.tensor([-1e4, -1.0, -1.0, -1e4, -2e3, -1e3], dtype=dtype).repeat(n // 6).requires_grad_()
        reference = torch.tensor([-9e3, -1001.0, -1001.0, -9e3, -1e3, -2e3], dtype=dtype).repeat(n // 6)
        ones = torch.ones(n, dtype=dtype)
        tokens = Tokens(torch.arange(n), policy, reference, concentration=-ones)
        columns = {
            name: value if value.dtype == torch.int64 else value.to(dtype) for name, value in self.columns.items()
        }
        options = Scores(policy, reference, ones, tokens, self.hidden.to(dtype), columns)
        units = replace(self.units, preferred=self.units.preferred.to(dtype), strength=self.units.strength.to(dtype))
        return Batch(options, {"main": units, **self.beside})
