from pathlib import Path

import pytest

from pipeline.settings.config import REPOSITORY
from tests.measure import simulation_figures
from tests.measure.drawing import save
from tests.measure.grid import Simulated
from tests.measure.jobs import PHANTOM, PNEUMONIA
from tests.measure.judging import load_baseline
from tests.measure.making import CIRRUS, damaged, data_results, results, small_simulation
from tests.measure.operating_characteristics import PAGE, draw
from tests.measure.page import render
from tests.measure.results import Results


@pytest.fixture(scope="module")
def simulation() -> Simulated:
    return small_simulation()


def row(page: str, *words: str) -> str:
    (found,) = [line for line in page.splitlines() if all(word in line for word in words)]
    return found


def test_honest_and_damaged_models_are_counted_by_verdict(simulation: Simulated) -> None:
    blocked = damaged("FAIL", "device left out", "Cirrus", CIRRUS)
    page = render(results(blocked, simulation=simulation))
    assert "honest, same cases: **20 of 20 pass** (lower bound 83%)." in page
    assert "honest, new patients: **1 of 2 pass**" in page
    assert "**3 of 3 are blocked**; every model in 1 of 1 kinds" in page
    assert "| 20 | 20 | 0 | 0 |" in row(page, "| honest, same cases |")


def test_what_blocked_a_model_is_named_by_its_slice(simulation: Simulated) -> None:
    blocked = damaged("FAIL", "device left out", "Cirrus", CIRRUS)
    line = row(render(results(blocked, simulation=simulation)), "| device left out: Cirrus |")
    assert f"| 3 | 0 | 3 | 0 | .950 | .770 | .990 | `{CIRRUS}` 3 |" in line


def test_damage_that_passed_stands_under_what_went_by(simulation: Simulated) -> None:
    missed = damaged("PASS", "fewer cases", "2000 of 4000")
    page = render(results(missed, simulation=simulation))
    assert "| fewer cases: 2000 of 4000 | 3 of 3 | +0.000 | -0.190 |" in page
    blocked = damaged("FAIL", "label noise", "0.5", CIRRUS)
    assert "Nothing: every damaged model was blocked." in render(
        results(blocked, simulation=simulation)
    )


def test_left_out_slice_that_went_by_shows_what_it_cost_there(simulation: Simulated) -> None:
    missed = damaged("PASS", "device left out", "Cirrus")
    line = row(render(results(missed, simulation=simulation)), "device left out: Cirrus | 3 of 3")
    assert "sensitivity +0.000, specificity -0.190 |" in line


def test_what_honest_retraining_needs_stands_beside_limit_and_margin(
    simulation: Simulated,
) -> None:
    page = render(results(simulation=simulation))
    assert f"| `{CIRRUS}` | .920 | 0.8900 | 0.7 | +0.0400 | 0.22 | +0.0610 | 0.25 |" in page


def test_a_check_that_cannot_pass_says_so(simulation: Simulated) -> None:
    page = render(results(simulation=simulation))
    assert f"| `{CIRRUS}` | 207 | 0.22 | 33 | 0.999 |" in page
    assert "| `x[y]` | 20 | 0.02 | cannot pass | 0.000 |" in page


def test_what_234_negatives_tolerate_is_worked_out(simulation: Simulated) -> None:
    data = data_results(data=PNEUMONIA, positives=1766)
    page = render(Results(simulation, (data,)))
    line = row(page, "pneumoniamnist, 234 negatives")
    assert "0.02: not one loss, 0.03: 1, 0.05: 5" in line


def test_data_that_was_absent_is_named(simulation: Simulated) -> None:
    assert "PneumoniaMNIST was not at hand" in render(results(simulation=simulation))


def test_every_line_of_the_prose_is_of_a_width_to_read(simulation: Simulated) -> None:
    page = render(results(simulation=simulation))
    prose = [line for line in page.splitlines() if not line.startswith(("|", "!", "-"))]
    assert max(map(len, prose)) <= 100


@pytest.mark.process
def test_every_picture_of_the_page_is_drawn(simulation: Simulated, tmp_path: Path) -> None:
    found = results(damaged("FAIL", "device left out", "Cirrus", CIRRUS), simulation=simulation)
    draw(found, tmp_path)
    page = render(found)
    assert {f"oc/{path.name}" for path in tmp_path.iterdir()} == {
        link.split(")")[0] for link in page.split("](")[1:]
    }
    for path in tmp_path.glob("*.svg"):
        text = path.read_text("utf-8")
        assert path.stat().st_size < 100_000
        assert "<text" in text and "fill: #ffffff" in text


def test_pictures_are_the_same_bytes_each_time(simulation: Simulated, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        save(simulation_figures.at_margin(simulation), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_page_in_docs_was_written_with_the_shipped_policies() -> None:
    page = PAGE.read_text("utf-8")
    for name in (PHANTOM, PNEUMONIA):
        baseline = load_baseline(REPOSITORY / "baselines" / name)
        assert f"- {name}: policy `{baseline.policy.sha256[:12]}`, golden " in page
        assert f"`{baseline.golden.golden_sha256[:12]}`" in page
