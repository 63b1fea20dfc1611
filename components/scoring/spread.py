"""Scoring divided among Beam's workers, which comes to the same answers as one process does."""

import io
import json
import shutil
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.options.pipeline_options import PipelineOptions

from components.records.errors import Unservable
from components.records.files import write_atomically
from components.scoring.score import Answers, ask_model

# Each part is a process that loads the model first, which takes as long as some ten thousand cases.
FILES_PER_PART = 64


class ScoringOptions(PipelineOptions):
    """Beam's arguments also say from how many files on scoring is divided; 0 never does."""

    @classmethod
    def _add_argparse_args(cls, parser: ArgumentParser) -> None:
        parser.add_argument("--score_from_files", type=int, default=0)


def is_spread(pipeline: beam.Pipeline, records: Sequence[str]) -> bool:
    """Whether the pipeline's workers score so many files of records."""
    least = pipeline.options.view_as(ScoringOptions).score_from_files
    return 0 < least <= len(records)


def ask_workers(
    pipeline: beam.Pipeline, model: Path, records: Sequence[str], folder: Path, *, check: bool
) -> list[Answers]:
    """As `score.ask_model`, by the pipeline's workers, in parts that follow each other.

    Args:
      folder: for the parts, seen by all workers; is made, and gone afterwards.

    Raises:
      Unservable: as a worker found it.
    """
    files = sorted(records)
    parts = [files[i : i + FILES_PER_PART] for i in range(0, len(files), FILES_PER_PART)]
    folder.mkdir(parents=True)
    try:
        with pipeline:
            _ = (
                pipeline
                | beam.Create(list(enumerate(parts)), reshuffle=True)
                | beam.ParDo(AskModel(str(model), str(folder), check))
            )
        return [read_answers(_path(folder, number)) for number in range(len(parts))]
    finally:
        shutil.rmtree(folder)


@dataclass(eq=False)
class AskModel(beam.DoFn):
    """Asks the model for one part of the records, and writes its answers."""

    model: str
    folder: str
    check: bool

    def process(self, numbered: tuple[int, list[str]]) -> None:
        number, records = numbered
        try:
            # The first part has what is asked one by one.
            answers: Answers | str = ask_model(
                Path(self.model), records, check=self.check, alone=number == 0
            )
        except Unservable as error:
            answers = str(error)
        write_answers(_path(Path(self.folder), number), answers)


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.npz"


def write_answers(path: Path, answers: Answers | str) -> None:
    """Writes the answers, or why there are none."""
    if isinstance(answers, str):
        _write(path, facts=_bytes({"fault": answers}))
        return
    ways = list(answers.outputs)
    facts = {
        "ids": answers.ids,
        "ways": ways,
        "latency_ms": answers.latency_ms,
        "loader": answers.loader,
    }
    arrays: dict[str, Any] = {
        "facts": _bytes(facts),
        "rows": answers.rows,
        "others": answers.others,
    }
    for i, way in enumerate(ways):
        arrays[f"probability{i}"], arrays[f"label{i}"] = answers.outputs[way]
    _write(path, **arrays)


def read_answers(path: Path) -> Answers:
    """What `write_answers` wrote.

    Raises:
      Unservable: there are none.
      OSError: no such file.
    """
    with np.load(path, allow_pickle=False) as kept:
        facts = json.loads(kept["facts"].tobytes())
        if "fault" in facts:
            raise Unservable(facts["fault"])
        outputs = {
            (signature, alone): (kept[f"probability{i}"], kept[f"label{i}"])
            for i, (signature, alone) in enumerate(facts["ways"])
        }
        return Answers(
            ids=tuple(facts["ids"]),
            rows=kept["rows"],
            others=kept["others"],
            outputs=outputs,
            latency_ms=facts["latency_ms"],
            loader=facts["loader"],
        )


def _write(path: Path, **arrays: Any) -> None:
    # Whole or not at all: an engine may do a part again while its first worker is dying.
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    write_atomically(path, stream.getvalue())


def _bytes(document: object) -> np.ndarray:
    return np.frombuffer(json.dumps(document).encode(), np.uint8)
