from pathlib import Path

import pytest

from components.cases.label_table import read_labels
from components.cases.reading import PLAIN, Reading
from components.dicom.pseudonyms import Pseudonyms
from components.records.errors import SourceError
from tests.refusing import refused

HASHES = Pseudonyms(b"a secret of this site")


def written(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text)
    return path


def test_a_key_is_hashed_as_the_element_of_a_file_is(tmp_path: Path) -> None:
    path = written(tmp_path, "AccessionNumber,label\nACC1,positive\n")
    table = read_labels(path, HASHES, PLAIN)
    (row,) = table.rows.values()
    assert list(table.rows) == [HASHES.of("accession", "ACC1")]
    assert (row.label, row.split, row.patient_id) == (1, "", "")


def test_the_most_exact_column_names_the_picture(tmp_path: Path) -> None:
    path = written(tmp_path, "AccessionNumber,SOPInstanceUID,label\nACC1,1.2.3,0\n")
    table = read_labels(path, HASHES, PLAIN)
    assert list(table.rows) == [HASHES.of("case", "1.2.3")]
    assert table.ignored == ()


def test_a_patient_of_the_table_is_hashed_as_one_of_a_file(tmp_path: Path) -> None:
    path = written(tmp_path, "path,label,patient_id,split\na,0,MRN1,val\n")
    (row,) = read_labels(path, HASHES, PLAIN).rows.values()
    assert (row.patient_id, row.split) == (HASHES.of("patient", "MRN1"), "tune")


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("label\n1\n", [":1", "SOPInstanceUID"]),
        ("path\na\n", [":1", "'label'"]),
        ("path,label,label\na,1,1\n", [":1", "twice"]),
        ("path,label\na,1\na,0\n", [":3", ":2"]),
        ("path,label\na\n", [":2", "cells"]),
        ("path,label\n,1\n", [":2", "no path"]),
        ("path,label\na,\n", [":2", "no label"]),
        ("path,label,split\na,1,tset\n", [":2", "'tset'", "'test'"]),
        ("path,label\na,maybe\n", [":2", "'maybe'"]),
        ('path,label\n"a,1\n', [":2"]),
    ],
)
def test_a_mistake_is_named_by_its_line(tmp_path: Path, text: str, facts: list[str]) -> None:
    with refused(SourceError, *(f"labels.csv{f}" if f[0] == ":" else f for f in facts)):
        read_labels(written(tmp_path, text), HASHES, PLAIN)


def test_a_column_that_settings_name_must_be_there(tmp_path: Path) -> None:
    with refused(SourceError, "'ward'"):
        read_labels(written(tmp_path, "path,label\na,1\n"), HASHES, Reading(attributes=("ward",)))


def test_latin_1_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes("path,label\nMüller,1\n".encode("latin-1"))
    with refused(SourceError, "UTF-8") as caught:
        read_labels(path, HASHES, PLAIN)
    assert "ller" not in str(caught.value)
