"""Signed statements: who answers for a decision or a release, and for exactly which files."""
