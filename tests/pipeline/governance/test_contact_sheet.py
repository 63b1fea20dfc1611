import base64
import re
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from components.cases.images import decode
from components.cases.inspection import CASE, LEFT_OUT, REFUSED, Inspection, Seen
from pipeline.governance.contact_sheet import contact_sheet, rows, show_inspection
from tests.components.cases.making import encoded, picture


def inspected(image: bytes = b"") -> Inspection:
    found = Inspection("data/<export>", ("DICOM, read by dicom-v1",))
    found.add(Seen(LEFT_OUT, "view LL"))
    for number in range(3):
        found.add(Seen(CASE, "DX CHEST PA", "MONOCHROME2", f"id{number}", "", "Rossi", image))
    found.add(Seen(REFUSED, "DX CHEST PA", "MONOCHROME1", "id9", "WindowWidth 0", "Rossi/1"))
    return found


def printed(found: Inspection, *, paths: bool = False) -> str:
    stream = StringIO()
    show_inspection(Console(file=stream, width=120), found, paths=paths)
    return stream.getvalue()


def test_cases_come_first_and_what_is_left_out_last() -> None:
    assert [(row[0], row[3]) for row in rows(inspected())] == [
        (CASE, 3),
        (REFUSED, 1),
        (LEFT_OUT, 1),
    ]


def test_a_terminal_shows_every_group_and_refusal() -> None:
    shown = printed(inspected())
    expected = ["data/<export>", "dicom-v1", "view LL", "id9", "WindowWidth 0"]
    assert [word for word in expected if word not in shown] == []
    assert "Rossi" not in shown


def test_paths_are_shown_where_they_are_asked_for() -> None:
    assert "Rossi/1" in printed(inspected(), paths=True)


@pytest.mark.tensorflow
def test_the_page_shows_what_the_network_gets() -> None:
    from pipeline.model.preprocessing import decoded

    image = encoded(picture(1, (40, 32), 65536))
    page = contact_sheet(inspected(image), size=16)
    found = re.findall(r"data:image/png;base64,([^\"]+)", page)
    shown = decode(base64.b64decode(found[0]))
    wanted = np.asarray(decoded(image, 16))[..., 0]
    assert len(found) == 3
    assert np.abs(shown / 255 - wanted).max() <= 0.5 / 255 + 1e-6


def test_the_page_escapes_and_names_no_file(tmp_path: Path) -> None:
    found = inspected()
    found.pictures.clear()
    page = contact_sheet(found, size=16)
    assert "<export>" not in page and "&lt;export&gt;" in page
    assert "Rossi" not in page
    assert "WindowWidth 0" in page and "view LL" in page
