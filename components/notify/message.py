"""What a person is told after a run, a monitoring or a failure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Message:
    """One notice.

    Attributes:
      kind: released, blocked, inconclusive, failed, drift or nothing_new.
      subject: one line, without secrets.
      lines: what happened and what to do next, a line each.
      facts: for machines: run_id, verdict, version, report, error and the like; JSON values.
      key: what makes two notices the same one, for deduplication: within a while the second is
        not sent.
    """

    kind: str
    subject: str
    lines: tuple[str, ...]
    key: str
    facts: Mapping[str, Any] = field(default_factory=dict)
