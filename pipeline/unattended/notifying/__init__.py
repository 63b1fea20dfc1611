"""Tells a person what happened, over every channel that the configuration names."""
