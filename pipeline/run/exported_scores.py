"""Scores of exported artefacts on a case set's own images, each asked in its own runtime.

A runtime has a process of its own, so that nothing here imports TensorFlow.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.baselines.case_set import CaseSet
from components.baselines.scores import CaseScores
from components.cases.lock import apply_lock, usable_cases, verify_source
from components.records.case import Source
from components.records.errors import IntegrityError
from components.records.export import (
    EXPORT_RECORD,
    NODE_WASM,
    TFJS_MODEL,
    TFLITE_MODEL,
    ExportRecord,
    export_sha256,
    load_export_record,
)
from components.records.files import sha256_file, sha256_tree

if TYPE_CHECKING:  # a gate on score files needs none of it
    from components.exports.running import Asked

SUFFIX = ".tflite"


@dataclass(frozen=True)
class GivenExport:
    """An artefact that somebody named.

    Attributes:
      path: of a .tflite file, or of the folder of a TensorFlow.js model.
      record: what `export.json` beside it says of it; None where there is none.
      operating_point: its own, by the record or by what a .tflite file says of itself; None where
        neither says one.
    """

    path: Path
    record: ExportRecord | None
    operating_point: float | None

    @property
    def what(self) -> str:
        """Such as `tflite_int8 in tflite`."""
        if self.record:
            return f"{self.record.kind} in {self.record.runtime}"
        return "a .tflite file" if self.path.suffix == SUFFIX else f"a tfjs model in {NODE_WASM}"


def is_export(path: Path) -> bool:
    """Whether a .tflite file was given, or a folder with an artefact of any kind."""
    names = (EXPORT_RECORD, TFLITE_MODEL, TFJS_MODEL)
    with suppress(OSError):
        if path.is_dir():
            return any((path / name).is_file() for name in names)
        return path.suffix == SUFFIX and path.is_file()
    return False


def read_export(path: Path) -> GivenExport:
    """What is known of an artefact before it is asked.

    Raises:
      IntegrityError: the record beside it is malformed, or the files are not those that it names.
    """
    if path.is_dir() and not (path / TFJS_MODEL).exists():
        path /= TFLITE_MODEL
    folder = path if path.is_dir() else path.parent
    if (folder / EXPORT_RECORD).is_file():
        record = load_export_record(folder)
        if path.is_dir() or path.name in record.files:
            return GivenExport(path, record, record.operating_point)
    point = None
    if path.is_file():
        from components.exports.tflite_metadata import read_facts

        with suppress(IntegrityError):  # nobody has to say it there
            point = float(read_facts(path)["operating_point"])
    return GivenExport(path, None, point)


def score_exports(
    exports: Mapping[str, GivenExport],
    points: Mapping[str, float],
    case_set: CaseSet,
    source: Source,
) -> dict[str, CaseScores]:
    """Each artefact's scores of every case, by the names of `exports`.

    Args:
      points: the operating point of each.
      source: where the images of the case set are.

    Raises:
      IntegrityError: the images are not those that were locked, or an artefact was altered.
      MissingRuntime: it cannot be asked on this machine.
      Unservable: an artefact cannot be run.
    """
    verify_source(source, case_set)
    return {name: _scored(one, points[name], case_set, source) for name, one in exports.items()}


def _scored(export: GivenExport, point: float, case_set: CaseSet, source: Source) -> CaseScores:
    from components.cases.images import canonical_png

    ids: list[str] = []

    def pictures() -> Iterator[bytes]:
        for case in usable_cases(apply_lock(source, case_set)):
            ids.append(case.case_id)
            yield canonical_png(case.image)

    found = _asked(export, pictures())
    return CaseScores(
        case_ids=tuple(ids),
        scores=found.scores,
        operating_point=point,
        model_sha256=_sha256(export),
        scored_case_set=case_set.merkle_root,
        latency_ms=dict(found.latency_ms),
    )


def _asked(export: GivenExport, pictures: Iterable[bytes]) -> "Asked":
    from components.exports.javascript_running import ask_graph_model
    from components.exports.running import ask
    from components.exports.tflite_running import ask_file

    if export.record:
        folder = export.path if export.path.is_dir() else export.path.parent
        return ask(folder, export.record.runtime, pictures)
    if export.path.is_dir():
        return ask_graph_model(export.path, NODE_WASM, pictures)
    return ask_file(export.path, pictures)


def _sha256(export: GivenExport) -> str:
    """That by which a run and a release know it; without a record the files' own."""
    if export.path.is_dir():
        return export_sha256(export.path) if export.record else sha256_tree(export.path)
    return export_sha256(export.path.parent) if export.record else sha256_file(export.path)
