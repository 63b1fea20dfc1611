import inspect
import json
from pathlib import Path

import pytest

from components.records import errors
from components.records.errors import CasegateError, LeakageFound, suggestion
from components.records.problems import json_line, parse_json_line, read_problem, report_error

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, CasegateError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_comes_back_as_it_was(tmp_path: Path, kind: type[CasegateError]) -> None:
    path = tmp_path / "problem.json"
    with pytest.raises(kind), report_error(str(path)):
        raise kind("Köln: 3 of 4, wanted 4")
    problem = read_problem(path)
    assert type(problem) is kind and str(problem) == "Köln: 3 of 4, wanted 4"
    assert problem.exit_code == kind.exit_code


def test_nothing_is_written_where_nothing_went_wrong(tmp_path: Path) -> None:
    with report_error(str(tmp_path / "problem.json")):
        pass
    assert read_problem(tmp_path / "problem.json") is None


def test_what_is_not_our_error_is_not_reported_but_goes_on(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), report_error(str(tmp_path / "problem.json")):
        _ = 1 // 0
    assert read_problem(tmp_path / "problem.json") is None


def test_an_error_outside_the_tree_keeps_its_message(tmp_path: Path) -> None:
    class Stranger(LeakageFound):
        pass

    with pytest.raises(Stranger), report_error(str(tmp_path / "problem.json")):
        raise Stranger("2 cases")
    problem = read_problem(tmp_path / "problem.json")
    assert type(problem) is LeakageFound and str(problem) == "2 cases"


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        ({"error": "LeakageFound"}, errors.LeakageFound),  # as 0.1 wrote it
        ({"error": "SomeNewName", "code": "CG1003"}, errors.LeakageFound),
        ({"error": "LeakageFound", "code": "CG1999"}, errors.LeakageFound),
        ({"error": "suggestion"}, CasegateError),
    ],
)
def test_an_error_is_found_by_its_code_or_else_by_its_name(
    tmp_path: Path, record: dict[str, str], kind: type[CasegateError]
) -> None:
    path = tmp_path / "problem.json"
    path.write_text(json.dumps({**record, "message": "2 cases"}))
    problem = read_problem(path)
    assert type(problem) is kind and str(problem) == "2 cases"


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_in_a_line_of_json_comes_back(kind: type[CasegateError]) -> None:
    line = json_line(kind("Köln: got 'x'\nand \x1b[2J more"))
    assert line.isascii() and line.isprintable()
    problem = parse_json_line(line)
    assert type(problem) is kind and str(problem) == "Köln: got 'x' and  [2J more"


@pytest.mark.parametrize(
    "line",
    [
        "ConfigError: no [CG2002]",
        '{"error": "CG2002"}',
        '{"error": {"code": "CG2999", "message": "", "exit_code": 2}}',
        '{"error": {"code": ["CG2002"], "message": "", "exit_code": 2}}',
        '{"error": {"code": "CG2002", "message": "", "exit_code": 4}}',
        '{"error": {"code": "CG2002", "message": ""',
        '{"error": ' + "[" * 100_000,
    ],
)
def test_any_other_line_is_no_error(line: str) -> None:
    assert parse_json_line(line) is None


def test_exit_codes_are_those_of_the_documentation() -> None:
    codes = {kind.__name__: kind.exit_code for kind in KINDS}
    assert codes["CasegateError"] == 70 and codes["RunStopped"] == codes["AnomaliesFound"] == 1
    assert codes["ConfigError"] == codes["WorkspaceBusy"] == codes["PolicyError"] == 2
    assert codes["IntegrityError"] == 4 and codes["TooFewCases"] == 5
    assert 0 not in codes.values()


def test_a_near_word_is_suggested_and_a_strange_one_gets_the_list() -> None:
    assert suggestion("epoch", ["epochs", "seed"]) == "; did you mean 'epochs'?"
    assert suggestion("xyz", ["seed", "epochs"]) == "; known: epochs, seed"
