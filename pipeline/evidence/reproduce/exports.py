"""Whether exported artefacts came out again: the same bytes, and the same answers by runtime."""

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from components.baselines.export_scores import ARTEFACT, ExportScores, load_export_scores
from components.decision import Decision, ExportDecision
from components.records.errors import IntegrityError
from components.records.export import EXPORTS
from pipeline.evidence.answer import Value
from pipeline.evidence.reproduce.scores import DIFFERENT, SameScores, compare_scores

SAME, SAME_BUT_HASH = "the same bytes", "the same bytes, but for the hash of the model inside"


@dataclass(frozen=True)
class SameExport:
    """Attributes:
    files: SAME, SAME_BUT_HASH, or in words what is not the same.
    scores: by runtime in which the run asked the artefact; in words where it was not asked again.
    """

    kind: str
    files: str
    scores: Mapping[str, SameScores | str]

    @property
    def reproduced(self) -> bool:
        """Whether every runtime answered as it did; the bytes are told, and decide nothing."""
        return all(
            isinstance(found, SameScores) and found.outcome != DIFFERENT
            for found in self.scores.values()
        )

    def facts(self) -> Iterator[tuple[str, Value]]:
        yield f"{self.kind}: files", self.files
        for runtime, found in self.scores.items():
            words = found
            if isinstance(found, SameScores):
                words = f"{found.outcome}, {len(found.differing)} of {found.cases} cases differ"
                if most := found.largest:
                    words += f", at most by {most.size:.3g} ({most.case_id})"
            yield f"{self.kind}: scores in {runtime}", str(words)


def compare_exports(
    recorded: tuple[Path, Decision], again: tuple[Path, Decision], *, tolerance: float
) -> list[SameExport]:
    """Compares each artefact that a run made with the one that came out of its repetition.

    Args:
      recorded, again: a run's folder, and its decision.
      tolerance: as of `compare_scores`.

    Raises:
      IntegrityError: the recorded one was altered or is gone.
    """
    made = [export for export in recorded[1].exports if export.sha256 is not None]
    return [_compare(export, recorded, again, tolerance) for export in made]


def _compare(
    export: ExportDecision,
    recorded: tuple[Path, Decision],
    again: tuple[Path, Decision],
    tolerance: float,
) -> SameExport:
    folders = [folder / EXPORTS / export.kind for folder, _ in (recorded, again)]
    old = load_export_scores(folders[0], export.kind)
    if old.sha256 != export.sha256:
        raise IntegrityError(f"{folders[0]}: is not the artefact that the decision names")
    new, files = None, "none came out: the repetition made no such artefact"
    if folders[1].is_dir():
        new = load_export_scores(folders[1], export.kind)
        hashes = [str(decision.hashes["candidate"]) for _, decision in (recorded, again)]
        files = _files(folders, old, new, hashes)
    scores: dict[str, SameScores | str] = {}
    for runtime, before in old.scores.items():
        if new is not None and runtime in new.scores:
            after = new.scores[runtime]
            scores[runtime] = compare_scores(before, after, tolerance=tolerance)
        else:
            why = new.measured.missing.get(runtime) if new else None
            scores[runtime] = f"not asked again: {why or 'there was nothing to ask'}"
    return SameExport(export.kind, files, scores)


def _files(folders: list[Path], old: ExportScores, new: ExportScores, hashes: list[str]) -> str:
    if old.record is None or new.record is None:
        return f"none came out: {new.measured.missing.get('export')}"
    if old.record.files == new.record.files:
        return SAME
    differing = []
    for name in sorted({**old.record.files, **new.record.files}):
        one, other = (folder / ARTEFACT / name for folder in folders)
        # The model's files name its configuration, so its hash differs where folders do.
        if not (one.is_file() and other.is_file()) or (
            [part.replace(hashes[0].encode(), hashes[1].encode()) for part in _parts(one)]
            != _parts(other)
        ):
            differing.append(name)
    return f"other bytes in {', '.join(differing)}" if differing else SAME_BUT_HASH


def _parts(path: Path) -> list[bytes]:
    """A file's bytes; the files of a ZIP archive behind them for themselves, without their sums."""
    content = path.read_bytes()
    if not zipfile.is_zipfile(path):
        return [content]
    with zipfile.ZipFile(path) as archive:
        start = min((info.header_offset for info in archive.infolist()), default=len(content))
        named = [
            part for name in archive.namelist() for part in (name.encode(), archive.read(name))
        ]
    return [content[:start], *named]
