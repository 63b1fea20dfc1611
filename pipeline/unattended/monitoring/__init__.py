"""What is served, compared with the released model's own data: a report, the ledger, a notice."""

from pipeline.unattended.monitoring.watching import Monitored, monitor

__all__ = ["Monitored", "monitor"]
