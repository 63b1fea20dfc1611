"""What a person sees of the queue, and what they may do about it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from components.records.errors import ConfigError
from pipeline.cli import main
from tests.pipeline.pacs.making import Bench, MemoryArchive, chest
from tests.pipeline.serving.making import Ward
from tests.refusing import refusal

ONE = chest(1)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """One report that was given up, one that waits."""
    (tmp_path / "settings.yaml").write_text("signing: {unsigned: true}\n")
    file = {"workspace": str(Ward(tmp_path).root), "settings": str(tmp_path / "settings.yaml")}
    (tmp_path / "pacs.yaml").write_text(json.dumps({**file, "queue": {"quiet_seconds": 0}}))
    made = Bench(Ward(tmp_path).root, MemoryArchive(ONE, chest(2)), queue={"attempts": 1})
    made.node.watch()
    made.archive.forgetful = True
    made.node.work()
    return made


def status(root: Path, *more: str) -> tuple[int, dict]:
    command = ["pacs", "status", "--config", str(root / "pacs.yaml"), "--format", "json", *more]
    done = CliRunner().invoke(main, command)
    return done.exit_code, json.loads(done.stdout)


def test_what_was_given_up_is_listed_with_its_reason_and_exits_1(
    bench: Bench, tmp_path: Path
) -> None:
    Ward(tmp_path).release(7)
    code, found = status(tmp_path)
    assert (code, found["release"], found["counts"]) == (
        1,
        "pneumonia 7",
        {"dead": 1, "waiting": 1},
    )
    (dead,) = found["dead"]
    assert "did not keep 2 of 2" in dead["reason"]
    assert found["oldest_s"] >= 0


def test_it_is_tried_again(bench: Bench, tmp_path: Path) -> None:
    Ward(tmp_path).release(7)
    (dead,) = bench.queue.items("dead")
    code, found = status(tmp_path, "--again", dead.key)
    assert (code, found["counts"], found["dead"]) == (0, {"waiting": 2}, [])
    bench.archive.forgetful = False
    assert bench.node.work() and bench.node.work()
    assert bench.queue.counts() == {"sent": 2}


def test_it_is_dropped_with_its_file(bench: Bench, tmp_path: Path) -> None:
    assert len(bench.spooled()) == 2
    _, found = status(tmp_path, "--drop", "all")
    assert (found["counts"], len(bench.spooled())) == ({"left out": 1, "waiting": 1}, 1)


def test_without_a_release_it_says_why_and_exits_1(bench: Bench, tmp_path: Path) -> None:
    bench.queue.revive(bench.queue.items("dead")[0].key, "left out")
    code, found = status(tmp_path)
    assert (code, found["release"]) == (1, "")
    assert "nothing is released" in found["why_none"]


def test_a_key_that_was_not_given_up_is_refused(bench: Bench, tmp_path: Path) -> None:
    command = ["pacs", "status", "--config", str(tmp_path / "pacs.yaml"), "--again", "0" * 32]
    refusal(CliRunner().invoke(main, command), ConfigError, "0" * 32)


def test_a_person_reads_it(bench: Bench, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["pacs", "status", "--config", str(tmp_path / "pacs.yaml")])
    assert "1 dead, 1 waiting" in done.stdout and "given up after 1:" in done.stdout
    assert bench.queue.items("dead")[0].key in done.stdout
