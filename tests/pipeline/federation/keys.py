"""Certificates and keys as an operator makes them, by the commands of docs/federated.md."""

import re
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from pipeline.federation.carrier import BUILT
from pipeline.settings.config import REPOSITORY

needs_flower = pytest.mark.skipif(
    not (BUILT / "bin" / "python").exists(), reason="no Flower here; `make flower` makes it"
)
PAGE = REPOSITORY / "docs" / "federated.md"


def make_keys(folder: Path, sites: Iterable[str]) -> None:
    """ca.pem, coordinator.pem and .key, and of each site SITE and SITE.pub."""
    folder.mkdir(parents=True, exist_ok=True)
    coordinator, hospital = re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    for commands in (coordinator, *(hospital.replace("north", site) for site in sites)):
        subprocess.run(["sh", "-ec", commands], cwd=folder, check=True, capture_output=True)


def free_address() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"
