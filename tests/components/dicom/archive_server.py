"""A DICOMweb archive for the tests: QIDO-RS in pages and WADO-RS, on the loopback interface."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

from pydicom.dataset import Dataset

PATH = "/dicom-web"


@dataclass
class Archive:
    """What it holds, what it was asked, and how it behaves.

    Attributes:
      fails_after: instances it gives before it answers 503.
      wants: the Authorization that it wants; empty for none.
      moved: where it sends everybody.
    """

    instances: list[Dataset]
    port: int = 0
    asked: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    fails_after: int | None = None
    wants: str = ""
    moved: str = ""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"


@contextmanager
def serving(archive: Archive) -> Iterator[Archive]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            archive.asked.append(self.path)
            if archive.moved:
                self._answer(302, {"Location": archive.moved}, b"")
            elif archive.wants != (self.headers["Authorization"] or ""):
                self._answer(401, {}, b"")
            elif urlsplit(self.path).path == f"{PATH}/instances":
                self._list()
            else:
                self._give(self.path.rpartition("/")[2])

        def _list(self) -> None:
            query = {
                name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()
            }
            first, most = int(query.pop("offset", 0)), int(query.pop("limit", 100))
            found = [
                one
                for one in archive.instances
                if all(str(one.get(name, "")) == value for name, value in query.items())
            ][first : first + most]
            tags = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
            rows = [{k: v for t in tags for k, v in _json(one, t).items()} for one in found]
            body = json.dumps(rows).encode()
            self._answer(200 if rows else 204, {"Content-Type": "application/dicom+json"}, body)

        def _give(self, uid: str) -> None:
            if archive.fails_after is not None and len(archive.given) >= archive.fails_after:
                self._answer(500, {}, b"")
                return
            one = next(one for one in archive.instances if uid == one.SOPInstanceUID)
            stream = BytesIO()
            one.save_as(stream, enforce_file_format=True)
            head = b"--edge\r\nContent-Type: application/dicom\r\n\r\n"
            body = head + stream.getvalue() + b"\r\n--edge--\r\n"
            kind = 'multipart/related; type="application/dicom"; boundary=edge'
            archive.given.append(uid)
            self._answer(200, {"Content-Type": kind}, body)

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    archive.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield archive
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _json(dataset: Dataset, keyword: str) -> dict[str, dict[str, object]]:
    element = dataset[keyword]
    return {f"{int(element.tag):08X}": {"vr": "UI", "Value": [str(element.value)]}}
