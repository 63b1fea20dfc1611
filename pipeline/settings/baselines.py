"""Which baseline judges, and which case set a person means: asked here and nowhere else."""

import contextlib
from pathlib import Path

from components.baselines.case_set import CaseSet
from components.baselines.history import load_version
from components.baselines.names import CASE_SET, POLICY
from components.cases.lock import lock_source
from components.cases.sources import open_source
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
        return shipped
    if config.case_set.baseline is not None and not own.exists():
        raise ConfigError(
            f"case_set.baseline: got '{name}', which is not under {SHIPPED_BASELINES}"
        )
    if not (own / CASE_SET).exists():
        if not (own / POLICY).exists():  # a person's policy may be there first
            write_atomically(own / POLICY, FIRST_RUN_POLICY.read_bytes())
        lock_source(case_source, own / CASE_SET, author="casegate", reason="first run on this data")
    return own.resolve()


def find_case_set(word: str, workspace: Workspace) -> Path:
    """The file that `word` names: a baseline's name, a file, or a baseline's folder.

    A name is looked for among the shipped baselines first and then in the workspace, as a run
    does.

    Raises:
      ConfigError: there is no such case set.
    """
    folders = (SHIPPED_BASELINES, workspace.baselines)
    places = [Path(word), Path(word) / CASE_SET]
    if word and Path(word).name == word:
        places = [*(folder / word / CASE_SET for folder in folders), *places]
    with contextlib.suppress(OSError, ValueError):  # too long, or a zero byte
        for path in places:
            if path.is_file():
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


def locked_source(path: Path, case_set: CaseSet) -> Source:
    """The source that a lock names, as typed or beside the case set's file.

    Raises:
      SourceError: it is at neither place; a lock does not keep where data lay on one machine.
    """
    for spec in (case_set.source, str(path.parent / case_set.source)):
        with contextlib.suppress(SourceError):
            return open_source(spec)
    raise SourceError(
        f"{path}: locked from '{case_set.source}', which is neither here nor beside it; say where "
        "it is with --source"
    )
