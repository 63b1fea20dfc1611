"""Which baseline judges, and which case set a person means: asked here and nowhere else."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.history import load_version
from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.cases.lock import lock_source
from components.cases.reading import PLAIN, Reading
from components.cases.sources import open_source
from components.gate.first_policy import fit_policy
from components.records.case import Source
from components.records.errors import ConfigError, SourceError, suggestion
from components.records.files import write_atomically
from components.records.text import spell
from pipeline.settings.config import CONFIGS, REPOSITORY, Config
from pipeline.settings.workspace import Workspace

SHIPPED_BASELINES = REPOSITORY / "baselines"
FIRST_RUN_POLICY = CONFIGS / "first_run_policy.yaml"


def resolve_baseline(config: Config, case_source: Source, workspace: Workspace) -> Path:
    """The folder that judges: the configured one, the shipped one, or the workspace's own.

    Where none exists yet, the case set is locked in the workspace with the first run's policy.
    """
    name = config.case_set.baseline or case_source.name
    if config.case_set.directory is not None:
        folder = Path(config.case_set.directory) / name
        if not (folder / CASE_SET).exists():
            raise ConfigError(
                f"case_set.directory: got {folder}, which has no {CASE_SET}; wanted a folder "
                "of baselines; lock one with `casegate cases lock`"
            )
        return folder.resolve()
    shipped, own = SHIPPED_BASELINES / name, workspace.baselines / name
    if (shipped / CASE_SET).exists():
        if config.case_set.baseline is None:
            _refuse_namesake(case_source, load_case_set(shipped / CASE_SET).source)
        return shipped
    if config.case_set.baseline is not None and not own.exists():
        raise ConfigError(
            f"case_set.baseline: got '{name}', which is not under {SHIPPED_BASELINES}"
        )
    if not (own / CASE_SET).exists():
        if not (own / POLICY).exists():  # a person's policy may be there first
            write_atomically(own / POLICY, FIRST_RUN_POLICY.read_bytes())
        why, reading = "first run on this data", config.data.reading
        lock_source(case_source, own / CASE_SET, author="casegate", reason=why, reading=reading)
    _fit_placeholder(own, config.exports)
    return own.resolve()


def _fit_placeholder(folder: Path, exports: Sequence[str]) -> None:
    """Moves what the cases can never prove, in a policy that no person has touched or approved."""
    path = folder / POLICY
    untouched = path.is_file() and path.read_bytes() == FIRST_RUN_POLICY.read_bytes()
    if untouched and not (folder / GOLDEN).exists():
        text, moved = fit_policy(path, load_case_set(folder / CASE_SET), exports)
        if moved:
            write_atomically(path, text.encode())


def describe_placeholder(folder: Path) -> tuple[str, ...]:
    """What a run has to say of a policy that nobody wrote, until a model is approved by it."""
    if (folder / GOLDEN).exists():
        return ()
    lines = (folder / POLICY).read_text("utf-8").splitlines()
    if FIRST_RUN_POLICY.read_text("utf-8").splitlines()[0] not in lines:
        return ()
    fitted = [line.removeprefix("#").strip() for line in lines if line.startswith("#   ")]
    return (
        f"policy: {folder / POLICY} is a placeholder that nobody agreed to; edit it before you "
        "approve a model",
        *(f"policy: {line}" for line in fitted),
    )


def _refuse_namesake(source: Source, locked: str) -> None:
    """Raises ConfigError where data bear the name of a shipped baseline, and nothing else of it."""
    if _kind(source.spec) != _kind(locked):
        raise ConfigError(
            f"{source.spec}: bears the name of the baseline '{source.name}', which is shipped for "
            f"{locked}; rename it, or say that this baseline judges it with "
            f"--set case_set.baseline={source.name}"
        )


def _kind(spec: str) -> str:
    """What a source is, as far as its name says: a generator's word, or a file's suffix."""
    word = spec.partition(":")[0]
    return {"phantom": word, "medmnist": ".npz"}.get(word, Path(spec).suffix)


def find_case_set(word: str, workspace: Workspace) -> Path:
    """The file that `word` names: a baseline's name, a file, or a baseline's folder.

    A name is looked for among the shipped baselines first and then in the workspace, as a run
    does.

    Raises:
      ConfigError: there is no such case set.
    """
    folders = (SHIPPED_BASELINES, workspace.baselines)
    here, places = Path(word) / CASE_SET, [Path(word), Path(word) / CASE_SET]
    if word and Path(word).name == word:
        places = [*(folder / word / CASE_SET for folder in folders), *places]
    with contextlib.suppress(OSError, ValueError):  # too long, or a zero byte
        for path in places:
            if not path.is_file():
                continue
            if here.is_file() and not here.samefile(path):
                raise ConfigError(
                    f"{word}: is the name of {path.parent}, and of a baseline here; write "
                    f"./{word} for the one here, or {path}"
                )
            return path
    known = {path.parent.name for folder in folders for path in folder.glob(f"*/{CASE_SET}")}
    raise ConfigError(
        f"{spell(word)}: no such case set; wanted a file or a name{suggestion(word, known)}"
    )


def read_case_set(word: str, workspace: Workspace) -> CaseSet:
    """The case set that `word` names, at the version behind an @: chest, chest@2, FILE@1.

    Raises:
      ConfigError: there is no such case set or version.
      IntegrityError: it was edited.
    """
    name, at, version = word.rpartition("@")
    if not at or not version.isdecimal():
        return load_version(find_case_set(word, workspace))
    with contextlib.suppress(ConfigError):  # a folder may have an @ in its name
        return load_version(find_case_set(word, workspace))
    return load_version(find_case_set(name, workspace), int(version))


def reading_of(case_set: CaseSet) -> Reading:
    """How names are read in the source that a case set was locked from."""
    return Reading.of(case_set.reading)


def locked_source(
    path: Path, case_set: CaseSet, *, named: str | None = None, reading: Reading = PLAIN
) -> Source:
    """The source that a lock names, as typed or beside the case set's file; read as it was then.

    Args:
      named: where it is now, as a person said; None where nobody did.
      reading: how to read it; where it says nothing, the lock does.

    Raises:
      SourceError: it is at neither place; a lock does not keep where data lay on one machine.
    """
    reading = reading if reading.changed else reading_of(case_set)
    if named is not None:
        return open_source(named, reading)
    for spec in (case_set.source, str(path.parent / case_set.source)):
        with contextlib.suppress(SourceError):
            return open_source(spec, reading)
    raise SourceError(
        f"{path}: locked from '{case_set.source}', which is neither here nor beside it; say where "
        "it is with --source"
    )
