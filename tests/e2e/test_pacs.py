"""A released model and a real archive: the report says what the release says of the image."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from components.cases.sources import require_secure
from components.dicom.facts import keep_quiet
from components.dicom.web import CREDENTIALS, DicomWeb
from pipeline.cli import main
from pipeline.pacs.serve import make_node
from pipeline.pacs.settings import load_pacs_config
from tests.components.dicom.archives import dciodvfy, read_dicom, write_dicom
from tests.e2e.conftest import Released
from tests.e2e.hospital import planted
from tests.servers.orthanc import PASSWORD, USER, orthanc, why_not

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.slow,
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
]


def values(report: Dataset) -> tuple[float, str, str]:
    """Probability, presence and the algorithm's version, as a report has them."""
    found: dict[str, Dataset] = {}

    def walk(item: Dataset) -> None:
        for part in item.get("ContentSequence", ()):
            found[part.ConceptNameCodeSequence[0].CodeValue] = part
            walk(part)

    walk(report)
    return (
        float(found["122157"].MeasuredValueSequence[0].NumericValue),
        found["121052"].ConceptCodeSequence[0].CodeValue,
        found["111003"].TextValue,
    )


def test_the_report_says_what_the_release_says_of_the_image(
    honest: Released, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CREDENTIALS, f"basic {USER}:{PASSWORD}")
    keep_quiet()
    real = read_dicom(Path(str(get_testdata_file("RG1_UNCI.dcm", download=False))))
    grid = np.random.default_rng(3).integers(0, 255, (96, 80), dtype=np.uint8)
    pictures = [real, planted(7, grid)]
    settings = honest.data.config()
    (tmp_path / "settings.yaml").write_text(
        yaml.safe_dump({"signing": {"unsigned": settings.signing.unsigned}})
    )
    with orthanc(tmp_path / "orthanc") as server, ExitStack() as stack:
        for picture in pictures:
            server.store(picture)
        file = tmp_path / "pacs.yaml"
        file.write_text(yaml.safe_dump({
            "workspace": str(honest.workspace),
            "settings": str(tmp_path / "settings.yaml"),
            "archive": {"address": server.address, "watch_days": 20_000},
            "queue": {"quiet_seconds": 0, "folder": str(tmp_path / "pacs")},
        }))  # fmt: skip
        node = make_node(load_pacs_config(file), lambda line: None, stack)
        assert node.watch() == 2
        assert node.work() and node.work()
        assert node.queue.counts() == {"sent": 2}
        web = DicomWeb(server.address, require_secure)
        for picture in pictures:
            path = write_dicom(tmp_path / "one.dcm", picture)
            explained = CliRunner().invoke(main, [
                "explain", str(path), "--workspace", str(honest.workspace),
                "--out", str(tmp_path / "why.png"),
            ])  # fmt: skip
            made = {}
            for uids in web.instances({}, str(picture.StudyInstanceUID)):
                (tmp_path / "back").write_bytes(web.instance(uids))
                back = read_dicom(tmp_path / "back")
                made[back.Modality] = back
                assert back.SOPInstanceUID == picture.SOPInstanceUID or (
                    dciodvfy(tmp_path / "back") == []
                )
            assert set(made) == {picture.Modality, "SR", "OT"}
            probability, presence, version = values(made["SR"])
            assert f"probability {probability:.4f}" in explained.stdout
            word = "Present" if "called positive" in explained.stdout else "Absent"
            assert presence == getattr(codes.SCT, word).value
            assert f"pneumonia {version}" in explained.stdout
