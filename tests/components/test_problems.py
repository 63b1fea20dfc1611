import inspect
from pathlib import Path

import pytest

from components import errors
from components.errors import CasegateError, LeakageFound, suggestion
from components.problems import read_problem, reported

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, CasegateError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_comes_back_as_it_was(tmp_path: Path, kind: type[CasegateError]) -> None:
    path = tmp_path / "problem.json"
    with pytest.raises(kind), reported(str(path)):
        raise kind("Köln: 3 of 4, wanted 4")
    problem = read_problem(path)
    assert type(problem) is kind and str(problem) == "Köln: 3 of 4, wanted 4"
    assert problem.exit_code == kind.exit_code


def test_nothing_is_written_where_nothing_went_wrong(tmp_path: Path) -> None:
    with reported(str(tmp_path / "problem.json")):
        pass
    assert read_problem(tmp_path / "problem.json") is None


def test_what_is_not_our_error_is_not_reported_but_goes_on(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), reported(str(tmp_path / "problem.json")):
        _ = 1 // 0
    assert read_problem(tmp_path / "problem.json") is None


def test_an_error_outside_the_tree_keeps_its_message(tmp_path: Path) -> None:
    class Stranger(LeakageFound):
        pass

    with pytest.raises(Stranger), reported(str(tmp_path / "problem.json")):
        raise Stranger("2 cases")
    problem = read_problem(tmp_path / "problem.json")
    assert problem is not None and str(problem) == "2 cases" and problem.exit_code != 0


def test_exit_codes_are_those_of_the_documentation() -> None:
    codes = {kind.__name__: kind.exit_code for kind in KINDS}
    assert codes["CasegateError"] == 70 and codes["RunStopped"] == codes["AnomaliesFound"] == 1
    assert codes["ConfigError"] == codes["WorkspaceBusy"] == codes["PolicyError"] == 2
    assert codes["IntegrityError"] == 4 and codes["TooFewCases"] == 5
    assert 0 not in codes.values()


def test_a_near_word_is_suggested_and_a_strange_one_gets_the_list() -> None:
    assert suggestion("epoch", ["epochs", "seed"]) == "; did you mean 'epochs'?"
    assert suggestion("xyz", ["seed", "epochs"]) == "; known: epochs, seed"
