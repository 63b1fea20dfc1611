"""Recorded files are read only as they were recorded."""

from pathlib import Path

from components.records.errors import IntegrityError
from pipeline.evidence.subject import as_recorded
from tests.refusing import refused


def test_a_recorded_file_that_cannot_be_read_is_an_integrity_error(tmp_path: Path) -> None:
    with refused(IntegrityError, tmp_path, "restore it"):
        as_recorded(tmp_path, "0" * 64)
