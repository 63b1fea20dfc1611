"""Retrains unattended: one run under supervision, and a person told of what came of it."""
