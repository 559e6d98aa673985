"""Changing a model by judgments: one trainer for every objective and for reward models."""

from llull.align.alignment import Aligned, train
from llull.align.comparing import Compared, step_by_comparisons
from llull.align.inputs import Inputs, Limits
from llull.align.policies import Adapter, Policy, load_policy, save_policy
from llull.align.preparing import prepare
from llull.align.references import KnownValues, LiveReference
from llull.align.reward_fitting import FittedReward, fit_reward_model
from llull.align.reward_model import RewardModel
from llull.align.reward_saving import SavedReward, load_reward_model, save_reward_model
from llull.align.segments import Segments
from llull.align.settings import Training
from llull.align.step import Teaching
from llull.align.trainer import History, Trainer
from llull.align.training_set import TrainingSet

__all__ = [
    "Adapter",
    "Aligned",
    "Compared",
    "FittedReward",
    "History",
    "Inputs",
    "KnownValues",
    "Limits",
    "LiveReference",
    "Policy",
    "RewardModel",
    "SavedReward",
    "Segments",
    "Teaching",
    "Trainer",
    "Training",
    "TrainingSet",
    "fit_reward_model",
    "load_policy",
    "load_reward_model",
    "prepare",
    "save_policy",
    "save_reward_model",
    "step_by_comparisons",
    "train",
]
