from dataclasses import replace

import pytest

from components.records.events import Event
from tests.bench.figures import (
    WHOLE_RUN_RATIO,
    ComponentTime,
    Target,
    component_times,
    targets,
)
from tests.bench.making import LINES, casegate_run, figures


def target(name: str, **changes: object) -> Target:
    (found,) = [entry for entry in targets(figures(**changes)) if name in entry.name]
    return found


def test_component_lines_are_told_from_other_output() -> None:
    found = component_times(LINES)
    assert [line.name for line in found] == [
        "inputs",
        "import TFX",
        "Trainer",
        "Evaluator",
        "CandidateScorer",
        "Pusher",
    ]
    detail = "epoch 9/12  loss 0.312  tuning AUC 0.953"
    assert found[2] == ComponentTime("Trainer", 8.4, "done", detail)
    assert found[5].state == "cached"


def test_lines_of_the_command_itself_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    from pipeline.run.show_run import RunProgress

    progress = RunProgress(Console(width=120, force_terminal=False))
    progress(Event("started", "a_component_with_a_long_name"))
    progress(Event("progress", detail="epoch 3/4  loss 0.100"))
    progress(Event("finished", "a_component_with_a_long_name"))
    (line,) = component_times(capsys.readouterr().out.splitlines())
    assert (line.name, line.state) == ("a_component_with_a_long_name", "done")
    assert line.detail == "epoch 3/4  loss 0.100"


def test_epochs_are_read_from_the_trainer() -> None:
    assert casegate_run().epochs == 9
    assert casegate_run(components=component_times(LINES[:3])).epochs is None


def test_scoring_is_held_against_the_graph_by_the_seconds_of_both() -> None:
    found = target("own graph")
    assert found.got == pytest.approx(1.5 / 1.0) and found.met is False


def test_memory_of_scoring_is_that_of_most_cases_over_that_of_fewest() -> None:
    small = figures().judging[0]
    large = replace(small, cases=100_000, scoring_mib=900.0)
    found = target("memory of scoring", judging=(large, small))
    assert found.got == pytest.approx(1.5) and found.met is False


def test_whole_run_is_held_against_stock_tfx() -> None:
    found = target("stock TFX")
    assert found.got == pytest.approx(30 / 25) and found.met is False


def test_whole_run_is_held_against_plain_keras_and_the_import() -> None:
    found = target("plain Keras")
    assert found.got == pytest.approx(30 / (14 + 6))
    assert found.met


def test_ratio_at_the_target_meets_it_and_above_misses_it() -> None:
    at = Target("a ratio", " x", WHOLE_RUN_RATIO, WHOLE_RUN_RATIO, "")
    assert at.met
    assert replace(at, got=WHOLE_RUN_RATIO + 0.01).met is False


def test_repeated_runs_count_by_their_median() -> None:
    data = figures().data[0]
    runs = tuple(casegate_run(seconds=seconds) for seconds in (90.0, 40.0, 20.0))
    found = target("plain Keras", data=(replace(data, casegate=runs),))
    assert found.got == pytest.approx(40 / 20)


def test_unchanged_run_is_held_against_the_first() -> None:
    assert target("unchanged").got == pytest.approx(1.5 / 30)
