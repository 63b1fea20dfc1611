"""C-STORE from dcmtk: who may send, what is taken, and how it is kept."""

import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from components.dicom.web import ArchiveUnreachable
from components.records.errors import ConfigError, SourceError
from pipeline.pacs.receive import Receiver, listening, send
from pipeline.pacs.settings import ListenConfig, TlsConfig
from tests.components.dicom.archives import write_dicom
from tests.foreign import BESIDE_PYTHON, answer, needs
from tests.pipeline.pacs.making import Bench, chest
from tests.refusing import refused

pytestmark = pytest.mark.process

PEERS = ("STORESCU@127.0.0.1",)
ONE = chest(1)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def open_to(bench: Bench, **settings: object) -> Iterator[int]:
    where = ListenConfig(**{"port": free_port(), "peers": PEERS, **settings})
    object.__setattr__(bench.config, "listen", where)
    receiver = Receiver(bench.config, bench.intake, bench.queue, bench.lines.append)
    with listening(where, receiver):
        yield int(where.port or 0)


def dcmtk(program: str) -> str:
    """dcmtk's program, and not pynetdicom's of the same name beside Python."""
    path = os.pathsep.join(set(os.environ["PATH"].split(os.pathsep)) - {BESIDE_PYTHON})
    found = shutil.which(program, path=path)
    if found is None:
        pytest.skip(f"no {program} here: install dcmtk")
    return found


def stored(port: int, path: Path, *more: str, calls: str = "CASEGATE") -> bool:
    """Whether storescu is told that it was kept."""
    program = dcmtk("storescu")
    done = subprocess.run(
        [program, "-v", *more, "-aec", calls, "127.0.0.1", str(port), str(path)],
        capture_output=True,
    )
    return b"Received Store Response (Success)" in done.stdout + done.stderr


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_dicom(tmp_path / "sent" / "one.dcm", ONE)


def test_what_dcmtk_sends_is_on_disk_for_its_owner_alone(tmp_path: Path, path: Path) -> None:
    bench = Bench(tmp_path)
    with open_to(bench) as port:
        answer(dcmtk("echoscu"), "-aec", "CASEGATE", "127.0.0.1", str(port), "-aet",
               "STORESCU")  # fmt: skip
        assert stored(port, path)
    assert bench.state(ONE) == "waiting"
    (name,) = bench.spooled()
    folder = tmp_path / "pacs" / "spool"
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (folder, folder / name, folder.parent)]
    assert modes == [0o700, 0o600, 0o700]
    assert stat.S_IMODE((tmp_path / "pacs" / "queue.sqlite").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("settings", "more", "calls"),
    [
        ({}, (), "OTHER"),
        ({}, ("-aet", "STRANGER"), "CASEGATE"),
        ({"peers": ("STORESCU@10.1.2.3",)}, (), "CASEGATE"),
        ({"peers": ("STORESCU@10.1.2.3", "OTHER@127.0.0.1")}, (), "CASEGATE"),
    ],
    ids=["another called title", "a stranger", "another address", "another's address"],
)
def test_whoever_is_not_named_is_refused(
    tmp_path: Path, path: Path, settings: dict, more: tuple[str, ...], calls: str
) -> None:
    bench = Bench(tmp_path)
    with open_to(bench, **settings) as port:
        assert not stored(port, path, *more, calls=calls)
    assert (bench.queue.counts(), bench.spooled()) == ({}, [])


def test_too_much_of_one_instance_is_not_taken(tmp_path: Path) -> None:
    bench, large = Bench(tmp_path), chest(1, PixelData=bytes(3 << 20))
    with open_to(bench, max_mib=1) as port:
        assert not stored(port, write_dicom(tmp_path / "sent" / "large", large))
        assert stored(port, write_dicom(tmp_path / "sent" / "one", ONE))
    assert bench.queue.counts() == {"waiting": 1}


def test_with_too_many_waiting_the_sender_is_told_to_come_again(tmp_path: Path, path: Path) -> None:
    bench = Bench(tmp_path, queue={"most_waiting": 1})
    with open_to(bench) as port:
        assert stored(port, path)
        assert not stored(port, write_dicom(tmp_path / "sent" / "two", chest(2)))
    assert bench.queue.counts() == {"waiting": 1}


def test_what_is_not_for_this_model_is_taken_and_left_out(tmp_path: Path) -> None:
    bench, side = Bench(tmp_path), chest(1, ViewPosition="LL")
    with open_to(bench) as port:
        assert stored(port, write_dicom(tmp_path / "sent" / "side", side))
    assert (bench.state(side), bench.spooled()) == ("left out", [])


def certified(folder: Path, name: str) -> TlsConfig:
    """A certificate that is its own authority."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    answer(
        needs("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", str(key), "-out", str(certificate),
    )  # fmt: skip
    key.chmod(0o600)
    return TlsConfig(str(certificate), str(key), str(certificate))


def test_tls_takes_who_is_certified_and_nobody_else(tmp_path: Path, path: Path) -> None:
    bench, ours = Bench(tmp_path), certified(tmp_path, "ours")
    other = certified(tmp_path, "other")
    with open_to(bench, tls=ours) as port:
        assert not stored(port, path)
        theirs = ("+tls", other.key, other.certificate, "+cf", ours.certificate)
        assert not stored(port, path, *theirs)
        assert stored(port, path, "+tls", ours.key, ours.certificate, "+cf", ours.certificate)
        # ... and we send so, too, to whoever is certified.
        sent(port, chest(2), tls=ours)
    assert bench.queue.counts() == {"waiting": 2}


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    tls = certified(tmp_path, "ours")
    Path(tls.key).chmod(0o644)
    with refused(ConfigError, tls.key, "chmod 600"), open_to(Bench(tmp_path), tls=tls):
        pass


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with (
        open_to(Bench(tmp_path)) as port,
        refused(ConfigError, port),
        open_to(Bench(tmp_path), port=port),
    ):
        pass


def sent(port: int, *datasets: Dataset, tls: TlsConfig | None = None) -> None:
    ours = ListenConfig(ae_title="STORESCU", tls=tls or TlsConfig())
    send(f"CASEGATE@127.0.0.1:{port}", ours, datasets)


def test_an_archive_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(ArchiveUnreachable):
        sent(free_port(), ONE)


def test_an_archive_that_refuses_an_instance_is_an_error(tmp_path: Path) -> None:
    bench = Bench(tmp_path, queue={"most_waiting": 1})
    with open_to(bench) as port, refused(SourceError, "0xa700"):
        sent(port, ONE, chest(2))
