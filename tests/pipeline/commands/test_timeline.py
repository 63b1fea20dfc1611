import json
from pathlib import Path

from click.testing import CliRunner, Result

from pipeline.cli import main
from tests.pipeline.evidence.releasing import RUN, released


def asked(*words: object) -> Result:
    return CliRunner().invoke(main, ["timeline", *map(str, words)])


def test_text_names_what_was_released_and_what_it_reached(tmp_path: Path) -> None:
    root = released(tmp_path).workspace.root
    result = asked("--workspace", root)
    assert result.exit_code == 0
    assert "released as version 7" in result.output
    assert "sensitivity 0.975" in result.output and "data: planted" in result.output


def test_json_has_every_step(tmp_path: Path) -> None:
    root = released(tmp_path).workspace.root
    steps = json.loads(asked("--workspace", root, "--format", "json").output)
    assert [step["version"] for step in steps if step["run_id"] == RUN] == [7]


def test_the_page_links_reports_from_where_it_is_written(tmp_path: Path) -> None:
    root = released(tmp_path).workspace.root
    page = tmp_path / "elsewhere" / "timeline.html"
    result = asked("--workspace", root, "--format", "html", "--output", page)
    assert result.exit_code == 0 and "steps: " in result.output
    link = f"../workspace/runs/{RUN}/report.html"
    assert link in page.read_text() and (page.parent / link).resolve().exists()


def test_a_workspace_without_a_ledger_is_refused_in_one_line(tmp_path: Path) -> None:
    result = asked("--workspace", tmp_path)
    assert result.exit_code == 5
    (line,) = result.stderr.splitlines()
    assert "nothing ever happened here" in line
