"""Tells a person what happened, over every channel that the configuration names."""

from pipeline.notifying.channels import check
from pipeline.notifying.telling import resend, tell, try_out

__all__ = ["check", "resend", "tell", "try_out"]
