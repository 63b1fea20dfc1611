"""Which runs read or wrote which of TFX's files, by the copy of ML Metadata beside each record.

TFX names what an execution writes `artifacts/COMPONENT/CHANNEL/EXECUTION`. A later run that took
it from the cache uses the same folder, so a folder may go only when none of its runs needs it.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from components.records.errors import IntegrityError
from components.records.files import sha256_file
from components.records.run_files import LINEAGE
from pipeline.evidence.removed import folder_of
from pipeline.evidence.subject import Evidence

IMAGES = "Examples"  # the type of the copies of the images that a run read


@dataclass
class Used:
    """Attributes:
    by: runs that read or wrote a folder, by its path below `artifacts`.
    images: the folders that hold copies of images.
    executions: the run that an execution belongs to, for what a killed one left unregistered.
    """

    by: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    images: set[str] = field(default_factory=set)
    executions: dict[tuple[str, str], str] = field(default_factory=dict)

    def runs_of(self, name: str) -> set[str]:
        """The runs that use a folder; empty for one that no record knows."""
        if name in self.by:
            return self.by[name]
        component, execution = name.partition("/")[0], name.rpartition("/")[2]
        maker = self.executions.get((component, execution))
        return {maker} if maker else set()


def used(evidence: Evidence, runs: list[str]) -> Used:
    """What these runs used.

    Raises:
      IntegrityError: a record, or the graph that it names, is not as it was: then nobody knows
        what the run needs.
    """
    found = Used()
    for run_id in runs:
        record = evidence.record(run_id)
        if LINEAGE not in record.files:
            continue
        path = evidence.workspace.run_folder(run_id) / LINEAGE
        graph = _as_recorded(path, record.files[LINEAGE])
        for artifact in graph["artifacts"]:
            if artifact["uri"]:
                name = folder_of(artifact["uri"])
                found.by[name].add(run_id)
                if artifact["type"] == IMAGES:
                    found.images.add(name)
        for execution in graph["executions"]:
            found.executions[(execution["component"], str(execution["id"]))] = run_id
    return found


def _as_recorded(path: Path, wanted: str) -> dict[str, list[dict[str, str]]]:
    try:
        if sha256_file(path) == wanted:
            return orjson.loads(path.read_bytes())
    except OSError as error:
        raise IntegrityError(
            f"{path}: cannot be read: {error.strerror}, so what that run needs is not known; "
            "nothing was removed: restore it"
        ) from error
    raise IntegrityError(
        f"{path}: is not the graph that the run's record names, so what that run needs is not "
        "known; nothing was removed: restore it"
    )
