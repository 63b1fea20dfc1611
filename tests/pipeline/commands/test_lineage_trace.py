"""`casegate lineage trace` in every form, on the screen and in a file."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.commands.lineage_trace import FORMATS, trace
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


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_is_printed(run: ReleasedRun, form: str) -> None:
    words = ["7", "--workspace", str(run.workspace.root), "--format", form]
    result = CliRunner().invoke(trace, words)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(BEGINS[form])


def test_a_file_gets_what_the_screen_would(run: ReleasedRun, tmp_path: Path) -> None:
    words = ["7", "--workspace", str(run.workspace.root), "--format", "json"]
    printed = CliRunner().invoke(trace, words).output
    result = CliRunner().invoke(trace, [*words, "--out", str(tmp_path / "t.json")])
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / "t.json").read_text(encoding="utf-8") == printed
    assert json.loads(printed)["root"] == "release-7"


def test_an_unknown_version_is_a_usage_error(run: ReleasedRun) -> None:
    result = CliRunner().invoke(trace, ["8", "--workspace", str(run.workspace.root)])
    assert result.exit_code == 2
    assert "no version and no run" in result.output
