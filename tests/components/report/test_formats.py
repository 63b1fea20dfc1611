import os
import subprocess
import sys

import pytest

from components.report.context import ReportContext
from components.report.formats import FORMATS
from tests.components.report import making

HASHES = """
import hashlib, locale, time
from components.report.context import ReportContext
from components.report.formats import FORMATS
from tests.components.report import making
locale.setlocale(locale.LC_ALL, "")
shown = making.evidence(making.case_set())
for name, form in sorted(FORMATS.items()):
    text = form(making.decision(), shown, ReportContext())
    print(name, hashlib.sha256(text.encode()).hexdigest())
"""


def hashes(**environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", HASHES],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_names_are_those_the_command_line_offers() -> None:
    assert set(FORMATS) == {"json", "junit", "sarif", "github", "markdown", "html"}


@pytest.mark.process
def test_the_same_decision_gives_the_same_bytes_wherever_it_is_written() -> None:
    here = hashes(TZ="UTC", LC_ALL="C.UTF-8", PYTHONHASHSEED="1")
    there = hashes(TZ="Pacific/Chatham", LC_ALL="POSIX", PYTHONHASHSEED="2")
    assert here == there and here.count("\n") == len(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "made", [making.decision(), making.waived(), making.first_run(), making.unfit()]
)
def test_every_decision_has_every_form_without_any_evidence(
    name: str, made: making.Decision
) -> None:
    text = FORMATS[name](made, None, ReportContext())
    assert made.verdict.value in text and text.endswith("\n")


@pytest.mark.parametrize("name", FORMATS)
def test_no_form_holds_a_raw_script_from_data(name: str) -> None:
    made, shown = making.hostile()
    text = FORMATS[name](made, shown, ReportContext())
    raw = '<script>alert("x")'
    if name in ("json", "sarif"):  # JSON strings, whose quotes are escaped
        assert raw not in text and "<script>alert(" in text
    elif name == "github":
        assert "\n" not in text.split("::error", 2)[1].strip("\n")
    else:
        assert raw not in text
