"""One folder per series of releases: where things are, and one run at a time."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import filelock

from components.errors import ConfigError, WorkspaceBusy


@dataclass(frozen=True)
class Workspace:
    """The folder and the names inside it; nothing is created before `opened`."""

    root: Path

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def baselines(self) -> Path:
        """Baselines that this workspace made for itself, on its first run on new data."""
        return self.root / "baselines"

    @property
    def serving(self) -> Path:
        return self.root / "serving"

    @property
    def database(self) -> Path:
        return self.root / "metadata.sqlite"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.jsonl"

    @property
    def problems(self) -> Path:
        return self.root / ".problem.json"

    def run_folder(self, run_id: str) -> Path:
        return self.runs / run_id

    def metadata(self) -> Any:
        """ML Metadata's connection, for the graph."""
        from tfx import v1 as tfx

        return tfx.orchestration.metadata.sqlite_metadata_connection_config(str(self.database))

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Holds the workspace for one run; the lock goes with the process, even if killed.

        Raises:
          WorkspaceBusy: another run holds it.
          ConfigError: the folder cannot be made or written to.
        """
        lock = filelock.FileLock(self.root / ".lock")
        holder = self.root / ".holder"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            lock.acquire(blocking=False)
        except filelock.Timeout:
            by = holder.read_text(encoding="utf-8").strip() if holder.exists() else "another run"
            raise WorkspaceBusy(
                f"{self.root}: in use by {by}; wait for it to end, or choose another --workspace"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"{self.root}: cannot be used as a workspace: {error.strerror}; "
                "choose a folder that can be written to"
            ) from None
        try:
            holder.write_text(f"process {os.getpid()} since {now()}\n", encoding="utf-8")
            self.problems.unlink(missing_ok=True)
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()


def now() -> str:
    """The time as every record writes it: UTC, to the second."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_run_id() -> str:
    """Sorts by time: 20260131T101500.123456Z."""
    return datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
