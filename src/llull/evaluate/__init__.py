"""Measuring preference models: how good, for whom, how sure, and against which simple rules."""

from llull.evaluate.baselines import (
    Baseline,
    FirstShown,
    Longest,
    MajoritySource,
    MostMarkdown,
    Shortest,
    trivial_baselines,
)
from llull.evaluate.calibration import ReliabilityBin, reliability_curve
from llull.evaluate.comparison import Comparison, Difference, compare, compared, lead_over_rule, paired_differences
from llull.evaluate.evaluation import Evaluation, Predictions, Slice, Worst
from llull.evaluate.intervals import Estimate, bootstrap_interval, mean_interval
from llull.evaluate.learning import LearningCurve, LearningPoint, learning_curve
from llull.evaluate.metrics import METRICS, Metric
from llull.evaluate.validation import Predictor, cross_validate, evaluate

__all__ = [
    "METRICS",
    "Baseline",
    "Comparison",
    "Difference",
    "Estimate",
    "Evaluation",
    "FirstShown",
    "LearningCurve",
    "LearningPoint",
    "Longest",
    "MajoritySource",
    "Metric",
    "MostMarkdown",
    "Predictions",
    "Predictor",
    "ReliabilityBin",
    "Shortest",
    "Slice",
    "Worst",
    "bootstrap_interval",
    "compare",
    "compared",
    "cross_validate",
    "evaluate",
    "lead_over_rule",
    "learning_curve",
    "mean_interval",
    "paired_differences",
    "reliability_curve",
    "trivial_baselines",
]
