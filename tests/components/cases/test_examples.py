"""The Examples that CaseExampleGen writes, read by TensorFlow, gzip and TFDV, none of it ours."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv

from components.cases.component import WriteShard
from components.cases.sources import open_source
from components.records.case import Case
from tests.components.cases.making import read_split
from tests.foreign import answer, needs

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return [case for case in read_split(source(), "train") if isinstance(case, Case)]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The files of the training split, as a worker writes them."""
    folder = tmp_path_factory.mktemp("examples")
    for name in ("Split-train", "index"):
        (folder / name).mkdir()
    shards = list(source().shards("train"))
    worker = WriteShard(source(), str(folder), str(folder / "index"))
    for numbered in enumerate(shards):
        worker.process(numbered)
    return sorted(map(str, (folder / "Split-train").iterdir()))


def source():
    return open_source("phantom:n=60,seed=3")


def test_tensorflow_reads_every_case_and_decodes_its_picture(
    shards: list[str], cases: list[Case]
) -> None:
    layout = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "label": tf.io.FixedLenFeature([], tf.int64),
        "case_id": tf.io.FixedLenFeature([], tf.string),
        "width": tf.io.FixedLenFeature([], tf.float32),
    }
    records = tf.data.TFRecordDataset(shards, compression_type="GZIP")
    rows = [tf.io.parse_single_example(record, layout) for record in records]
    assert [(row["case_id"].numpy().decode(), int(row["label"])) for row in rows] == [
        (case.case_id, case.label) for case in cases
    ]
    pixels = tf.io.decode_image(rows[0]["image"]).numpy()
    assert pixels.dtype == np.uint8 and pixels.shape[1] == rows[0]["width"]


def test_gzip_finds_the_files_whole(shards: list[str]) -> None:
    program = needs("gzip", "Debian's gzip")
    answer(program, "--test", "--suffix", ".gz", *shards)
    assert all(gzip.decompress(Path(path).read_bytes()) for path in shards)


def test_tfdv_counts_the_cases_and_has_nothing_against_them(
    shards: list[str], cases: list[Case]
) -> None:
    found = tfdv.generate_statistics_from_tfrecord(f"{Path(shards[0]).parent}/*")
    assert found.datasets[0].num_examples == len(cases)
    schema = tfdv.load_schema_text(str(ROOT / "schemas" / "features.pbtxt"))
    anomalies = tfdv.validate_statistics(found, schema).anomaly_info
    assert {kind.short_description for info in anomalies.values() for kind in info.reason} <= {
        "New column"
    }
