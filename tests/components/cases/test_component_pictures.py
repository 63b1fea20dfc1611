"""What exports write, as cases of a folder: one and the same picture to all that see it."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.cases.component import WriteShard
from components.cases.images import bytes_sha256, decode, measure, samples_sha256
from components.cases.index import Intake, read_records
from components.cases.manifest import open_manifest
from tests.components.cases import habits
from tests.components.cases.habits import ADMITTED, DAMAGED, REFUSED, TURNED

pytestmark = pytest.mark.tensorflow

MADE = {name: kind for name, (kind, _) in habits.made().items()}


class Written:
    """What the worker made of a folder of pictures: Examples by file, and why others are none."""

    def __init__(self, root: Path, split: str, exif_orientation: str) -> None:
        source = open_manifest(root, "a folder")
        (shard,) = source.shards(split)
        folder = root.parent / f"{root.name}-{split}-{exif_orientation}"
        (folder / f"Split-{split}").mkdir(parents=True, exist_ok=True)
        WriteShard(source, str(folder), str(folder), exif_orientation).process((0, shard))
        (records,) = (folder / f"Split-{split}").iterdir()
        self.examples = {}
        for record in tf.data.TFRecordDataset(str(records), compression_type="GZIP"):
            features = tf.train.Example.FromString(record.numpy()).features.feature
            self.examples[features["case_id"].bytes_list.value[0].decode()] = features
        self.records = {r.case_id: r for r in read_records(folder / f"{split}-000000.jsonl")}
        lines = (folder / f"{split}-000000.bad").read_text().splitlines()
        self.bad: dict[str, str] = dict(json.loads(line) for line in lines)
        self.intake = Intake(folder, (shard,), len(self.bad))


def folder_of(root: Path, files: Mapping[str, bytes], split: str) -> Path:
    """Every file as a case whose id is its name; both classes are in every split."""
    root.mkdir()
    with (root / "manifest.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["path", "label", "case_id", "patient_id", "split"])
        for number, (name, content) in enumerate(files.items()):
            (root / name).write_bytes(content)
            table.writerow([name, number % 2, name, f"of {name}", split])
        for other in {"train", "tune", "test"} - {split}:
            for label in (0, 1):
                name = f"other-{other}-{label}.png"
                (root / name).write_bytes(habits.encoded(habits.radiograph()))
                table.writerow([name, label, name, f"of {name}", other])
    return root


def expect(root: Path, files: Mapping[str, bytes], kinds: Mapping[str, str]) -> None:
    """Holds each file to what has to become of it."""
    for exif_orientation in ("refuse", "apply"):
        written = Written(root, "test", exif_orientation)
        admitted = {ADMITTED, TURNED} if exif_orientation == "apply" else {ADMITTED}
        wanted = {name for name in files if kinds[name] in admitted}
        assert set(written.examples) == set(written.records) == wanted
        assert set(written.bad) == set(files) - wanted
        for name in wanted:
            _expect_one_picture(files[name], written, name)
        for name in set(files) - wanted:
            assert written.bad[name] and "\n" not in written.bad[name]
            assert kinds[name] in (DAMAGED, REFUSED) or "EXIF" in written.bad[name]
        turned = written.intake.pictures()[1]
        found = {case_id for one in turned for case_id in one.case_ids}
        assert found == {name for name in wanted if kinds[name] == TURNED}


def _expect_one_picture(image: bytes, written: Written, name: str) -> None:
    features, record, samples = written.examples[name], written.records[name], decode(image)
    (stored,) = features["image"].bytes_list.value
    assert record.bytes_sha256 == bytes_sha256(image)
    assert record.pixels_sha256 == samples_sha256(samples)
    assert features["mean"].float_list.value[0] == np.float32(measure(samples).mean)
    originals = list(features["original"].bytes_list.value)
    assert originals == ([] if stored == image else [image])
    # What is trained on and served, to TensorFlow itself.
    deep = tf.uint16 if samples.dtype == np.uint16 else tf.uint8
    seen = tf.io.decode_png(stored, dtype=deep).numpy()
    assert (seen == (samples[..., None] if samples.ndim == 2 else samples)).all()


def test_each_picture_is_one_to_all_or_is_refused_by_name(tmp_path: Path) -> None:
    files = {name: file for name, (_, file) in habits.made().items()}
    expect(folder_of(tmp_path / "made", files, "test"), files, MADE)


def test_each_picture_that_was_reported_is_as_expected(tmp_path: Path, real_inputs: Path) -> None:
    files = {path.name: path.read_bytes() for path in sorted(real_inputs.iterdir())}
    assert set(files) == set(habits.REPORTED)
    root = folder_of(tmp_path / "reported", files, "test")
    expect(root, files, habits.REPORTED)
    records = Written(root, "test", "apply").records
    for names in habits.SAME:
        assert len({records[name].pixels_sha256 for name in names}) == 1, names


def test_the_odd_ones_that_were_reported_are_named(tmp_path: Path, real_inputs: Path) -> None:
    names = ["plain.png", "grey16.png", "inverted.png", "grey12in16.png", "rgb_tinted.png"]
    names += ["progressive.jpg", "plain.jpg", "icc_srgb.png", "palette_grey.png"]
    files = {name: (real_inputs / name).read_bytes() for name in names}
    written = Written(folder_of(tmp_path / "odd", files, "train"), "train", "refuse")
    odd, _ = written.intake.pictures()
    by_picture = {one.case_ids: one.what for one in odd}
    assert set(by_picture) == {("inverted.png",), ("grey12in16.png",)}
    assert "inverted" in by_picture["inverted.png",]
    assert "12 of 16 bits" in by_picture["grey12in16.png",]


def test_training_data_do_not_carry_the_bytes_of_their_source(tmp_path: Path) -> None:
    files = {f"{n}.jpg": habits.encoded(habits.radiograph(n), "JPEG") for n in range(4)}
    written = Written(folder_of(tmp_path / "trained", files, "train"), "train", "refuse")
    assert len(written.examples) == 4
    assert not any("original" in features for features in written.examples.values())
