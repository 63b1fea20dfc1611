"""Which case set a person means, and from which source its images can be read again."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.baselines.amend import Diff
from components.baselines.case_set import CaseSet
from components.baselines.history import load_version
from components.baselines.scores import Servability
from components.cases.lock import verify_source
from components.cases.reading import PLAIN, Reading
from components.records.errors import SourceError, Unservable
from pipeline.settings.baselines import find_case_set, locked_source
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class VerifiedCaseSet:
    """A case set whose images were all read again, where from, and how a model answered them."""

    case_set: CaseSet
    source: str
    served: Servability | None = None


def verify_case_set(
    word: str,
    workspace: Workspace,
    source: str | None,
    *,
    model: Path | None = None,
    reading: Reading = PLAIN,
) -> VerifiedCaseSet:
    """Reads every image of a case set again and compares it with its lock.

    Args:
      source: where to read from; None takes the source that the lock names.
      reading: how to read its names; where it says nothing, the lock does.
      model: a SavedModel to try on the images as TensorFlow Serving would run it.

    Raises:
      IntegrityError: the case set was edited, or a case is not as it was locked.
      SourceError: the source cannot be read, or there is no such model.
      Unservable: the model cannot be served.
    """
    path = find_case_set(word, workspace)
    case_set = load_version(path)
    opened = locked_source(path, case_set, named=source, reading=reading)
    if model is None:
        verify_source(opened, case_set)
        return VerifiedCaseSet(case_set, opened.spec)
    if not (model / "saved_model.pb").is_file():
        raise SourceError(f"{model}: no saved_model.pb in it; wanted the folder of one SavedModel")
    from pipeline.run.model_scores import score_models

    served = score_models({"model": model}, case_set, opened)["model"].served
    assert served is not None  # a model was tried, not a file of scores
    if served.fault:
        raise Unservable(f"{model}: TensorFlow Serving cannot run it: {served.fault}")
    return VerifiedCaseSet(case_set, opened.spec, served)


def described(case_set: CaseSet) -> dict[str, Any]:
    """Which version this is, and who made it why and when, for machines."""
    names = ("name", "version", "parent", "author", "reason", "date", "source", "merkle_root")
    lists = {"retired": list(case_set.retired), "relabelled": list(case_set.relabelled)}
    return {**{name: getattr(case_set, name) for name in names}, **lists}


def typed(word: str) -> str:
    """A word as a person types it into a shell; what would break the line is spelled out."""
    if word.isprintable():
        return shlex.quote(word)
    spelled = "".join(
        letter
        if letter.isprintable() and letter not in "\\'"
        else "".join(f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape"))
        for letter in word
    )
    return f"$'{spelled}'"


def typed_changes(diff: Diff) -> str:
    """The options of `cases amend` that make these changes."""
    words = [f"--add {typed(name)}" for name in diff.added]
    words += ["--source SOURCE"] if diff.added else []
    words += [f"--retire {typed(name)}" for name in diff.retired]
    words += [f"--relabel {typed(f'{name}={new}')}" for name, (_, new) in diff.relabelled.items()]
    words += [f"--sentinel {typed(name)}" for name in diff.sentinels_added]
    words += [f"--unsentinel {typed(name)}" for name in diff.sentinels_removed]
    return " ".join(words)
