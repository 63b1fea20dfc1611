"""Lays out a workspace as a run found its own: data, judges, champion and ledger as they were.

Nothing of it reaches the workspace it was taken from: the run that follows releases into the
scratch workspace, and keeps its ML Metadata there.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.cases.sources import open_source
from components.cases.spans import KIND, span_pattern
from components.lineage.record import RunRecord
from components.records.chain import Head
from components.records.errors import ConfigError, IntegrityError, SourceError
from components.records.files import write_atomically
from components.records.ledger.entry import line_of
from components.records.ledger.records import withdrawn
from components.records.run_files import DECISION, SCORES, STATISTICS
from components.release.serving import find_version
from pipeline.evidence.subject import CONFIG, Evidence, judging_files
from pipeline.settings.workspace import Workspace

_JUDGED = "judged"


@dataclass(frozen=True)
class ScratchInputs:
    """Attributes:
    notes: what could not be as it was, in whole sentences.
    """

    config: Path
    workspace: Workspace
    notes: tuple[str, ...]


def lay_out(
    evidence: Evidence, record: RunRecord, scratch: Path, *, data: str | None = None
) -> ScratchInputs:
    """Everything a repetition of the run needs but its code.

    Args:
      scratch: an empty folder.
      data: where the training data are now; None looks where they were.

    Raises:
      IntegrityError: the data, or a file that judged, is not what it was.
      ConfigError: a file that judged was not kept.
      SourceError: the data are not there.
    """
    workspace = Workspace(scratch / "workspace")
    settings = _settings(evidence, record)
    settings["data"]["source"] = _same_data(record, data or _trained_on(settings, record))
    _judges(evidence, record, scratch / "baselines" / _JUDGED)
    settings["case_set"] |= {"directory": str(scratch / "baselines"), "baseline": _JUDGED}
    settings["case_set"]["source"] = _absolute(settings["case_set"]["source"])
    notes = _champion(evidence, record, settings["serving"], workspace)
    _ledger(evidence, record, workspace)
    settings["serving"]["directory"] = None
    if "metadata" in settings:
        settings["metadata"] = None
    if "signing" in settings:
        settings["signing"] |= {"unsigned": True, "keys": None}
    config = scratch / "config.yaml"
    write_atomically(config, yaml.safe_dump(settings).encode())
    return ScratchInputs(config, workspace, tuple(notes))


def _settings(evidence: Evidence, record: RunRecord) -> dict[str, Any]:
    path = evidence.workspace.run_folder(record.run_id) / CONFIG
    if not path.exists():
        raise ConfigError(f"{path}: the run's configuration was not kept")
    found = evidence.config(record)
    if found is None:
        raise IntegrityError(f"{path}: is not the configuration that the run's record names")
    return found


def _same_data(record: RunRecord, spec: str) -> str:
    spec = _absolute(spec)
    try:
        got = open_source(spec).fingerprint()
    except SourceError as error:
        raise SourceError(f"{error}; say with --data where the data are now") from None
    wanted = record.inputs.data_sha256
    if got != wanted:
        raise IntegrityError(
            f"{spec}: the data changed since: they hash to {got[:12]}..., {(wanted or 'none')[:12]}"
            "... was recorded"
        )
    return spec


def _trained_on(settings: dict[str, Any], record: RunRecord) -> Any:
    """The data as configured; of a pattern those spans that were there then."""
    configured = settings["data"]["source"]
    return record.inputs.data if span_pattern(str(configured)) else configured


def _absolute(spec: Any) -> Any:
    """A path as it is from everywhere; any other source as it is."""
    if spec and spec.startswith(f"{KIND}:"):
        return f"{KIND}:{Path(spec.removeprefix(f'{KIND}:')).resolve()}"
    return str(Path(spec).resolve()) if spec and Path(spec).exists() else spec


def _judges(evidence: Evidence, record: RunRecord, folder: Path) -> None:
    """Policy, case set and golden, from the copies that the run kept."""
    for name, sha256 in judging_files(record.inputs).items():
        if sha256 is None:
            continue
        kept = evidence.kept(name, sha256)
        if kept is None:
            where = evidence.workspace.kept(name, sha256)
            raise ConfigError(f"{where}: the {name} that judged was not kept")
        write_atomically(folder / name, kept.read_bytes())


def _champion(
    evidence: Evidence, record: RunRecord, serving: dict[str, Any], workspace: Workspace
) -> list[str]:
    """The model that was released then, and the run that let it pass."""
    version, sha256 = record.inputs.champion_version, record.inputs.champion_sha256
    if version is None:
        return []
    model = serving["model_name"]
    destination = evidence.workspace.destination(model, serving["directory"])
    if not (destination / str(version)).is_dir():
        return [f"The champion, version {version}, is gone: only golden judged again."]
    found = find_version(destination, version, evidence.workspace.runs)
    if found.sha256 != sha256:
        raise IntegrityError(f"{found.path}: is not the model that was the champion then")
    shutil.copytree(found.path, workspace.serving / model / str(version))
    _copy_run(found.decision.parent, workspace, (DECISION, SCORES, STATISTICS))
    return []


def _ledger(evidence: Evidence, record: RunRecord, workspace: Workspace) -> None:
    """The ledger as the run found it, so that looks and waivers count as they did."""
    before = []
    for entry in evidence.entries:
        if entry.body.get("run_id") == record.run_id:
            break
        before.append(entry)
    if not before:
        return
    write_atomically(workspace.ledger, b"".join(line_of(entry) + b"\n" for entry in before))
    write_atomically(workspace.ledger.with_suffix(".head"), Head.of(before).to_bytes())
    models = {one.model_sha256 for one in withdrawn(before)}
    for run_id, entry in evidence.decided.items():
        if entry.body["candidate_sha256"] in models:
            _copy_run(evidence.workspace.run_folder(run_id), workspace, (DECISION, SCORES))


def _copy_run(folder: Path, workspace: Workspace, names: tuple[str, ...]) -> None:
    for name in names:
        if (folder / name).exists():
            target = workspace.run_folder(folder.name) / name
            write_atomically(target, (folder / name).read_bytes())
