"""Tells a person what happened, over every channel that the configuration names."""

from pipeline.unattended.notifying.channels import check
from pipeline.unattended.notifying.telling import resend, tell, try_out

__all__ = ["check", "resend", "tell", "try_out"]
