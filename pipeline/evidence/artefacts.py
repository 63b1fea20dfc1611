"""Which release an exported artefact belongs to, wherever a copy of its files is now."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from components.baselines.export_scores import ARTEFACT
from components.records.errors import IntegrityError
from components.records.export import EXPORTS, export_sha256, load_export_record
from components.records.files import sha256_file
from components.records.ledger.records import Release

LEAST_DIGITS = 8  # of a shortened hash


def release_of_artefact(text: str, releases: Iterable[tuple[Release, Path]]) -> Release | None:
    """The last of these releases that holds an artefact; None where none does.

    Args:
      text: the path of an artefact's folder or of one of its model's files, or the SHA-256 of
        either, or its beginning.
      releases: oldest first, each with the folder of the run whose model it is.

    Raises:
      IntegrityError: the folder is no artefact, or cannot be hashed.
    """
    path = Path(text)
    if path.exists():
        wanted = sha256_file(path) if path.is_file() else export_sha256(path)
    elif len(text) >= LEAST_DIGITS and re.fullmatch("[0-9a-fA-F]{,64}", text):
        wanted = text.lower()
    else:
        return None
    for release, folder in reversed(list(releases)):
        if any(sha256.startswith(wanted) for sha256 in _hashes(release, folder)):
            return release
    return None


def _hashes(release: Release, folder: Path) -> Iterator[str]:
    """Of every artefact that was released, and of its model's files."""
    for kind, sha256 in release.exports.items():
        yield sha256
        judged = folder / EXPORTS / kind / ARTEFACT
        with suppress(IntegrityError):  # `lineage verify` says so; it is no evidence
            if export_sha256(judged) == sha256:
                yield from load_export_record(judged).files.values()
