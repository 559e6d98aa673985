"""Reports of invented alignments, for the tests of the page."""

from __future__ import annotations

import math
from dataclasses import replace

from llull.evaluate import Estimate
from llull.report import Reproduction
from llull.report.alignment import AlignmentReport, Sample

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)> & "quoted"'


def about(value: float, half: float = 0.02) -> Estimate:
    return Estimate(value, value - half, value + half, half / 2, 400, 300)


def certain(value: float) -> Estimate:
    return Estimate(value, value, value, 0.0, 400, 300)


def alone(value: float) -> Estimate:
    return Estimate(value, math.nan, math.nan, math.nan, 4, 1)


def healthy() -> AlignmentReport:
    """An alignment in which nothing went wrong."""
    before = {
        "accuracy": certain(0.5),
        "likelihood_accuracy": about(0.52),
        "margin": certain(0.0),
        "chosen_drift": certain(0.0),
        "rejected_drift": certain(0.0),
        "chosen_log_prob": about(-1.52),
        "longer_preferred": certain(0.5),
    }
    after = {
        "accuracy": about(0.642),
        "likelihood_accuracy": about(0.57),
        "margin": about(2.31, 0.4),
        "chosen_drift": about(1.2, 0.3),
        "rejected_drift": about(-1.1, 0.3),
        "chosen_log_prob": about(-1.5),
        "longer_preferred": about(0.53),
    }
    updates = [
        {
            "update": float(i),
            "loss": 0.69 - 0.0006 * i + 0.03 * math.sin(7 * i),
            "accuracy": 0.5 + 0.001 * i + 0.05 * math.cos(5 * i),
            "margin": 0.01 * i,
        }
        for i in range(1, 201)
    ]
    evaluations = [
        {
            "update": float(i),
            "loss": 0.693 - 0.0007 * i + 0.0000022 * i * i,
            "accuracy": 0.5 + 0.0014 * i - 0.000004 * i * i,
            "margin": 0.0115 * i,
            "chosen_drift": 0.006 * i,
            "rejected_drift": -0.0055 * i,
        }
        for i in range(0, 201, 20)
    ]
    return AlignmentReport(
        title=f"Stories {HOSTILE}",
        policy="models/stories <260k>",
        objective="DPO",
        formula="loss = -log sigmoid(beta * (log-ratio of the better - log-ratio of the worse))\nbeta = 0.1 < 1 & more",
        source="Rafailov et al. 2023, equation 7 <i>",
        reference="the policy at its start, fingerprint 0123456789abcdef",
        before=before,
        after=after,
        meanings={"accuracy": "share ranked <rightly>", "margin": "mean difference"},
        updates=updates,
        evaluations=evaluations,
        best=160,
        stopped="no better accuracy in 2 evaluations",
        samples=[
            Sample(f"Once upon a time {HOSTILE}", "there was a dog. " * 6, "there was a happy dog. " * 60),
            Sample("", "Lily said no.", ""),
        ],
        generation={
            "kl": (certain(0.0), about(3.4, 0.3)),
            "kl_per_token": (certain(0.0), about(0.021, 0.002)),
            "length": (about(158.0, 6.0), about(161.0, 7.0)),
            "distinct_bigrams": (about(0.71), about(0.70)),
        },
        notes=[f"12 options were cut to 512 tokens {HOSTILE}", "3 ties say nothing to this objective"],
        settings={"learning rate": "0.0005", "batch size": "16", f"seed {HOSTILE}": "0"},
        reproduction=Reproduction(
            f"llull align 'votes.jsonl' --title '{HOSTILE}'", 0, "fedcba", "seed: 0\n", {}, "today"
        ),
    )


def failing() -> AlignmentReport:
    """An alignment in which everything that is looked for went wrong."""
    good = healthy()
    worse = {"accuracy": about(0.505), "chosen_log_prob": about(-1.9), "longer_preferred": about(0.81)}
    generation = {"kl": (certain(0.0), about(42.0, 3.0)), "distinct_bigrams": (about(0.7), about(0.4))}
    return replace(good, after={**good.after, **worse}, generation={**good.generation, **generation})


def little() -> AlignmentReport:
    """An alignment of which next to nothing is known."""
    return AlignmentReport("Little", "a policy", "DPO", "", "", "")
