"""Debian's Orthanc with its DICOMweb plugin, in a folder of its own, on the loopback interface."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset

PLUGINS = (Path("/usr/share/orthanc/plugins"), Path("/usr/lib/orthanc/plugins"))
START_S = 60
USER, PASSWORD = "reader", "of-pictures"  # noqa: S105 - of a server that lives for one test


def why_not() -> str:
    """Why there is no Orthanc here; empty where there is."""
    if shutil.which("Orthanc") is None and not Path("/usr/sbin/Orthanc").exists():
        return "Orthanc is not installed"
    found = any(path.glob("*DicomWeb*") for path in PLUGINS if path.is_dir())
    return "" if found else "Orthanc has no DICOMweb plugin"


@dataclass
class Orthanc:
    port: int
    dicom_port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/dicom-web"

    def store(self, dataset: Dataset) -> None:
        stream = BytesIO()
        dataset.save_as(stream, enforce_file_format=True)
        self.ask("/instances", stream.getvalue())

    def delete(self, path: str) -> None:
        self.ask(path, method="DELETE")

    def ask(self, path: str, body: bytes | None = None, method: str | None = None) -> bytes:
        address = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(address, body, method=method)  # noqa: S310
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, request.full_url, USER, PASSWORD)
        opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
        with opener.open(request, timeout=30) as answer:
            return bytes(answer.read())


@contextmanager
def orthanc(folder: Path, again: Orthanc | None = None) -> Iterator[Orthanc]:
    """A server that asks for USER and PASSWORD.

    Args:
      again: one that ended: it is started anew, with what it had, where it was.
    """
    web, dicom = (again.port, again.dicom_port) if again else (_free_port(), _free_port())
    settings = {
        "Name": "tests",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "index"),
        "HttpPort": web,
        "DicomPort": dicom,
        "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "Plugins": [str(path) for path in PLUGINS if path.is_dir()],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orthanc.json").write_text(json.dumps(settings))
    program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        server = Orthanc(web, dicom)
        _wait_for(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(server: Orthanc, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < until:
        try:
            server.ask("/dicom-web/studies")
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("Orthanc did not start")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
