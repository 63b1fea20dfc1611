"""A folder of DICOM through the real graph, and not one patient in all that comes of it."""

import gzip
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from components.decision import Verdict
from components.records.run_files import RUN_RECORD
from pipeline.cli import main
from pipeline.settings.config import load_config
from tests.components.dicom.archives import write_dicom
from tests.e2e.hospital import BORN, NAME, NUMBER, PLANTED, planted, write_hospital
from tests.e2e.making import POLICY, Watched, watched_run

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

QUICK = ("model.epochs=1", "model.image_size=32", "model.filters=[4, 8]", "signing.unsigned=true")


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `pacs/` and `workspace/`."""
    root = tmp_path_factory.mktemp("hospital")
    pacs = write_hospital(root / "pacs", training=250, judged=150)
    noise = np.full((64, 64), 100, np.uint8)
    # What is left out or refused must be told without its patient, too.
    write_dicom(
        pacs / f"{NAME}.sr", planted(9001, noise, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.22")
    )
    write_dicom(pacs / f"{NAME}.lat", planted(9002, noise, ViewPosition=f"{NAME} LL"[:16].upper()))
    odd = planted(9003, noise, PhotometricInterpretation=NAME.upper())
    write_dicom(pacs / f"{NAME}.odd", odd)
    with (pacs / "labels.csv").open("a") as table:
        table.write(f"\n{odd.SOPInstanceUID},1,train,x\n")
    return root


@pytest.fixture(scope="module")
def ran(hospital: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CASEGATE_CACHE", str(tmp_path_factory.mktemp("cache")))
        policy = hospital / "workspace" / "baselines" / "pacs" / "policy.yaml"
        policy.parent.mkdir(parents=True)
        policy.write_text(POLICY)
        settings = [f"data.source={hospital / 'pacs'}", "data.skip_bad_cases=1", *QUICK]
        yield watched_run(load_config(None, settings), hospital / "workspace")


def contents(root: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below a folder, what is compressed also as it was before."""
    for path in root.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            yield path, path.as_posix().encode() + content
            if content[:2] == b"\x1f\x8b":
                yield path, gzip.decompress(content)
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    yield path, b"".join(map(archive.read, archive.namelist()))


def test_a_folder_of_dicom_comes_to_a_verdict(ran: Watched) -> None:
    assert ran.outcome.decision.verdict in (Verdict.INCONCLUSIVE, Verdict.FAIL)
    assert ran.outcome.decision.case_set["cases"] == 150


def test_the_report_says_how_it_was_read_and_what_was_left_out(ran: Watched) -> None:
    said = " ".join(ran.outcome.decision.findings)
    assert "dicom-v1" in said
    assert "2 files (1 structured report, 1 view of another kind)" in said
    assert "dicom-v1" in ran.outcome.report.read_text()


def test_no_patient_is_in_anything_that_comes_of_a_run(hospital: Path, ran: Watched) -> None:
    assert any(
        PLANTED[0] in path.as_posix().lower().encode() for path, _ in contents(hospital / "pacs")
    )
    held = {
        (path.relative_to(hospital).as_posix(), word)
        for path, content in contents(hospital / "workspace")
        for word in PLANTED
        if word in content.lower()
    }
    assert held == set()
    record = json.loads((ran.outcome.report.parent / RUN_RECORD).read_text())
    assert record["inputs"]["data"] == str(hospital / "pacs")


def test_no_patient_is_in_what_commands_print(
    hospital: Path, ran: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASEGATE_CACHE", str(tmp_path / "cache"))
    sheet, locked = tmp_path / "sheet.html", tmp_path / "own"
    source = str(hospital / "pacs")
    runner = CliRunner()
    looked = runner.invoke(main, ["cases", "inspect", source, "--output", str(sheet)])
    asked = ["cases", "lock", source, "--to", str(locked), "--by", "A", "--reason", "first"]
    done = runner.invoke(main, asked)
    assert (looked.exit_code, done.exit_code) == (0, 0)
    written = sheet.read_text() + (locked / "case_set.json").read_text()
    said = (looked.output + done.output + written).lower()
    assert [word for word in (NAME, BORN, NUMBER) if word.lower() in said] == []
    verified = runner.invoke(main, ["cases", "verify", str(locked), "--source", source])
    assert verified.exit_code == 0, verified.output
