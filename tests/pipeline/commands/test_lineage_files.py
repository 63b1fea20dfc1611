"""`casegate lineage trace`, `export` and `check`, as a person types them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from components.bundle.archive import read_archive, write_archive
from pipeline.commands import lineage_files
from tests.pipeline.evidence.releasing import ReleasedRun, released

BEGINS = {
    "text": "version 7, back to its training examples\n",
    "json": '{\n  "subject": "version 7"',
    "dot": "digraph trace {",
    "mermaid": "flowchart LR\n",
    "svg": "<svg ",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ReleasedRun:
    return released(tmp_path_factory.mktemp("command"))


@pytest.fixture
def bundle(run: ReleasedRun, tmp_path: Path) -> Path:
    exported(run, tmp_path / "b.zip")
    return tmp_path / "b.zip"


def exported(run: ReleasedRun, out: Path, *words: str) -> Result:
    command = ["7", "--workspace", str(run.workspace.root), "--out", str(out), *words]
    return CliRunner().invoke(lineage_files.export, command)


def checked(*words: str) -> Result:
    return CliRunner().invoke(lineage_files.check, list(words))


def test_export_says_how_large_it_is_and_what_to_note(run: ReleasedRun, tmp_path: Path) -> None:
    result = exported(run, tmp_path / "b.zip")
    assert result.exit_code == 0, result.output
    assert "b.zip: version 7, " in result.output
    assert "of which the training manifest" in result.output
    head = json.loads(read_archive(tmp_path / "b.zip")["MANIFEST.json"])["about"]["ledger_head"]
    assert f"note its last ledger entry elsewhere: {head}" in result.output


def test_export_says_what_was_left_out(run: ReleasedRun, tmp_path: Path) -> None:
    result = exported(run, tmp_path / "b.zip", "--without-training-manifest")
    assert "left out as asked; its root stands in the run record" in result.output


def test_a_sound_bundle_that_nobody_signed_ends_with_3(bundle: Path) -> None:
    result = checked(str(bundle))
    assert result.exit_code == 3
    assert "consistent" in result.output


def test_check_answers_as_json(bundle: Path) -> None:
    answer = json.loads(checked(str(bundle), "--format", "json").output)
    assert answer["exit_code"] == 3
    assert answer["tables"]["checks"][0]["what"] == "files"


def test_the_first_difference_is_one_line_and_4(bundle: Path) -> None:
    files = read_archive(bundle)
    files["scores.json"] = files["scores.json"].replace(b"0.2", b"0.3", 1)
    write_archive(bundle, files)
    result = checked(str(bundle))
    assert result.exit_code == 4
    assert result.output.startswith("IntegrityError: scores.json: was altered")
    assert result.output.count("\n") == 1


def test_an_absent_bundle_is_a_usage_error(tmp_path: Path) -> None:
    assert checked(str(tmp_path / "none.zip")).exit_code == 2


@pytest.mark.parametrize("form", lineage_files.DRAWINGS)
def test_every_form_is_printed(run: ReleasedRun, form: str) -> None:
    words = ["7", "--workspace", str(run.workspace.root), "--format", form]
    result = CliRunner().invoke(lineage_files.trace, words)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(BEGINS[form])


def test_a_file_gets_what_the_screen_would(run: ReleasedRun, tmp_path: Path) -> None:
    words = ["7", "--workspace", str(run.workspace.root), "--format", "json"]
    printed = CliRunner().invoke(lineage_files.trace, words).output
    result = CliRunner().invoke(lineage_files.trace, [*words, "--out", str(tmp_path / "t.json")])
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "t.json").read_text(encoding="utf-8") == printed
    assert json.loads(printed)["root"] == "release-7"


def test_an_unknown_version_is_a_usage_error(run: ReleasedRun) -> None:
    result = CliRunner().invoke(lineage_files.trace, ["8", "--workspace", str(run.workspace.root)])
    assert result.exit_code == 2
    assert "'8'" in result.output
