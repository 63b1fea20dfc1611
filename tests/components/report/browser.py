"""A real Chromium that opens a page and tells what came of it, over the DevTools protocol.

The protocol runs over two pipes (`--remote-debugging-pipe`), so the standard library is enough.
"""

import base64
import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
SECONDS = 60


class Page:
    """A page that is open.

    Attributes:
      complaints: what it wrote to its console, threw, or was refused by its content policy.
      requests: every address it asked for that is no `data:` address, its own first.
    """

    def __init__(self, ask: int, hear: int) -> None:
        self._ask, self._hear = ask, hear
        self._pending = b""
        self._count = 0
        self._session: str | None = None
        self._loaded = False
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def open(self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        self._session = None
        self.complaints.clear()
        self.requests.clear()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self._loaded = False
        self.call("Page.navigate", url=path.resolve().as_uri())
        while not self._loaded:
            self._take(self._read())

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self, path: Path, *, whole: bool = True) -> None:
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._count += 1
        wanted = self._count
        message: dict[str, Any] = {"id": wanted, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._ask, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == wanted:
                assert "error" not in answer, answer
                return answer["result"]
            self._take(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            ready, _, _ = select.select([self._hear], [], [], SECONDS)
            piece = os.read(self._hear, 1 << 16) if ready else b""
            assert piece, "Chromium ended, or said nothing for a minute"
            self._pending += piece
        message, self._pending = self._pending.split(b"\0", 1)
        return json.loads(message)

    def _take(self, event: dict[str, Any]) -> None:
        method, said = event.get("method"), event.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            self.complaints.append(json.dumps(said))
        elif method == "Network.requestWillBeSent":
            address = said["request"]["url"]
            if not address.startswith("data:"):
                self.requests.append(address)


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """A browser with its profile in `folder`, and a page in it."""
    assert CHROMIUM is not None
    their_in, ask = os.pipe()
    hear, their_out = os.pipe()
    command = (
        f'exec "$0" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run '
        f'--disable-background-networking --remote-debugging-pipe --user-data-dir="$1" '
        f"about:blank 3<&{their_in} 4>&{their_out}"
    )
    process = subprocess.Popen(
        ["bash", "-c", command, CHROMIUM, str(folder)],
        pass_fds=(their_in, their_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(their_in)
    os.close(their_out)
    try:
        yield Page(ask, hear)
    finally:
        os.close(ask)
        process.terminate()
        process.wait(SECONDS)
        os.close(hear)
