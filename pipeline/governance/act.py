"""What a named person does to a workspace: alone in it, on a verified ledger, for a reason."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.records.clock import utc_now
from components.records.ledger.ledger import Entry, Ledger
from pipeline.governance.persons import require_text
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class GovernedAct:
    """Attributes:
    entries: the ledger's when the act began, verified.
    """

    workspace: Workspace
    ledger: Ledger
    entries: tuple[Entry, ...]
    by: str
    reason: str

    def record(self, kind: str, body: Mapping[str, Any], *, at: str | None = None) -> Entry:
        """Adds the ledger's entry, with who and why."""
        body = {**body, "reason": self.reason}
        return self.ledger.append(kind, body, by=self.by, at=at or utc_now())


@contextmanager
def governed_act(root: Path, *, by: str, reason: str) -> Iterator[GovernedAct]:
    """Holds the workspace in `root` while a person acts on it.

    Raises:
      ConfigError: nobody is named, or no reason.
      IntegrityError: the ledger was edited.
      WorkspaceBusy: a run or another person is at work.
    """
    by, reason = require_text(by, "--by"), require_text(reason, "--reason")
    workspace = Workspace(root.resolve())
    with workspace.opened():
        ledger = Ledger(workspace.ledger)
        yield GovernedAct(workspace, ledger, ledger.entries(), by, reason)
