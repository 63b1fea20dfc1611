"""CaseExampleGen: cases to TFX Examples, shard by shard.

TFX's base ExampleGen shuffles every record through Beam, which the direct runner does in
memory. Here each shard is read, measured and written by the worker that got it, so memory
does not grow with the data; training shuffles for itself.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from tfx.dsl.component.experimental.annotations import (
    BeamComponentParameter,
    OutputArtifact,
    Parameter,
)
from tfx.dsl.component.experimental.decorators import component
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples

from components.artifacts import CaseIndex
from components.baselines.case_set import load_case_set
from components.cases.example import serialized_example
from components.cases.images import UPRIGHT, inspect_image, read_picture
from components.cases.index import (
    Intake,
    check_case_set,
    check_training,
    record_case,
)
from components.cases.lock import apply_lock
from components.cases.odd import LOOK, look_at
from components.cases.reading import Reading
from components.cases.sources import open_source
from components.cases.traits import perceptual_hash, traits_of
from components.records import events
from components.records.case import CASES_PER_SHARD, BadCase, CaseRecord, Shard, Source
from components.records.case_index import Figures, write_figures, write_records
from components.records.errors import IntegrityError
from components.records.files import sha256_file
from components.records.problems import report_error

LOOK_S = 0.5  # between two looks at how many shards are written
GZIP = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)


@component(use_beam=True)
def CaseExampleGen(
    examples: OutputArtifact[Examples],
    index: OutputArtifact[CaseIndex],
    source: Parameter[str],
    reading: Parameter[str],
    source_sha256: Parameter[str],
    splits: Parameter[str],
    case_set: Parameter[str],
    case_set_sha256: Parameter[str],
    skip_bad_cases: Parameter[int],
    least_tuning_positives: Parameter[int],
    leakage: Parameter[str],
    odd_pictures: Parameter[str],
    near_duplicates: Parameter[str],
    exif_orientation: Parameter[str],
    code_sha256: Parameter[str],
    problems: Parameter[str],
    beam_pipeline: BeamComponentParameter[beam.Pipeline] = None,
) -> None:
    """Writes the source's cases as Examples, and an index of what was written.

    Args:
      reading: how names in the source are read, as `Reading.to_json` has it.
      splits: "test" for the case set, which is then verified against its lock; otherwise the
        training data, which is then searched for cases of the case set.
      case_set: path of the lock.
      leakage: "stop" or "report", where a case-set case stands in the training data.
      least_tuning_positives: with fewer nothing is trained.
      odd_pictures: "stop" or "report", where a picture looks as none of its kind should.
      near_duplicates: "stop" or "report", where equal pictures stand in two splits or contradict
        each other.
      exif_orientation: "refuse" or "apply", where EXIF says that an image is shown turned.
    """
    with report_error(problems):
        opened = open_source(source, Reading.from_json(reading))
        if opened.fingerprint() != source_sha256 or sha256_file(Path(case_set)) != case_set_sha256:
            raise IntegrityError(f"{source}: the data or the case set changed during the run")
        lock = load_case_set(Path(case_set))
        names = splits.split(",")
        if names == ["test"]:
            opened = apply_lock(opened, lock)
        shards = tuple(
            shard
            for name in names
            for shard in opened.shards(name, cases_per_shard=CASES_PER_SHARD)
        )
        for name in names:
            (Path(examples.uri) / f"Split-{name}").mkdir(parents=True, exist_ok=True)
        intake = Intake(Path(index.uri), shards=shards, skip_bad_cases=skip_bad_cases)
        with show_progress(intake), beam_pipeline as pipeline:
            _ = (
                pipeline
                | beam.Create(
                    list(enumerate(shards)), reshuffle=True
                )  # else one worker gets them all
                | beam.ParDo(WriteShard(opened, examples.uri, index.uri, exif_orientation))
            )
        summary = (
            check_case_set(intake, lock)
            if names == ["test"]
            else check_training(
                intake,
                lock,
                leakage=leakage,
                odd_pictures=odd_pictures,
                near_duplicates=near_duplicates,
                least_tuning_positives=least_tuning_positives,
                read_as=opened.read_as,
            )
        )
        (Path(index.uri) / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
        examples.split_names = artifact_utils.encode_split_names(names)
        examples.set_string_custom_property("file_format", "tfrecords_gzip")
        examples.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")


@contextmanager
def show_progress(intake: Intake) -> Iterator[None]:
    """Publishes how many shards are written: workers may be processes that nobody listens to."""
    ended = threading.Event()

    def watch() -> None:
        before, last = 0, False
        while not last:
            last = ended.wait(LOOK_S)
            written, total = intake.written(), len(intake.shards)
            if written > before:
                detail = f"{written} of {total} shards"
                events.publish("progress", detail=detail, done=written, total=total)
            before = written

    watcher = threading.Thread(target=watch, name="progress")
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


@dataclass(eq=False)
class WriteShard(beam.DoFn):
    """Writes a shard's records, and beside them what the checks need to know of each case."""

    source: Source
    examples: str
    index: str
    exif_orientation: str = "refuse"

    def process(self, numbered: tuple[int, Shard]) -> None:
        number, shard = numbered
        name = f"{shard.split}-{number:06d}"
        target = Path(self.examples) / f"Split-{shard.split}" / f"cases-{number:06d}.gz"
        bad: list[BadCase] = []
        looks: list[tuple[Any, ...]] = []
        figures: list[Figures] = []
        with tf.io.TFRecordWriter(str(target), GZIP) as writer:
            records = self._write(shard, writer, bad, looks, figures)
            write_records(Path(self.index) / f"{name}.jsonl", records)
        np.save(Path(self.index) / f"{name}.npy", np.array(looks, LOOK))
        write_figures(Path(self.index) / f"{name}.figures", figures)
        lines = "".join(f"{json.dumps([case.where, case.reason])}\n" for case in bad)
        (Path(self.index) / f"{name}.bad").write_text(lines, encoding="utf-8")

    def _write(
        self,
        shard: Shard,
        writer: tf.io.TFRecordWriter,
        bad: list[BadCase],
        looks: list[tuple[Any, ...]],
        figures: list[Figures],
    ) -> Iterator[CaseRecord]:
        for case in self.source.read(shard):
            if isinstance(case, BadCase):
                bad.append(case)
                continue
            picture = read_picture(case.image)
            if picture.orientation != UPRIGHT and self.exif_orientation == "refuse":
                bad.append(BadCase(case.case_id, _turned(picture.orientation)))
                continue
            pixels_sha256, quality = inspect_image(case.image)
            looks.append(look_at(picture, quality))
            traits = traits_of(picture.samples)
            figures.append((*vars(quality).values(), *vars(traits).values()))
            # Only what judges is asked of the model in the source's own bytes, too.
            original = shard.split == "test"
            writer.write(serialized_example(case, quality, original=original))
            yield record_case(case, pixels_sha256, perceptual_hash(picture.samples))


def _turned(orientation: int) -> str:
    return (
        f"EXIF orientation {orientation}, so programs disagree on what it shows; turn the image "
        "itself, or set data.exif_orientation to apply"
    )
