"""What stands in the case sets and in the training data already, whichever way it came there."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.history import archived
from components.baselines.locked_case import LockedCase
from components.baselines.names import CASE_SET
from components.cases.files import ImageFile, file_sha256, read_image_file
from components.cases.images import bytes_sha256, pixels_sha256
from components.cases.sources import open_source
from components.cases.span import Span, SpanRow
from components.cases.spans import find_spans, span_pattern
from components.feedback.sides import KnownSides
from components.lineage.training import read_manifest
from components.records.case import BadCase, Case
from components.records.errors import IntegrityError
from pipeline.settings.baselines import SHIPPED_BASELINES, find_case_set
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class Judging:
    """What the case sets hold.

    Attributes:
      case_set: the one that judges releases, as a person names it.
      known: by picture and bytes of every case set there is, in every version; by id and patient
        of those that this configuration judges by, since ids mean something within a source only.
    """

    case_set: Path
    known: KnownSides


@dataclass(frozen=True)
class Taught:
    """What the training data hold.

    Attributes:
      split_of: patient to train or tune, as the spans have it.
    """

    known: KnownSides
    split_of: dict[str, str]


def judging(config: Config, workspace: Workspace) -> Judging:
    """Every version of every case set, verified.

    Raises:
      ConfigError: no case set judges, so nothing could be kept apart from it.
      IntegrityError: one was edited, or one of its versions is not kept.
    """
    judges = _judging_paths(config, workspace)
    folders = {SHIPPED_BASELINES, workspace.baselines}
    folders |= {Path(named) for named in (config.case_set.directory, config.ci.directory) if named}
    every = {path for folder in folders for path in folder.glob(f"*/{CASE_SET}")} | set(judges)
    known = KnownSides()
    for path in sorted({path.resolve() for path in every}):
        judged_by = path in {judge.resolve() for judge in judges}
        for version in _versions(path):
            known |= _of_cases(version.cases, names=judged_by)
    return Judging(judges[0], known)


def _judging_paths(config: Config, workspace: Workspace) -> list[Path]:
    name = config.case_set.baseline or _source_name(config.case_set.source or config.data.source)
    found = [_case_set(name, config.case_set.directory, workspace)]
    if config.ci.baseline is not None:
        found.append(_case_set(config.ci.baseline, config.ci.directory, workspace))
    return found


def _source_name(source: str) -> str:
    """The source's name, which chooses the baseline as in a run."""
    if span_pattern(source):
        return Path(source).expanduser().resolve().parent.name
    return open_source(source).name


def _case_set(name: str, directory: str | None, workspace: Workspace) -> Path:
    return find_case_set(str(Path(directory) / name) if directory else name, workspace)


def _versions(path: Path) -> Iterator[CaseSet]:
    """The current version and every one before it.

    Raises:
      IntegrityError: one is not there, so that its retired cases would be forgotten.
    """
    current = load_case_set(path)
    for number in range(1, current.version):
        file = archived(path, number)
        if not file.exists():
            raise IntegrityError(
                f"{file}: version {number} is missing, so cases that were retired since cannot be "
                "kept out of training; restore it from version control"
            )
        yield load_case_set(file)
    yield current


def _of_cases(cases: Iterable[LockedCase], *, names: bool) -> KnownSides:
    listed = list(cases)
    return KnownSides(
        case_ids=frozenset(case.case_id for case in listed if names),
        patients=frozenset(case.patient_id for case in listed if names),
        pixels=frozenset(case.pixels_sha256 for case in listed),
        bytes=frozenset(case.bytes_sha256 for case in listed),
    )


def taught(config: Config, workspace: Workspace) -> Taught:
    """What runs trained and tuned on, and what lies in the spans for the next one.

    Images are decoded only where no run has read them yet.

    Raises:
      SourceError: no span, or one that cannot be used.
      IntegrityError: a manifest of training data was altered.
    """
    ids, patients, pixels, encoded = (set[str]() for _ in range(4))
    for manifest in sorted(workspace.training.glob("*.jsonl")):
        for trained in read_manifest(manifest):
            ids.add(trained.case_id)
            patients.add(trained.patient_id)
            pixels.add(trained.pixels_sha256)
            encoded.add(trained.bytes_sha256)
    split_of: dict[str, str] = {}
    for number, path in sorted(find_spans(config.data.source).items()):
        span = Span(number, path.name.removesuffix(".npz"), path.resolve())
        for split, rows in span.rows().items():
            ids.update(row.case_id for row in rows)
            split_of.update((row.patient_id, split) for row in rows)
            for image in _new_images(span, split, rows, frozenset(encoded)):
                pixels.add(pixels_sha256(image))
                encoded.add(bytes_sha256(image))
    patients.update(split_of)
    known = KnownSides(frozenset(ids), frozenset(patients), frozenset(pixels), frozenset(encoded))
    return Taught(known, split_of)


def _new_images(
    span: Span, split: str, rows: Sequence[SpanRow], known: frozenset[str]
) -> Iterator[bytes]:
    """The usable images of a split, but for files whose bytes are `known`, by SHA-256."""
    if not all(isinstance(row, ImageFile) for row in rows):
        cases: Iterable[Case | BadCase] = span.read(split, 0, len(rows))
    else:
        cases = (
            read_image_file(span.path, row)
            for row in rows
            if isinstance(row, ImageFile)
            and row.is_image
            and file_sha256(span.path / row.path) not in known
        )
    for case in cases:
        if isinstance(case, Case):
            yield case.image
