"""Prunes a workspace: what no release, golden or rule holds on to any more is removed for good."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from components.records.clock import current_time, time_id
from components.records.ledger.ledger import Ledger
from pipeline.evidence.subject import Evidence
from pipeline.run.recorder import close_dead
from pipeline.settings.config import RetentionConfig
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retention.plan import Goes, plan
from pipeline.unattended.retention.removal import finish, remove


@dataclass(frozen=True)
class Pruned:
    """What went, or would go.

    Attributes:
      kept: runs whose files stay, in whole or in part, and why.
      unknown: folders that stay because no record knows them, or because links are in them.
      entry: number of the ledger's entry; None where nothing went.
    """

    removed: tuple[Goes, ...]
    kept: Mapping[str, str]
    unknown: tuple[str, ...]
    dry_run: bool
    entry: int | None = None

    @property
    def files(self) -> int:
        return sum(one.files for one in self.removed)

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.removed)

    def as_json(self) -> dict[str, Any]:
        """For machines; nothing is left out."""
        return {
            "dry_run": self.dry_run,
            "entry": self.entry,
            "files": self.files,
            "bytes": self.bytes,
            "removed": [one.document() for one in self.removed],
            "kept": dict(self.kept),
            "unknown": list(self.unknown),
        }


def prune(
    config: RetentionConfig,
    workspace: Workspace,
    *,
    dry_run: bool = False,
    now: datetime | None = None,
) -> Pruned:
    """Removes intermediate files that nothing refers to, and ends what a killed prune began.

    Args:
      dry_run: says what would go, and touches nothing.
      now: the time, with its zone; None asks the clock.

    Raises:
      WorkspaceBusy: a run holds the workspace.
      ConfigError: nothing ever ran here, or files cannot be removed.
      IntegrityError: what has to stay cannot be known; nothing was removed.
    """
    now = now or current_time()
    workspace = Workspace(workspace.root.resolve())
    workspace.id  # noqa: B018  # a folder in which nothing ever ran is left as it is
    with contextlib.nullcontext() if dry_run else workspace.opened():
        if not dry_run:
            close_dead(workspace)  # or nobody knew what a killed run needs
            finish(workspace, Ledger(workspace.ledger).entries())
        with Evidence(workspace.root) as evidence:
            found = plan(evidence, config, now=now, hashed=not dry_run)
        entry = remove(workspace, time_id(), found.goes) if found.goes and not dry_run else None
    return Pruned(found.goes, found.kept, found.unknown, dry_run, entry.seq if entry else None)
