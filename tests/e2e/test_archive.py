"""Pictures of a real archive by DICOMweb, to a verdict; where no Orthanc is installed, skipped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from components.decision import Verdict
from pipeline.settings.config import load_config
from tests.components.dicom.archives import read_dicom
from tests.e2e.hospital import PLANTED, planted, shots
from tests.e2e.making import POLICY, watched_run
from tests.e2e.test_dicom import QUICK, contents
from tests.servers.orthanc import PASSWORD, USER, Orthanc, orthanc, why_not

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
]


def native(real_data: Path | None) -> list[tuple[np.ndarray, int]]:
    """Real radiographs at their published size, and their labels; none where there are none."""
    folder = real_data / "chest_xray_native" if real_data else None
    if folder is None or not folder.is_dir():
        return []
    paths = sorted(folder.glob("*/*.jp*g"))
    found = [np.asarray(Image.open(path).convert("L").reduce(4)) for path in paths]
    return [(one, int(path.parent.name == "PNEUMONIA")) for one, path in zip(found, paths)]


@pytest.fixture(scope="module")
def archive(
    tmp_path_factory: pytest.TempPathFactory, real_data: Path | None
) -> Iterator[tuple[Orthanc, Path]]:
    """An archive with radiographs, and the table of their labels."""
    root = tmp_path_factory.mktemp("archive")
    rows = ["AccessionNumber,label,split"]
    with orthanc(root / "orthanc") as server:
        for shot in shots(training=250, judged=150):
            server.store(shot.dataset)
            rows.append(f"{shot.dataset.AccessionNumber},{shot.label},{shot.split}")
        for number, (samples, label) in enumerate(native(real_data), 5000):
            dataset = planted(number, samples)
            server.store(dataset)
            rows.append(f"{dataset.AccessionNumber},{label},{('train', 'tune')[number % 4 == 0]}")
        dataset = read_dicom(Path(str(get_testdata_file("RG1_UNCI.dcm", download=False))))
        server.store(dataset)
        rows.append(f"{dataset.AccessionNumber},0,train")
        server.store(planted(9002, np.full((64, 64), 99, np.uint8), ViewPosition="LL"))
        (root / "labels.csv").write_text("\n".join(rows))
        yield server, root


@pytest.fixture(autouse=True)
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "credentials"
    path.touch(0o600)
    path.write_text(f"basic {USER}:{PASSWORD}")
    monkeypatch.setenv("CASEGATE_DICOMWEB_CREDENTIALS_FILE", str(path))
    return path


def files(cache: Path) -> set[Path]:
    return set((cache / "dicom" / "web" / "objects").rglob("*.dcm"))


def test_a_retrieval_that_is_interrupted_goes_on_and_comes_to_a_verdict(
    archive: tuple[Orthanc, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, root = archive
    cache, workspace = tmp_path / "cache", tmp_path / "workspace"
    monkeypatch.setenv("CASEGATE_CACHE", str(cache))
    spec = f"dicomweb:{server.address}?PatientSex=F"
    (policy := workspace / "baselines" / "dicomweb" / "policy.yaml").parent.mkdir(parents=True)
    policy.write_text(POLICY)

    program = "from pipeline.cli import main; main()"
    asked = ["run", "--data", spec, "--workspace", str(workspace)]
    labels = f"data.dicom.labels={root / 'labels.csv'}"
    command = [sys.executable, "-c", program, *asked, "--set", labels]
    said = tmp_path / "said"
    with said.open("wb") as stream:
        started = subprocess.Popen(command, stdout=stream, stderr=stream)
    while len(files(cache)) < 20 and started.poll() is None:
        time.sleep(0.01)
    assert started.poll() is None, said.read_text()
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    before = {path: path.stat().st_mtime_ns for path in files(cache)}
    assert len(before) >= 20

    settings = [f'data.source="{spec}"', labels, *QUICK]
    ran = watched_run(load_config(None, settings), workspace)
    assert ran.outcome.decision.verdict in (Verdict.INCONCLUSIVE, Verdict.FAIL)
    assert ran.outcome.decision.case_set["cases"] == 150
    after = files(cache)
    assert len(before) < len(after)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "1 view LL" in " ".join(ran.outcome.decision.findings)
    held = {
        (path.relative_to(workspace).as_posix(), word)
        for path, content in contents(workspace)
        for word in (*PLANTED, PASSWORD.encode())
        if word in content.lower()
    }
    assert held == set()
