"""One folder per series of releases: where things are, and one run at a time."""

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.records.clock import utc_now
from components.records.errors import ConfigError
from components.records.files import lock_file, write_atomically

if TYPE_CHECKING:
    from components.lineage.address import StoreAddress


class Inside:
    """A file or folder of the workspace, by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, workspace: "Workspace", kind: type) -> Path:
        return workspace.root / self.name


@dataclass(frozen=True)
class Workspace:
    """The folder and the names inside it; nothing is created before `opened`."""

    root: Path

    artifacts = Inside("artifacts")
    baselines = Inside("baselines")  # that this workspace made for itself, on new data
    identity = Inside("workspace.json")
    ledger = Inside("ledger.jsonl")
    problems = Inside(".problem.json")
    runs = Inside("runs")
    serving = Inside("serving")
    store_file = Inside("store.json")  # says where ML Metadata is, if not in the workspace
    training = Inside("training")  # manifests of training data, named by their Merkle root

    def destination(self, model_name: str, directory: str | Path | None) -> Path:
        """Where a model's versions are served: in the configured folder, or in `serving/` here."""
        return (Path(directory) if directory else self.serving).resolve() / model_name

    def prediction_log(self, given: Path | None, configured: str | None) -> Path:
        """What was served: the log that a command names, the configured one, or `predictions/`."""
        return given or Path(configured or self.root / "predictions")

    @property
    def store(self) -> "StoreAddress":
        """Where ML Metadata is kept. Raises ConfigError: `store.json` does not hold an address."""
        if not self.store_file.exists():
            return self._address("metadata.sqlite")
        try:
            return self._address(json.loads(self.store_file.read_text("utf-8"))["metadata"])
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{self.store_file}: holds no address of a store: {error}") from None

    def keep_store_at(self, url: str | None) -> None:
        """Keeps ML Metadata where the configuration says; None leaves it where it is.

        Raises:
          ConfigError: runs of this workspace are recorded elsewhere already.
        """
        if url is None:
            return
        wanted, known = self._address(url), self.store
        if wanted == known:
            return
        if self.store_file.exists() or (known.path and known.path.exists()):
            raise ConfigError(
                f"metadata: got {wanted.url}, but this workspace keeps its runs in {known.url}; "
                f"move them with `casegate store migrate --workspace {self.root} --to {wanted.url}`"
            )
        write_atomically(self.store_file, json.dumps({"metadata": wanted.url}).encode())

    def _address(self, url: str) -> "StoreAddress":
        from components.lineage.address import StoreAddress  # `casegate --help` needs none

        return StoreAddress.parse(url, root=self.root)

    @property
    def id(self) -> str:
        """Eight hex digits that tell this workspace from others in a shared store.

        Made once, by `opened`; a copy of a workspace keeps it.

        Raises:
          ConfigError: nothing ever ran here, or the file was altered.
        """
        try:
            found = json.loads(self.identity.read_text(encoding="utf-8"))["workspace_id"]
        except FileNotFoundError:
            raise ConfigError(
                f"{self.root}: nothing ever ran here; run the pipeline first"
            ) from None
        except (ValueError, KeyError, TypeError):
            found = ""
        if not re.fullmatch("[0-9a-f]{8}", str(found)):
            raise ConfigError(f"{self.identity}: got no workspace_id of 8 hex digits; restore it")
        return str(found)

    @property
    def pipeline_name(self) -> str:
        """What ML Metadata calls the pipeline of this workspace."""
        return f"casegate-{self.id}"

    def pipeline_run(self, run_id: str) -> str:
        """What ML Metadata calls a run of it."""
        return f"{self.pipeline_name}.{run_id}"

    def kept(self, name: str, sha256: str) -> Path:
        """The copy of a file that a run rested on, named by its content."""
        stem, dot, suffix = name.partition(".")
        return self.root / "inputs" / f"{stem}-{sha256[:16]}{dot}{suffix}"

    def refuse_pattern(self) -> None:
        """Raises ConfigError where TFX would read what lies in folders of another name.

        TFX, TFMA and Beam take paths for patterns, which cannot be quoted: of `w[12]` they read and
        replace what is in `w1` and `w2`.
        """
        if found := re.search(r"[*?[\\]", str(self.root.resolve())):
            raise ConfigError(
                f"{self.root}: got '{found[0]}' in the path of a workspace, which TFX takes for a "
                "pattern; choose a folder without *, ?, [ and \\"
            )

    def run_folder(self, run_id: str) -> Path:
        return self.runs / run_id

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Holds the workspace for one run; the lock goes with the process, even if killed.

        Raises:
          WorkspaceBusy: another run holds it.
          ConfigError: the folder cannot be made or written to.
        """
        holder = self.root / ".holder"

        def busy() -> str:
            by = holder.read_text(encoding="utf-8").strip() if holder.exists() else "another run"
            return f"{self.root}: in use by {by}; wait for it to end, or choose another --workspace"

        with self.locked(".lock", busy):
            try:
                holder.write_text(f"process {os.getpid()} since {utc_now()}\n", encoding="utf-8")
                self.problems.unlink(missing_ok=True)
                if not self.identity.exists():
                    document = {"workspace_id": secrets.token_hex(4)}
                    write_atomically(self.identity, json.dumps(document).encode())
                yield
            finally:
                holder.unlink(missing_ok=True)

    @contextmanager
    def locked(self, name: str, busy: Callable[[], str]) -> Iterator[None]:
        """Holds a lock of the workspace, whose folder is made where it is missing.

        Raises:
          WorkspaceBusy: another process has it; in the words of `busy`.
          ConfigError: the folder cannot be made or written to.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(lock_file(self.root / name, busy))
            except OSError as error:
                raise ConfigError(
                    f"{self.root}: cannot be used as a workspace: {error.strerror}; "
                    "choose a folder that can be written to"
                ) from None
            yield
