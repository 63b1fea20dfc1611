"""What the application lets through, and what stands on every answer."""

import socket
from pathlib import Path
from typing import Any

import pytest

from components.records.errors import ConfigError
from pipeline.site.server import make_app, serve
from pipeline.site.site import Site
from tests.pipeline.site.making import RUN, ask


@pytest.mark.parametrize("path", ["/", "/index.html", f"/run/{RUN}/index.html", "/audit.css"])
def test_pages_are_answered(root: Path, path: str) -> None:
    found = ask(root, path)
    assert found.status == 200 and found.headers["content-length"] == str(len(found.body))


def test_head_has_the_headers_of_get(root: Path) -> None:
    assert ask(root, method="HEAD").headers == ask(root).headers


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "X"]
)
def test_anything_but_reading_is_refused(root: Path, method: str) -> None:
    found = ask(root, method=method)
    assert found.status == 405 and found.headers["allow"] == "GET, HEAD"
    assert found.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("path", "status", "more"),
    [
        ("/", 200, {}),
        ("/nothing.html", 404, {}),
        ("/", 405, {"method": "POST"}),
        ("/", 400, {"host": "evil.example"}),
        ("/", 414, {"query": "x" * 2001}),
        ("/runs.html", 400, {"query": "a&" * 30}),
    ],
)
def test_every_answer_carries_the_headers(
    root: Path, path: str, status: int, more: dict[str, str]
) -> None:
    found = ask(root, path, **more)
    policy = found.headers["content-security-policy"]
    assert found.status == status
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy and "script-src" not in policy
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["referrer-policy"] == "no-referrer"
    assert found.headers["cache-control"] == "no-store"
    assert found.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8421", "", "127.0.0.2"])
def test_another_host_is_refused(root: Path, host: str) -> None:
    assert ask(root, host=host).status == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8421", "localhost", "localhost:1", "[::1]:8421"])
def test_this_machine_is_answered_by_any_of_its_names(root: Path, host: str) -> None:
    assert ask(root, host=host).status == 200


def test_a_name_that_was_given_is_answered(root: Path) -> None:
    app = make_app(Site(root), hosts=["audit.hospital.example"])
    assert ask(root, host="audit.hospital.example:80", app=app).status == 200


def test_a_report_has_a_policy_of_its_own(root: Path) -> None:
    found = ask(root, f"/run/{RUN}/files/report.html")
    policy = found.headers["content-security-policy"]
    assert found.status == 200 and "sandbox allow-scripts" in policy
    assert "frame-ancestors 'none'" in policy and "'self'" not in policy


def test_a_record_is_sent_as_data(root: Path) -> None:
    found = ask(root, f"/run/{RUN}/files/run.json")
    assert found.headers["content-type"] == "application/json"
    assert found.headers["content-security-policy"].endswith("sandbox")


def test_an_error_of_ours_shows_no_inside(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("secret path /home/ada")

    monkeypatch.setattr(Site, "respond", broken)
    found = ask(root, raises=RuntimeError)  # the server puts that on the terminal
    assert found.status == 500 and b"secret" not in found.body and b"Traceback" not in found.body
    assert found.headers["content-security-policy"].startswith("default-src 'none'")


def refused(root: Path, **given: object) -> str:
    options = {"host": "127.0.0.1", "port": 0, "names": (), "say": lambda words: None, **given}
    with pytest.raises(ConfigError) as caught:
        serve(root, **options)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "hospital.example"])  # noqa: S104
def test_only_loopback_is_listened_on(root: Path, host: str) -> None:
    assert "--allow-remote" in refused(root, host=host)


def test_a_port_that_is_taken_is_one_line(root: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}: " in refused(root, port=port)


def test_a_folder_where_nothing_ran_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path).startswith(f"{tmp_path}: ")
