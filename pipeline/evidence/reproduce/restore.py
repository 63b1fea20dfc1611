"""Brings back what a run had, in a folder of its own: code, packages, data, judges and ledger.

Nothing of it reaches the workspace it was taken from: the run that follows releases into the
scratch workspace, and keeps its ML Metadata there.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from components.cases.sources import open_source
from components.cases.spans import KIND, span_pattern
from components.lineage.record import RunRecord
from components.records.chain import Head
from components.records.errors import ConfigError, IntegrityError, SourceError
from components.records.files import sha256_file, sha256_tree, write_atomically
from components.records.git import GitAnswer, run_git
from components.records.ledger.ledger import line_of
from components.records.ledger.records import withdrawn
from components.records.run_files import DECISION, DIFF, SCORES, SITES, STATISTICS
from components.records.text import last_line
from components.records.yaml_lines import spell_yaml
from components.release.serving import find_version
from pipeline.evidence.subject import CONFIG, Evidence, judging_files
from pipeline.settings import provenance
from pipeline.settings.config import REPOSITORY, Config, checker
from pipeline.settings.workspace import Workspace

Say = Callable[[str], None]

# Asked of the recorded code itself. The old name first: where it is of before the present one, an
# installation that points at this checkout would answer to that with this checkout's own module.
_HASH_OF_ITS_CODE = """
try:
    from pipeline.provenance import code_sha256
except ImportError:
    from pipeline.settings.provenance import code_sha256
print(code_sha256())
"""
_LAST_LINES = 20
# Nothing that a person set up for their own repositories may run here.
_GIT_SECONDS = 600  # a large checkout is written out
_PLAIN = ("-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")


@dataclass(frozen=True)
class RestoredCode:
    """Attributes:
    folder: where `pipeline` and `components` are imported from.
    python: of the environment that runs it.
    how: what was done to get both, for a person.
    """

    folder: Path
    python: Path
    how: str

    def command(self, *arguments: str) -> list[str]:
        """`casegate ARGUMENTS` with this code, wherever the environment has another."""
        script = "from pipeline.cli import main; main()"
        return [str(self.python), "-c", script, *arguments]

    def environ(self) -> dict[str, str]:
        """This process's own, with this code first and byte code allowed."""
        left_out = ("PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")
        kept = {name: value for name, value in os.environ.items() if name not in left_out}
        return {**kept, "PYTHONPATH": str(self.folder)}


def recorded_code(
    record: RunRecord,
    run_folder: Path,
    scratch: Path,
    *,
    say: Say,
    repository: Path = REPOSITORY,
    fresh: bool = False,
) -> RestoredCode:
    """The code of a run, and an environment with the packages it had.

    This checkout and this environment are used as they are where they are the recorded ones; an
    environment that was made from the recorded lock file runs a checkout of the recorded commit.

    Args:
      scratch: an empty folder for what has to be made.
      repository: the git checkout that has the commit.
      fresh: makes both anew, whatever is here.

    Raises:
      ConfigError: the commit is not known or not there, what was not committed was not kept, or
        an environment cannot be made.
      IntegrityError: what came back is not the code that ran.
    """
    same_packages = not fresh and _same_packages(record)
    if same_packages and provenance.code_sha256() == record.code.code_sha256:
        how = "this checkout and environment, as they are"
        return RestoredCode(REPOSITORY, Path(sys.executable), how)
    commit = record.code.git_commit
    if commit is None:
        raise ConfigError(
            f"run {record.run_id}: no commit is known, only that its code hashes to "
            f"{record.code.code_sha256[:12]}...; it cannot be checked out"
        )
    folder = scratch / "code"
    say(f"checking out {commit[:12]}")
    how = _check_out(commit, folder, repository)
    if record.code.diff_sha256 is not None:
        _apply(run_folder / DIFF, record.code.diff_sha256, folder)
        how += " with what was not committed"
    lock = folder / "uv.lock"
    wanted = record.environment.lock_file_sha256
    if (sha256_file(lock) if lock.exists() else None) != wanted:
        raise IntegrityError(
            f"{commit[:12]}: its lock file is not the one recorded ({(wanted or 'none')[:12]})"
        )
    if same_packages:
        code = RestoredCode(folder, Path(sys.executable), f"{how}, in this environment")
    else:
        say("making its environment from the lock file")
        _sync(folder, repository, record.environment.python)
        python = folder / ".venv" / "bin" / "python"
        code = RestoredCode(folder, python, f"{how}, environment made anew")
    _refuse_other_code(code, record)
    _lend_tfjs(folder, repository)
    return code


def _lend_tfjs(folder: Path, repository: Path) -> None:
    """Shows a checkout what `make tfjs` made of the same sources here; it comes with no commit."""
    sources = [place / "components" / "exports" for place in (folder, repository)]
    built = repository / "build" / "tfjs"
    if built.is_dir() and all(
        (sources[0] / part).is_dir()
        and sha256_tree(sources[0] / part) == sha256_tree(sources[1] / part)
        for part in ("converter", "javascript")
    ):
        (folder / "build").mkdir(exist_ok=True)
        (folder / "build" / "tfjs").symlink_to(built.resolve())


def _same_packages(record: RunRecord) -> bool:
    here, there = provenance.recorded_environment(), record.environment
    return (
        there.lock_file_sha256 is not None
        and (here.lock_file_sha256, here.python) == (there.lock_file_sha256, there.python)
        and dict(here.packages) == dict(there.packages)
    )


def _check_out(commit: str, folder: Path, repository: Path) -> str:
    if not re.fullmatch("[0-9a-f]{40,64}", commit):
        raise IntegrityError(f"run record: git_commit: got {commit[:60]!a}, wanted a hash")
    if _git(repository, "cat-file", "-e", f"{commit}^{{commit}}").failed:
        raise ConfigError(
            f"{repository}: has no commit {commit[:12]}; fetch it, or name a checkout that has "
            "it with --repository"
        )
    # Shares the objects of the other, which is neither copied nor written to.
    clone = ("clone", "--quiet", "--shared", "--no-checkout", "--", str(repository), str(folder))
    checkout = ("checkout", "--quiet", "--detach", commit)
    for where, arguments in ((repository, clone), (folder, checkout)):
        done = _git(where, *arguments)
        if done.failed:
            raise ConfigError(f"{repository}: git {arguments[0]}: {last_line(done.error)}")
    return f"commit {commit[:12]}"


def _apply(diff: Path, sha256: str, folder: Path) -> None:
    if not diff.exists():
        raise ConfigError(
            f"{diff}: what the run's code had beyond its commit was not kept; it cannot be "
            "brought back"
        )
    if sha256_file(diff) != sha256:
        raise IntegrityError(f"{diff}: was altered: it does not hash to {sha256[:12]}...")
    done = _git(folder, "apply", "--whitespace=nowarn", str(diff.resolve()))
    if done.failed:
        raise IntegrityError(f"{diff}: does not fit its commit: {last_line(done.error)}")


def _sync(folder: Path, repository: Path, python: str) -> None:
    """The lock file knows several versions of Python, with other packages each."""
    places = (repository / ".uv/bin/uv", REPOSITORY / ".uv/bin/uv")
    uv = next((str(path) for path in places if path.exists()), shutil.which("uv"))
    if uv is None:
        raise ConfigError("uv is not installed, which makes the environment; `make lint` does it")
    code = RestoredCode(folder, Path(sys.executable), "")
    minor, here = (".".join(one.split(".")[:2]) for one in (python, platform.python_version()))
    wanted = sys.executable if minor == here else minor  # uv does not find every Python by its name
    command = [uv, "sync", "--frozen", "--compile-bytecode", "--python", wanted]
    returncode, lines = watched(command, code)
    if returncode != 0:
        last = lines[-1] if lines else "nothing"
        raise ConfigError(f"uv sync: ended with exit code {returncode}; it said: {last}")


def _refuse_other_code(code: RestoredCode, record: RunRecord) -> None:
    """By the rule that this code itself has for its hash: which folders count may have changed."""
    command = [str(code.python), "-c", _HASH_OF_ITS_CODE]
    given: dict[str, Any] = {"cwd": code.folder, "env": code.environ(), "text": True}
    done = subprocess.run(command, **given, stdin=subprocess.DEVNULL, capture_output=True)
    found = done.stdout.split()[-1:] if done.returncode == 0 else []
    if found != [record.code.code_sha256]:
        got = f"hashes to {found[0][:12]}" if found else "cannot be imported"
        raise IntegrityError(
            f"{code.how}: its source {got}, wanted {record.code.code_sha256[:12]}, which ran: "
            "files that git did not know were part of it, and were not kept"
        )


def watched(
    command: Sequence[str], code: RestoredCode, *, say: Say | None = None
) -> tuple[int, list[str]]:
    """Runs a command in the code's folder to its end; `say` gets each line of its standard error.

    Returns:
      Its exit code and its last lines.
    """
    lines: list[str] = []
    given: dict[str, Any] = {"cwd": code.folder, "env": code.environ(), "text": True}
    given |= {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **given, errors="replace") as process:
        try:
            for line in process.stderr or ():
                lines = [*lines[-_LAST_LINES:], line.rstrip()]
                if say is not None:
                    say(lines[-1])
        except BaseException:
            process.kill()
            raise
    return process.returncode, [line for line in lines if line.strip()]


def _git(repository: Path, *arguments: str) -> GitAnswer:
    return run_git(repository, *_PLAIN, *arguments, seconds=_GIT_SECONDS)


_JUDGED = "judged"


@dataclass(frozen=True)
class ScratchInputs:
    """Where it was laid out; `notes` is what could not be as it was, in whole sentences.

    Attributes:
      noisy: whether training draws on a secret that nobody kept, as a promise of privacy needs.
    """

    config: Path
    workspace: Workspace
    notes: tuple[str, ...]
    noisy: bool


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
    configured = settings["data"]["source"]
    # Of a pattern those spans that were there then, of an archive those pictures.
    exact = span_pattern(str(configured)) or "://" in str(configured)
    there: Any = record.inputs.data if exact else configured
    _absolute_labels(settings["data"])
    settings["data"]["source"] = _same_data(record, data or there, settings["data"])
    _judges(evidence, record, scratch / "baselines" / _JUDGED)
    settings["case_set"] |= {"directory": str(scratch / "baselines"), "baseline": _JUDGED}
    settings["case_set"]["source"] = _absolute(settings["case_set"]["source"])
    notes = [
        *_champion(evidence, record, settings["serving"], workspace),
        *_sites(evidence, record),
    ]
    _ledger(evidence, record, workspace)
    settings["serving"]["directory"] = None
    if "metadata" in settings:
        settings["metadata"] = None
    if "site_verdicts" in settings:
        settings["site_verdicts"] |= {"ask": False}
    if "signing" in settings:
        settings["signing"] |= {"unsigned": True, "keys": None}
    config = scratch / "config.yaml"
    write_atomically(config, spell_yaml(settings).encode())
    promised = settings.get("training", {}).get("privacy", {}).get("epsilon") is not None
    noisy = promised and settings["model"].get("saved_model") is None
    return ScratchInputs(config, workspace, tuple(notes), noisy)


def _sites(evidence: Evidence, record: RunRecord) -> list[str]:
    """What to say of sites that judged then: a verdict answers one run's request alone."""
    if SITES not in record.files:
        return []
    return ["No site is asked again, so its check is INCONCLUSIVE here, whatever it said then."]


def _settings(evidence: Evidence, record: RunRecord) -> dict[str, Any]:
    path = evidence.workspace.run_folder(record.run_id) / CONFIG
    if not path.exists():
        raise ConfigError(f"{path}: the run's configuration was not kept")
    found = evidence.config(record)
    if found is None:
        raise IntegrityError(f"{path}: is not the configuration that the run's record names")
    return found


def _same_data(record: RunRecord, spec: str, settings: dict[str, Any]) -> str:
    reading = checker(Config).validate_python({"data": settings}).data.reading
    spec = _absolute(spec)
    try:
        got = open_source(spec, reading).fingerprint()
    except SourceError as error:
        raise SourceError(f"{error}; say with --data where the data are now") from None
    wanted = record.inputs.data_sha256
    if got != wanted:
        raise IntegrityError(
            f"{spec}: the data changed since: they hash to {got[:12]}..., {(wanted or 'none')[:12]}"
            "... was recorded"
        )
    return spec


def _absolute(spec: Any) -> Any:
    """A path as it is from everywhere; any other source as it is."""
    if spec and spec.startswith(f"{KIND}:"):
        return f"{KIND}:{Path(spec.removeprefix(f'{KIND}:')).resolve()}"
    return str(Path(spec).resolve()) if spec and Path(spec).exists() else spec


def _absolute_labels(data: dict[str, Any]) -> None:
    if "dicom" in data:  # not in what was written before there was any
        data["dicom"]["labels"] = _absolute(data["dicom"]["labels"])


def _judges(evidence: Evidence, record: RunRecord, folder: Path) -> None:
    for name, sha256 in judging_files(record.inputs).items():
        if sha256 is not None:
            kept = evidence.kept(name, sha256)
            if kept is None:
                where = evidence.workspace.kept(name, sha256)
                raise ConfigError(f"{where}: the {name} that judged was not kept")
            write_atomically(folder / name, kept.read_bytes())


def _champion(
    evidence: Evidence, record: RunRecord, serving: dict[str, Any], workspace: Workspace
) -> list[str]:
    version, model = record.inputs.champion_version, serving["model_name"]
    if version is None:
        return []
    destination = evidence.workspace.destination(model, serving["directory"])
    if not (destination / str(version)).is_dir():
        return [f"The champion, version {version}, is gone: only golden judged again."]
    found = find_version(destination, version, evidence.workspace.runs)
    if found.sha256 != record.inputs.champion_sha256:
        raise IntegrityError(f"{found.path}: is not the model that was the champion then")
    shutil.copytree(found.path, workspace.serving / model / str(version))
    _copy_run(found.decision.parent, workspace, (DECISION, SCORES, STATISTICS))
    return []


def _ledger(evidence: Evidence, record: RunRecord, workspace: Workspace) -> None:
    """The ledger as the run found it, so that looks and waivers count as they did."""
    before = list(takewhile(lambda e: e.body.get("run_id") != record.run_id, evidence.entries))
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
