"""Retrains unattended: one run under supervision, and a person told of what came of it."""

from pipeline.retraining.once import retrain
from pipeline.retraining.retrained import Retrained

__all__ = ["Retrained", "retrain"]
