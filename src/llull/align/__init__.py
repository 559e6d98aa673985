"""Changing a model by judgments: one trainer for every objective and for reward models."""

from llull.align.alignment import Aligned, train
from llull.align.policies import Adapter, Policy, load_policy, save_policy
from llull.align.preparing import Limits, prepare
from llull.align.references import KnownValues, LiveReference
from llull.align.settings import Training
from llull.align.step import Teaching
from llull.align.trainer import History, Trainer
from llull.align.training_set import TrainingSet

__all__ = [
    "Adapter",
    "Aligned",
    "History",
    "KnownValues",
    "Limits",
    "LiveReference",
    "Policy",
    "Teaching",
    "Trainer",
    "Training",
    "TrainingSet",
    "load_policy",
    "prepare",
    "save_policy",
    "train",
]
