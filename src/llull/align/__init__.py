"""Changing a model by judgments: one trainer for every objective and for reward models."""
