import shutil
from pathlib import Path

import pytest

from components.lineage.record import RunRecord, load_record
from components.records.errors import ConfigError, IntegrityError
from pipeline.site.run_file import SHOWN, run_document, shown_files
from tests.pipeline.site.making import RUN
from tests.refusing import refused


@pytest.fixture
def folder(root: Path, tmp_path: Path) -> Path:
    return shutil.copytree(root / "runs" / RUN, tmp_path / RUN)


def record(folder: Path) -> RunRecord:
    return load_record(folder / "run.json")


def test_a_file_is_sent_as_it_was_recorded(folder: Path) -> None:
    found = run_document(folder, "decision.json", record(folder))
    assert found.body == (folder / "decision.json").read_bytes()
    assert found.media_type == "application/json" and "sandbox" in found.policy


def test_an_edited_report_is_refused(folder: Path) -> None:
    given = record(folder)
    (folder / "report.html").write_text("all is well", encoding="utf-8")
    with refused(IntegrityError, "report.html: hashes to "):
        run_document(folder, "report.html", given)


@pytest.mark.parametrize("name", ["training_statistics.pb", "../run.json", "run.json.bak", ""])
def test_only_names_on_the_list_are_shown(folder: Path, name: str) -> None:
    with refused(ConfigError, "known: "):
        run_document(folder, name, record(folder))


def test_a_link_is_never_followed(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret", encoding="utf-8")
    given = record(folder)
    (folder / "report.md").unlink()
    (folder / "report.md").symlink_to(secret)
    assert "report.md" not in shown_files(folder)
    with refused(ConfigError, "/report.md: "):
        run_document(folder, "report.md", given)


def test_a_pipe_does_not_hold_the_server(folder: Path) -> None:
    import os

    given = record(folder)
    (folder / "report.md").unlink()
    os.mkfifo(folder / "report.md")
    with refused(ConfigError, "/report.md: "):
        run_document(folder, "report.md", given)


def test_a_report_runs_its_own_script_in_an_origin_of_its_own(folder: Path) -> None:
    policy = run_document(folder, "report.html", record(folder)).policy
    assert "sandbox allow-scripts" in policy and "allow-same-origin" not in policy
    assert "script-src 'sha256-" in policy and "default-src 'none'" in policy


def test_every_file_on_the_list_is_named_for_a_person() -> None:
    assert all(words and kind for words, kind in SHOWN.values())
