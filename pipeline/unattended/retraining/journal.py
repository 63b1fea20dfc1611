"""What the retrainings of a workspace left on disk, and the lock that lets one of them run.

`retraining/state.json` says which one goes on, so that the next can tell that it was killed;
`retraining/attempts.jsonl` has a line for each that ended. Nothing here goes by the order of times:
clocks are set, and go back.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from components.records.errors import ConfigError, WorkspaceBusy
from components.records.files import write_atomically
from components.records.json_lines import append_json
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retraining.attempt import Attempt


@dataclass(frozen=True)
class Damaged:
    """What stands in the place of an attempt that cannot be read."""


class AttemptJournal:
    """The folder `retraining/` of a workspace; to be written to by who holds the lock."""

    def __init__(self, workspace: Workspace) -> None:
        self.root = workspace.root
        self.folder = workspace.root / "retraining"
        self.state = self.folder / "state.json"
        self.attempts = self.folder / "attempts.jsonl"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """One retraining at a time; the lock goes with the process, even if killed.

        Raises:
          WorkspaceBusy: another one goes on.
          ConfigError: the folder cannot be made or written to.
        """
        lock = filelock.FileLock(self.root / ".retrain.lock")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(blocking=False)
        except filelock.Timeout:
            raise WorkspaceBusy(
                f"{self.root}: {self._holder()} retrains it; wait for it to end"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"{self.root}: cannot be used as a workspace: {error.strerror}; "
                "choose a folder that can be written to"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def begin(self, attempt: Attempt) -> None:
        """Says on disk that this attempt goes on."""
        self._write(running=attempt.as_json(), last=self._read().get("last"))

    def end(self, attempt: Attempt) -> None:
        """Writes an attempt's line; `state.json` says that it goes on until `close`."""
        append_json(self.attempts, attempt.as_json())

    def close(self, attempt: Attempt) -> None:
        """Says that all was done about the attempt: its line is written and a person told."""
        self._write(running=None, last=attempt.as_json())

    def unfinished(self) -> "Attempt | Damaged | None":
        """An attempt that `begin` wrote and `close` never saw; for who holds the lock, it is dead.

        Damaged where what is there says nothing: then something did not end as it should.
        """
        running = self._read().get("running")
        if running is None:
            return None
        try:
            return Attempt.begun(running)
        except TypeError:
            return Damaged()

    def has_line(self, attempt: Attempt) -> bool:
        """Whether the attempt's line was written."""
        if not self.attempts.exists():
            return False
        wanted = attempt.attempt_id.encode()
        with self.attempts.open("rb") as lines:
            return any(wanted in line and line.endswith(b"\n") for line in lines)

    def folder_of(self, attempt: Attempt) -> Path:
        """What its children were given and said."""
        return self.folder / attempt.attempt_id

    def log_of(self, attempt: Attempt) -> Path:
        return self.folder_of(attempt) / "child.log"

    def _holder(self) -> str:
        running = self._read().get("running") or {}
        if "pid" not in running:
            return "another process"
        return f"process {running['pid']} (since {running.get('started')})"

    def _read(self) -> dict[str, Any]:
        try:
            document = json.loads(self.state.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            document = None
        damaged: dict[str, Any] = {"running": {}}
        if not isinstance(document, dict) or not isinstance(
            document.get("running", {}), dict | None
        ):
            return damaged
        return document

    def _write(self, **document: Any) -> None:
        write_atomically(
            self.state, json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"
        )
