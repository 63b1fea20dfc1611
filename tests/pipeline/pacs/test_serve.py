"""A node against a real Orthanc: what comes back to the study, and what no fault can lose."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydicom.dataset import Dataset

from components.cases.sources import require_secure
from components.dicom.web import CREDENTIALS, DicomWeb
from components.records.json_lines import read_objects
from pipeline.pacs.queue import PacsQueue
from pipeline.pacs.settings import load_pacs_config
from tests.components.dicom.archives import dciodvfy, write_dicom
from tests.pipeline.pacs.child import POINTS
from tests.pipeline.pacs.making import Bench, chest
from tests.pipeline.pacs.test_receive import dcmtk, free_port
from tests.pipeline.serving.making import Ward
from tests.servers.orthanc import PASSWORD, USER, Orthanc, orthanc, why_not

pytestmark = [
    pytest.mark.slow,
    pytest.mark.process,
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
]

SECRET = "the site secret of a ward"
WAIT_S = 120


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CREDENTIALS, f"basic {USER}:{PASSWORD}")


def small(number: int, **elements: Any) -> Dataset:
    """So small that the model of these tests gives a probability below 1."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 4096, (12, 10)).astype("<u2").tobytes()
    return chest(number, Rows=12, Columns=10, PixelData=pixels, **elements)


class Nodes:
    """A workspace with a release, and node processes on it."""

    def __init__(self, root: Path, server: Orthanc, **settings: Any) -> None:
        self.root, self.ward = root, Ward(root)
        self.ward.release(7)
        (root / "settings.yaml").write_text("signing: {unsigned: true}")
        self.file = root / "pacs.yaml"
        queue = {"quiet_seconds": 0, "lease_seconds": 2, "pause_seconds": 0.2}
        self.file.write_text(yaml.safe_dump({
            "workspace": str(self.ward.root),
            "settings": str(root / "settings.yaml"),
            "archive": {"address": server.address, "watch_days": 10_000, "watch_seconds": 0.5},
            "queue": queue | {"longest_pause_seconds": 1},
            **settings,
        }))  # fmt: skip
        self.logs: list[Path] = []
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *point: str) -> "subprocess.Popen[bytes]":
        self.logs.append(self.root / f"node-{len(self.logs)}.log")
        command = [sys.executable, "-m", "tests.pipeline.pacs.child", str(self.file), *point]
        with self.logs[-1].open("wb") as log:
            environment = {**os.environ, "CASEGATE_SITE_SECRET": SECRET}
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        self.started.append(process)
        return process

    def ready(self, node: "subprocess.Popen[bytes]") -> None:
        """Waits until the node that was started last has its model."""
        while "asks" not in self.logs[-1].read_text("utf-8"):
            assert node.poll() is None, self.said()
            time.sleep(0.02)

    def said(self) -> str:
        return "".join(path.read_text("utf-8") for path in self.logs)

    @property
    def queue(self) -> PacsQueue:
        config = load_pacs_config(self.file)
        return PacsQueue(config.folder, config.queue)

    def wait(self, counts: dict[str, int], *processes: "subprocess.Popen[bytes]") -> None:
        until = time.monotonic() + WAIT_S
        while self.queue.counts() != counts:
            assert time.monotonic() < until, (self.queue.counts(), self.said())
            assert all(one.poll() is None for one in processes), self.said()
            time.sleep(0.1)


def ended(process: "subprocess.Popen[bytes]") -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(60)


@pytest.fixture
def nodes(tmp_path: Path, archive: Orthanc) -> Iterator[Callable[..., Nodes]]:
    made: list[Nodes] = []

    def make(**settings: Any) -> Nodes:
        made.append(Nodes(tmp_path, archive, **settings))
        return made[-1]

    yield make
    for process in [process for one in made for process in one.started]:
        process.kill()  # where a test failed
        process.wait()
    for study in json.loads(archive.ask("/studies")):
        archive.delete(f"/studies/{study}")


def in_study(archive: Orthanc, picture: Dataset) -> Counter[str]:
    """The modalities of what a study has."""
    found = archive.ask(f"/dicom-web/studies/{picture.StudyInstanceUID}/instances?includefield=all")
    return Counter(one["00080060"]["Value"][0] for one in json.loads(found))


WHOLE = Counter(DX=1, SR=1, OT=1)


def test_a_radiograph_comes_back_with_a_report_and_a_picture(
    nodes: Callable[..., Nodes], archive: Orthanc, tmp_path: Path
) -> None:
    picture, side = small(1), small(2, ViewPosition="LL")
    for each in (picture, side):
        archive.store(each)
    made = nodes()
    node = made.start()
    made.wait({"sent": 1, "left out": 1}, node)
    assert ended(node) == 0
    assert in_study(archive, picture) == WHOLE and in_study(archive, side) == Counter(DX=1)
    web = DicomWeb(archive.address, require_secure)
    for uids in web.instances({}, str(picture.StudyInstanceUID)):
        if uids[-1] != picture.SOPInstanceUID:
            path = tmp_path / "back.dcm"
            path.write_bytes(web.instance(uids))
            assert dciodvfy(path) == []
    (line,) = [one for path in made.ward.root.glob("predictions/*") for one in read_objects(path)]
    assert line["model_version"] == 7
    assert "not for this model: view LL" in made.said()


@pytest.mark.parametrize("point", POINTS)
def test_a_node_killed_at_a_point_loses_nothing_and_doubles_nothing(
    nodes: Callable[..., Nodes], archive: Orthanc, point: str
) -> None:
    picture = small(1)
    archive.store(picture)
    made = nodes()
    assert made.start(point).wait(WAIT_S) == -signal.SIGKILL
    node = made.start()
    made.wait({"sent": 1}, node)
    made.ready(node)
    time.sleep(1)  # in which it could do something more
    assert ended(node) == 0
    assert in_study(archive, picture) == WHOLE


def test_nodes_killed_at_any_instant_lose_nothing_and_double_nothing(
    nodes: Callable[..., Nodes], archive: Orthanc
) -> None:
    pictures = [small(number) for number in range(12)]
    for picture in pictures:
        archive.store(picture)
    made, chance, kills = nodes(), random.Random(17), 0
    while made.queue.counts() != {"sent": 12}:
        assert kills < 40, made.said()
        node = made.start()
        made.ready(node)
        time.sleep(chance.uniform(0.5, 5))
        node.kill()
        node.wait()
        kills += 1
    assert kills > 1
    assert [in_study(archive, picture) for picture in pictures] == [WHOLE] * 12


def test_two_nodes_on_one_queue_report_each_picture_once(
    nodes: Callable[..., Nodes], archive: Orthanc
) -> None:
    pictures = [small(number) for number in range(10)]
    for picture in pictures:
        archive.store(picture)
    made = nodes(queue={"quiet_seconds": 0})
    both = [made.start(), made.start()]
    made.wait({"sent": 10}, *both)
    assert [ended(node) for node in both] == [0, 0]
    assert made.said().count(": sent") == 10
    assert [in_study(archive, picture) for picture in pictures] == [WHOLE] * 10


def test_a_version_that_is_rolled_back_is_gone_with_the_next_picture_and_none_is_lost(
    nodes: Callable[..., Nodes], archive: Orthanc
) -> None:
    made = nodes()
    bad = made.ward.release(9)
    node = made.start()
    archive.store(small(1))
    made.wait({"sent": 1}, node)
    new = made.ward.roll_back(to=7)
    archive.store(small(2))
    made.wait({"sent": 2}, node)
    assert ended(node) == 0
    lines = [one for path in made.ward.root.glob("predictions/*") for one in read_objects(path)]
    assert [one["model_version"] for one in lines] == [9, new]
    assert [one["model_sha256"] == bad for one in lines] == [True, False]


def test_a_known_patient_stands_in_no_file_that_is_left(
    nodes: Callable[..., Nodes], archive: Orthanc, tmp_path: Path
) -> None:
    person = {
        "PatientName": "Zyxwvut^Quirin",
        "PatientID": "PID-8675309",
        "AccessionNumber": "ACC-31337-Q",
        "PatientBirthDate": "19610704",
        "ReferringPhysicianName": "Physquack",
        "OtherPatientIDs": "OTHER-4711-Z",
    }
    known, refused, broken = (
        small(1, **person),
        small(2, ViewPosition="LL", **person),
        small(3, BitsStored=99, **person),
    )
    for each in (known, refused):
        archive.store(each)
    port = free_port()
    made = nodes(listen={"port": port, "peers": ["STORESCU@127.0.0.1"]}, feedback=True)
    node = made.start()
    made.wait({"sent": 1, "left out": 1}, node)
    path = write_dicom(tmp_path.parent / f"{tmp_path.name}-sent" / "one", broken)
    command = [dcmtk("storescu"), "-aec", "CASEGATE", "127.0.0.1", str(port), str(path)]
    assert subprocess.run(command).returncode == 0
    while made.queue.counts().get("dead") != 1:
        time.sleep(0.1)
    casegate = str(Path(sys.executable).with_name("casegate"))
    status = [casegate, "pacs", "status", "--config", str(made.file), "--drop", "all"]
    shown = subprocess.run(status, capture_output=True, env={**os.environ})
    assert ended(node) == 0
    words = [value.encode() for value in person.values()]
    words += [b"Zyxwvut", b"zyxwvut", b"1961-07-04", b"04.07.1961"]
    uids = [str(each[name].value) for each in (known, refused, broken)
            for name in ("SOPInstanceUID", "StudyInstanceUID")]  # fmt: skip
    words += [uid.encode() for uid in uids]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"queue.sqlite", "node-0.log", "ledger.jsonl"}
    contents = {str(path): path.read_bytes() for path in files}
    contents["status"] = shown.stdout + shown.stderr
    assert shown.stdout
    found = [(name, word) for name, text in contents.items() for word in words if word in text]
    assert found == []


def real_bench(root: Path, server: Orthanc, **given: Any) -> Bench:
    """A node in this process, with a model of words and the real archive."""
    return Bench(root, DicomWeb(server.address, require_secure, attempts=1), **given)


def test_an_archive_that_is_stopped_and_started_loses_nothing(tmp_path: Path) -> None:
    picture, queue = small(1), {"pause_seconds": 0.0, "attempts": 2}
    with orthanc(tmp_path / "orthanc") as first:
        first.store(picture)
        bench = real_bench(tmp_path, first, queue=queue)
        assert bench.node.watch() == 1
    for _ in range(5):
        assert bench.node.work()
    assert bench.state(picture) == "waiting"
    with orthanc(tmp_path / "orthanc", again=first) as second:
        assert bench.node.work()
        assert bench.state(picture) == "sent"
        assert in_study(second, picture) == WHOLE


def test_a_study_that_was_deleted_is_not_brought_back(tmp_path: Path, archive: Orthanc) -> None:
    picture = small(1)
    archive.store(picture)
    bench = real_bench(tmp_path, archive, queue={"pause_seconds": 0.0, "attempts": 2})
    assert bench.node.watch() == 1
    for study in json.loads(archive.ask("/studies")):
        archive.delete(f"/studies/{study}")
    assert bench.node.work() and bench.node.work() and not bench.node.work()
    assert (bench.state(picture), json.loads(archive.ask("/studies"))) == ("dead", [])


def test_reports_go_by_c_store_where_the_settings_say_so(
    nodes: Callable[..., Nodes], archive: Orthanc
) -> None:
    picture = small(1)
    archive.store(picture)
    where = {"address": archive.address, "watch_days": 10_000, "watch_seconds": 0.5}
    made = nodes(archive={**where, "c_store": f"ORTHANC@127.0.0.1:{archive.dicom_port}"})
    node = made.start()
    made.wait({"sent": 1}, node)
    assert ended(node) == 0
    assert in_study(archive, picture) == WHOLE
