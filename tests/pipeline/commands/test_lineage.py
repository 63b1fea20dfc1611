"""What every command of `casegate lineage` shares, and how each is asked."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from components.records.errors import ConfigError
from pipeline.cli import main
from pipeline.commands.lineage import lineage
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import scored
from tests.pipeline.evidence.making import Told
from tests.refusing import refusal

COMMANDS = [
    ["show", "7"],
    ["checks", "7"],
    ["looks", "planted"],
    ["live", "--at", "2026-01-06T00:00:00Z"],
    ["blocked"],
    ["list"],
    ["sql", "SELECT run_id FROM runs"],
    ["sql", "--views"],
]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    made = Told(tmp_path_factory.mktemp("told"))
    made.run("2026-01-05T10:00", decision=judged(), version=7)
    worse = judged(scored(CASES, wrong=range(30), model="worse"))
    made.run("2026-01-05T11:00", "blocked", decision=worse)
    return made


def asked(told: Told, *words: object, **given: str) -> Result:
    arguments = ["lineage", *map(str, words), "--workspace", str(told.root)]
    return CliRunner().invoke(main, arguments, **given)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_answers_as_text_json_and_csv(told: Told, words: list[str]) -> None:
    text = asked(told, *words)
    assert text.exit_code == 0, text.output
    found = json.loads(asked(told, *words, "--format", "json").stdout)
    assert found["question"] == text.stdout.splitlines()[0]
    head, *rows = csv.reader(io.StringIO(asked(told, *words, "--format", "csv").stdout))
    table = next(iter(found["tables"].values()))
    assert len(rows) == len(table) and (not table or head == list(table[0]))


def test_the_answer_s_exit_code_is_the_command_s(told: Told) -> None:
    result = asked(told, "checks", "20260105T1100")
    assert result.exit_code == 1 and result.stderr == ""


def test_one_table_is_chosen_by_name(told: Told) -> None:
    rows = list(csv.reader(io.StringIO(asked(told, *_csv("show", "7"), "components").stdout)))
    assert rows[0][0] == "component" and rows[1][0] == "DataGate"
    refusal(asked(told, *_csv("show", "7"), "chekcs"), ConfigError, "did you mean 'checks'")


def _csv(*words: str) -> tuple[str, ...]:
    return (*words, "--format", "csv", "--table")


def test_out_writes_the_file_and_prints_nothing(told: Told, tmp_path: Path) -> None:
    out = tmp_path / "new folder" / "answer.json"
    result = asked(told, "list", "--format", "json", "--out", out)
    assert (result.exit_code, result.output) == (0, "")
    assert json.loads(out.read_text())["question"] == "what was run and released"


def test_out_that_cannot_be_written_is_one_line(told: Told, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refusal(asked(told, "list", "--out", tmp_path / "file" / "x"), ConfigError, tmp_path / "file")


def test_a_query_may_come_from_standard_input(told: Told) -> None:
    result = asked(told, "sql", "--format", "csv", input="SELECT count(*) AS n FROM runs")
    assert result.stdout.splitlines() == ["n", "2"]


def test_lines_of_csv_end_as_rfc_4180_says(told: Told, tmp_path: Path) -> None:
    query = "SELECT count(*) AS n FROM runs"
    asked(told, "sql", query, "--format", "csv", "--out", tmp_path / "runs.csv")
    assert (tmp_path / "runs.csv").read_bytes() == b"n\r\n2\r\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "99"], "'99': no version and no run"),
        (["show", "20260105T1"], "2 runs begin so"),
        (["looks", "'; DROP TABLE Artifact; --"], "no case set of this workspace"),
        (["live", "--at", "soon"], "--at: got 'soon'"),
        (["live", "--at", "2999-01-01"], "still to come"),
        (["blocked", "--since", "May"], "--since: got 'May'"),
        (["sql", "DROP TABLE Artifact"], "wanted SELECT or WITH"),
        (["list", "--trigger", "whim"], "whim"),
    ],
)
def test_a_mistake_is_one_line(told: Told, words: list[str], said: str) -> None:
    refusal(asked(told, *words), 2, said)


def test_a_folder_where_nothing_ran_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["lineage", "list", "--workspace", str(tmp_path)])
    refusal(result, ConfigError, tmp_path)


def test_help_of_each_imports_nothing_heavy() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from pipeline.cli import main;"
        "from pipeline.commands.lineage import lineage;"
        "done = [CliRunner().invoke(main, ['lineage', n, '--help']) for n in lineage.commands];"
        "assert all(one.exit_code == 0 for one in done);"
        "print([m for m in ('tensorflow', 'tfx', 'ml_metadata', 'sqlalchemy', 'numpy', 'rich',"
        " 'jsonschema', 'pyarrow', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_question_has_a_line_of_help() -> None:
    assert len(lineage.commands) >= 13
    assert all(command.get_short_help_str() for command in lineage.commands.values())
