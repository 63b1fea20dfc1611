"""Which case set a person means, and from which source its images can be read again."""

import contextlib
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.baselines.case_set import CaseSet
from components.baselines.diff import Diff
from components.baselines.history import load_version
from components.baselines.rows import shown
from components.baselines.scores import Served
from components.cases.case import Source
from components.cases.lock import verify_source
from components.cases.sources import open_source
from components.errors import ConfigError, SourceError, Unservable, suggestion
from pipeline.config import REPOSITORY
from pipeline.workspace import Workspace

SHIPPED_BASELINES = REPOSITORY / "baselines"
CASE_SET = "case_set.json"


@dataclass(frozen=True)
class Verified:
    """A case set whose images were all read again, where from, and how a model answered them."""

    case_set: CaseSet
    source: str
    served: Served | None = None


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
        f"{shown(word)}: no such case set; wanted a file or a name{suggestion(word, known)}"
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


def verify_case_set(
    word: str, workspace: Workspace, source: str | None, *, model: Path | None = None
) -> Verified:
    """Reads every image of a case set again and compares it with its lock.

    Args:
      source: where to read from; None takes the source that the lock names.
      model: a SavedModel to try on the images as TensorFlow Serving would run it.

    Raises:
      IntegrityError: the case set was edited, or a case is not as it was locked.
      SourceError: the source cannot be read, or there is no such model.
      Unservable: the model cannot be served.
    """
    path = find_case_set(word, workspace)
    case_set = load_version(path)
    opened = open_source(source) if source is not None else locked_source(path, case_set)
    if model is None:
        verify_source(opened, case_set)
        return Verified(case_set, opened.spec)
    if not (model / "saved_model.pb").is_file():
        raise SourceError(f"{model}: no saved_model.pb in it; wanted the folder of one SavedModel")
    from pipeline.model_scores import score_models

    served = score_models({"model": model}, case_set, opened)["model"].served
    assert served is not None  # a model was tried, not a file of scores
    if served.fault:
        raise Unservable(f"{model}: TensorFlow Serving cannot run it: {served.fault}")
    return Verified(case_set, opened.spec, served)


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


def described(case_set: CaseSet) -> dict[str, Any]:
    """Which version this is, and who made it why and when, for machines."""
    return {
        "name": case_set.name,
        "version": case_set.version,
        "parent": case_set.parent,
        "author": case_set.author,
        "reason": case_set.reason,
        "date": case_set.date,
        "source": case_set.source,
        "merkle_root": case_set.merkle_root,
        "retired": list(case_set.retired),
        "relabelled": list(case_set.relabelled),
    }


def typed(word: str) -> str:
    """A word as a person types it into a shell; what would break the line is spelled out."""
    if word.isprintable():
        return shlex.quote(word)
    spelled = "".join(
        letter if letter.isprintable() and letter not in "\\'" else _escaped(letter)
        for letter in word
    )
    return f"$'{spelled}'"


def _escaped(letter: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape"))


def typed_changes(diff: Diff) -> str:
    """The options of `cases amend` that make these changes."""
    words = [f"--add {typed(name)}" for name in diff.added]
    words += ["--source SOURCE"] if diff.added else []
    words += [f"--retire {typed(name)}" for name in diff.retired]
    words += [f"--relabel {typed(f'{name}={new}')}" for name, (_, new) in diff.relabelled.items()]
    words += [f"--sentinel {typed(name)}" for name in diff.sentinels_added]
    words += [f"--unsentinel {typed(name)}" for name in diff.sentinels_removed]
    return " ".join(words)
