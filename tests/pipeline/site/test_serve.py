import socket
from pathlib import Path

import pytest

from components.records.errors import ConfigError
from pipeline.site.serve import serve


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
        assert f"127.0.0.1:{port}: cannot listen there" in refused(root, port=port)


def test_a_folder_where_nothing_ran_is_refused(tmp_path: Path) -> None:
    assert "nothing ever ran here" in refused(tmp_path)
