"""What a workspace need not keep for ever: found, written down, put into the ledger, removed."""

from pipeline.unattended.retention.pruning import Pruned, prune

__all__ = ["Pruned", "prune"]
