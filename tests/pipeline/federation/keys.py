"""Certificates and keys as an operator makes them, by the commands of docs/federated.md."""

import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from pipeline.federation.carrier import BUILT

needs_flower = pytest.mark.skipif(
    not (BUILT / "bin" / "python").exists(), reason="no Flower here; `make flower` makes it"
)
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make_keys(folder: Path, sites: Iterable[str]) -> None:
    """ca.pem, coordinator.pem and .key, and of each site SITE and SITE.pub."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "names.txt").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    _run(folder, "openssl req -x509 -days 30 -keyout ca.key -out ca.pem -subj /CN=federation", *EC)
    request = "openssl req -new -keyout coordinator.key -out coordinator.csr -subj /CN=localhost"
    _run(folder, request, *EC)
    signed = "openssl x509 -req -days 30 -in coordinator.csr -out coordinator.pem -CA ca.pem"
    _run(folder, f"{signed} -CAkey ca.key -CAcreateserial -extfile names.txt")
    for site in sites:
        _run(folder, f"ssh-keygen -q -t ecdsa -b 256 -f {site} -N", "")


def _run(folder: Path, command: str, *more: str) -> None:
    subprocess.run([*command.split(), *more], cwd=folder, check=True, capture_output=True)


def free_address() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"
