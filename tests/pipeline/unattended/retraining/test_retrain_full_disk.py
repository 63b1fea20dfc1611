"""A disk that fills up while a retraining goes on: a small one, where one can be mounted."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.records.errors import CasegateError
from pipeline.settings.config import load_config
from pipeline.settings.workspace import Workspace
from pipeline.unattended.retraining.retrain import refuse_full_disk
from tests.pipeline.unattended.retraining.making import Unattended
from tests.refusing import refused


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for one megabyte."""
    folder = tmp_path / "ws"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no mount here: install mount")
    if done.returncode:
        pytest.skip(f"needs an account that may mount a disk: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.process
def test_a_disk_that_fills_up_is_called_that_and_the_next_run_is_right(
    unattended: Unattended, small_disk: Path
) -> None:
    unattended.steps([["release", 1], ["fill"]], [["fill"]], [unattended.outcome("FAIL")])
    retrained = unattended.retrain("retraining.retries=1")
    assert (retrained.state, retrained.exit_code) == ("failed", 70)
    assert "No space left on device" in unattended.told[0]["lines"][0]
    assert unattended.retrain().state == "blocked"
    served = small_disk / "serving" / "pneumonia"
    assert [path.name for path in served.iterdir()] == ["1"]


@pytest.mark.process
def test_on_a_disk_without_a_byte_left_a_person_is_told_all_the_same(
    unattended: Unattended, small_disk: Path
) -> None:
    with pytest.raises(OSError, match="No space"), (small_disk / "ballast").open("wb") as file:
        while True:
            file.write(b"x" * 4096)
            file.flush()
    unattended.steps([unattended.outcome("PASS")])
    retrained = unattended.retrain("retraining.free_disk_gib=0.0001")
    assert (retrained.state, retrained.exit_code) == ("failed", 70)
    assert "0.00 GiB" in unattended.told[0]["lines"][0]
    assert unattended.children == []
    assert any("cannot be written to: No space left" in line for line in unattended.said)
    (small_disk / "ballast").unlink()
    unattended.steps([unattended.outcome("FAIL")])
    assert unattended.retrain().state == "blocked"


def test_the_folder_of_releases_counts_where_it_is_elsewhere(
    unattended: Unattended, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shutil import disk_usage

    def usage(path: Path) -> object:
        return disk_usage(path)._replace(free=0 if "elsewhere" in str(path) else 2**40)

    monkeypatch.setattr("shutil.disk_usage", usage)
    workspace = Workspace(unattended.root / "ws")
    refuse_full_disk(load_config(None, []), workspace)
    elsewhere = unattended.root / "elsewhere"
    elsewhere.mkdir()
    with refused(CasegateError, f"{elsewhere}/models: the disk has 0.00 GiB free"):
        refuse_full_disk(load_config(None, [f"serving.directory={elsewhere}/models"]), workspace)
