"""Nothing in TFX waits for ExampleValidator; training waits for this.

Stops the run where ExampleValidator found anomalies. Where the data moved, away from those of the
released model or from one span to the next, it stops the run or writes it down, as configured.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import ExampleAnomalies, ExampleStatistics, Schema
from tfx.utils import io_utils

from components.admission.columns import read_columns
from components.admission.duplicates import (
    LISTED,
    clauses,
    find_near_duplicates,
    refuse_near_duplicates,
)
from components.admission.findings import (
    FEWEST,
    FeatureComparison,
    describe_anomalies,
    list_comparisons,
)
from components.admission.likeness import EDGES, LIMIT
from components.admission.shortcuts import find_associations
from components.artifacts import CaseIndex, DataAdmission
from components.records.errors import AnomaliesFound, IntegrityError
from components.records.files import write_atomically
from components.records.problems import report_error
from components.records.run_files import ADMISSION, STATISTICS

RELEASED = "the released model's data"


@component
def DataGate(
    statistics: InputArtifact[ExampleStatistics],
    schema: InputArtifact[Schema],
    anomalies: InputArtifact[ExampleAnomalies],
    training_index: InputArtifact[CaseIndex],
    case_index: InputArtifact[CaseIndex],
    admission: OutputArtifact[DataAdmission],
    previous_statistics: Parameter[str],
    previous_sha256: Parameter[str],
    spans: Parameter[str],
    drift: Parameter[str],
    policy: Parameter[str],
    code_sha256: Parameter[str],
    problems: Parameter[str],
) -> None:
    """Raises AnomaliesFound or LeakageFound, or writes what was checked and the statistics.

    Args:
      case_index: of the case set, whose pictures are compared with those of the training data.
      previous_statistics: the file this component wrote for the released model's data; empty where
        nothing is released, and then nothing can have drifted from it.
      spans: JSON, the names of the `newest` span and of the `previous` one, or null for either.
      drift: "stop" or "report".
      policy: JSON: `near_duplicates`, "stop" or "report"; `shortcuts`, as in the gate's policy; and
        `figures`, the names of what the indexes hold of each picture.
    """
    with report_error(problems):
        found = []
        for split in artifact_utils.decode_split_names(anomalies.split_names):
            uri = artifact_utils.get_split_uri([anomalies], split)
            record = (Path(uri) / "SchemaDiff.pb").read_bytes()
            found += describe_anomalies(anomalies_pb2.Anomalies.FromString(record), split)
        view = stats_artifact_utils.load_statistics(statistics, "train")
        contract = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema.uri))
        released = _statistics(previous_statistics, previous_sha256)
        measured, too_few = _compare(view, contract, released, json.loads(spans))
        moved = [one.words for one in measured if one.moved]
        asked = json.loads(policy)
        folders = [Path(training_index.uri), Path(case_index.uri)]
        columns = read_columns(folders, asked["figures"])
        near = find_near_duplicates(folders, columns)
        shortcuts = asked["shortcuts"]
        limits = {name: shortcuts[name] for name in ("effect", "alpha", "ignore")}
        associations = find_associations(columns, **limits)
        named = [one.words for one in associations if one.found]
        if drift == "stop":
            found += moved
        if shortcuts["action"] == "stop":
            found += named
        if found:
            raise AnomaliesFound(
                f"training data: {'; '.join(dict.fromkeys(found))}; "
                "nothing was trained: mend the data, or change the schema if the data is right"
            )
        if asked["near_duplicates"] == "stop":
            refuse_near_duplicates(near)
        folder = Path(admission.uri)
        write_atomically(folder / STATISTICS, _whole(view).SerializeToString())
        checked: dict[str, Any] = {
            "anomalies": [],
            "drift_checked_against": previous_sha256 or None,
            "comparisons": [one.document() for one in measured],
            "near_duplicates": [pair.document() for pair in near[:LISTED]],
            "associations": [one.document() for one in associations],
            "compared": {
                "hash": "phash and dhash_vertical, 16 x 16",
                "limits": [LIMIT, EDGES],
                "pictures": len(columns.hashes),
                "without_hash": columns.without_hash,
                "pairs": len(near),
            },
            "findings": [
                *too_few,
                *(f"the data moved: {words}" for words in moved),
                *clauses(near, columns.without_hash),
                *(f"a model may learn this instead of the disease: {words}" for words in named),
            ],
        }
        write_atomically(folder / ADMISSION, json.dumps(checked).encode())


def _compare(
    view: Any, contract: schema_pb2.Schema, released: Any, spans: dict[str, str | None]
) -> tuple[list[FeatureComparison], list[str]]:
    """What was measured, and what could not be because there are too few cases."""
    whole, measured = _whole(view), []
    if released is not None:
        measured += _drift(whole, contract, released, of="train", against=RELEASED)
    newest, previous = spans["newest"], spans["previous"]
    if newest is None:
        return measured, []
    latest, before = _span(view, newest), _span(view, previous)
    if _cases(latest) < FEWEST:
        few = f"{newest}: {_cases(latest)} training cases, too few to say whether the data moved"
        return measured, [few]
    if previous is not None and _cases(before) >= FEWEST:
        measured += _drift(latest, contract, before, of=newest, against=previous)
    if released is not None:
        skew = tfdv.validate_statistics(released, contract, serving_statistics=latest)
        measured += list_comparisons(skew, of=newest, against=RELEASED, skew=True)
    return measured, []


def _drift(
    now: Any, contract: schema_pb2.Schema, before: Any, *, of: str, against: str
) -> list[FeatureComparison]:
    found = tfdv.validate_statistics(now, contract, previous_statistics=before)
    return list_comparisons(found, of=of, against=against)


def _whole(view: Any) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Statistics of all cases, without those of each span."""
    return _listed(view.get_default_slice_or_die().proto())


def _span(view: Any, name: str | None) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Statistics of one span; of no case where none of its patients is trained on."""
    found = view.get_slice(f"span_{name}")
    return _listed(found.proto() if found else statistics_pb2.DatasetFeatureStatistics())


def _listed(one: Any) -> statistics_pb2.DatasetFeatureStatisticsList:
    return statistics_pb2.DatasetFeatureStatisticsList(datasets=[one])


def _cases(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> int:
    return int(statistics.datasets[0].num_examples)


def _statistics(path: str, sha256: str) -> statistics_pb2.DatasetFeatureStatisticsList | None:
    if not path:
        return None
    content = Path(path).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise IntegrityError(f"{path}: changed during the run; run again")
    return statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
