"""Retrains unattended: one run under supervision, and a person told of what came of it."""

from pipeline.unattended.retraining.once import retrain
from pipeline.unattended.retraining.retrained import Retrained

__all__ = ["Retrained", "retrain"]
