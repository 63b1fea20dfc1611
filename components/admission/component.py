"""Nothing in TFX waits for ExampleValidator; training waits for this.

Stops the run where ExampleValidator found anomalies, or where the training data moved away
from the data of the released model.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import ExampleAnomalies, ExampleStatistics, Schema
from tfx.utils import io_utils

from components.admission.anomalies import describe
from components.artifacts import DataAdmission
from components.baselines.files import write_atomically
from components.errors import AnomaliesFound, IntegrityError
from components.problems import reported
from components.run_files import STATISTICS


@component
def DataGate(
    statistics: InputArtifact[ExampleStatistics],
    schema: InputArtifact[Schema],
    anomalies: InputArtifact[ExampleAnomalies],
    admission: OutputArtifact[DataAdmission],
    previous_statistics: Parameter[str],
    previous_sha256: Parameter[str],
    code_sha256: Parameter[str],
    problems: Parameter[str],
) -> None:
    """Raises AnomaliesFound, or writes what was checked and the statistics for the next run.

    `previous_statistics` is the file this component wrote for the released model's data;
    empty where nothing is released, and then nothing can have drifted.
    """
    with reported(problems):
        found = []
        for split in artifact_utils.decode_split_names(anomalies.split_names):
            uri = artifact_utils.get_split_uri([anomalies], split)
            record = (Path(uri) / "SchemaDiff.pb").read_bytes()
            found += describe(anomalies_pb2.Anomalies.FromString(record), split)
        training = stats_artifact_utils.load_statistics(statistics, "train").proto()
        if previous_statistics:
            contract = io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(schema.uri))
            drift = tfdv.validate_statistics(
                training,
                contract,
                previous_statistics=_statistics(previous_statistics, previous_sha256),
            )
            found += describe(drift, "train against the released model's data")
        if found:
            raise AnomaliesFound(
                f"training data: {'; '.join(dict.fromkeys(found))}; "
                "nothing was trained: mend the data, or change the schema if the data is right"
            )
        folder = Path(admission.uri)
        write_atomically(folder / STATISTICS, training.SerializeToString())
        checked: dict[str, Any] = {
            "anomalies": [],
            "drift_checked_against": previous_sha256 or None,
        }
        write_atomically(folder / "admission.json", json.dumps(checked).encode())


def _statistics(path: str, sha256: str) -> statistics_pb2.DatasetFeatureStatisticsList:
    content = Path(path).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise IntegrityError(f"{path}: changed during the run; run again")
    return statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
