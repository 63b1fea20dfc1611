"""The three files that judge, as git holds them at one moment; or what is wrong with each."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.golden import Golden, load_golden
from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.gate.policy import Policy, load_policy
from components.records.errors import CasegateError
from pipeline.ci.hooks.repository import Blob
from pipeline.ci.hooks.revision import Finding, Revision

Loaded = TypeVar("Loaded")


@dataclass
class Judges:
    """Attributes:
    faults: what is wrong with a file, by its name; a file that is not there has none.
    """

    policy: Policy | None = None
    case_set: CaseSet | None = None
    golden: Golden | None = None
    faults: dict[str, Finding] = field(default_factory=dict)


def judges(revision: Revision, baseline: str, files: Mapping[str, Blob]) -> Judges:
    """Reads and checks them, each against its schema and its own hashes.

    Args:
      files: `before` or `after` of the revision.
    """
    found = Judges()
    found.policy = _loaded(revision, baseline, files, found, POLICY, load_policy)
    found.case_set = _loaded(revision, baseline, files, found, CASE_SET, load_case_set)
    found.golden = _loaded(revision, baseline, files, found, GOLDEN, load_golden)
    return found


def _loaded(
    revision: Revision,
    baseline: str,
    files: Mapping[str, Blob],
    found: Judges,
    name: str,
    load: Callable[[Path], Loaded],
) -> Loaded | None:
    path = f"{baseline}/{name}"
    if path not in files:
        return None
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / name
        place.write_bytes(revision.read(files[path]))
        try:
            return load(place)
        except CasegateError as error:
            kind: Any = type(error)
            found.faults[name] = Finding.of(path, kind(str(error).replace(str(place), path)))
            return None
