"""Earlier versions of a case set, kept beside the current one and never written over."""

from pathlib import Path

from components.baselines.case_set import CaseSet, load_case_set
from components.records.errors import ConfigError, IntegrityError
from components.records.files import write_atomically

HISTORY = "history"


def archived(path: Path, version: int) -> Path:
    """Where a version of the case set in `path` is kept once a later one has taken its place."""
    return path.parent / HISTORY / f"{path.stem}-{version:04d}{path.suffix}"


def archive(path: Path, case_set: CaseSet) -> Path:
    """Keeps the file at `path`, which holds `case_set`, as it is.

    Raises:
      IntegrityError: another file stands for this version already.
    """
    content, target = path.read_bytes(), archived(path, case_set.version)
    if not target.exists():
        write_atomically(target, content)
    elif target.read_bytes() != content:
        raise IntegrityError(
            f"{target}: another version {case_set.version} than {path} stands here; restore "
            "both from version control"
        )
    return target


def load_version(path: Path, version: int | None = None) -> CaseSet:
    """A version of the case set in `path`; the current one for None.

    Raises:
      ConfigError: there is no such version.
      IntegrityError: unreadable or edited, or the file is of another version.
    """
    current = load_case_set(path)
    if version is None or version == current.version:
        return current
    file = archived(path, version)
    if not file.exists():
        kept = [n for n in range(1, current.version + 1) if archived(path, n).exists()]
        known = ", ".join(str(n) for n in sorted({*kept, current.version}))
        raise ConfigError(f"{path}: no version {version} here; wanted one of {known}")
    found = load_case_set(file)
    if (found.name, found.version) != (current.name, version):
        raise IntegrityError(
            f"{file}: holds {found.name} version {found.version}, wanted {current.name} version "
            f"{version}; restore it from version control"
        )
    return found


def parent_of(path: Path, case_set: CaseSet) -> CaseSet | None:
    """The version that the current one, `case_set`, amends; None where none is kept here.

    Raises:
      IntegrityError: it is not the one that `case_set` names as its parent.
    """
    if case_set.parent is None or not archived(path, case_set.version - 1).exists():
        return None
    parent = load_version(path, case_set.version - 1)
    if parent.merkle_root != case_set.parent:
        raise IntegrityError(
            f"{archived(path, parent.version)}: has root {parent.merkle_root[:12]}..., version "
            f"{case_set.version} amends {case_set.parent[:12]}...; restore it from version control"
        )
    return parent
