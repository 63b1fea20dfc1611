from dataclasses import replace

from tests.bench.making import casegate_run, figures
from tests.bench.page import render, spread, table
from tests.bench.run import with_sections_of


def row(page: str, *words: str) -> str:
    (found,) = [line for line in page.splitlines() if all(word in line for word in words)]
    return found


def test_page_states_machine_date_and_versions() -> None:
    page = render(figures())
    assert "Some CPU, 2 cores" in page
    assert "2026-01-31" in page
    assert "tfx 1.16.0" in page


def test_every_target_stands_with_figure_limit_and_outcome() -> None:
    page = render(figures())
    line = row(page, "over plain Keras")
    assert "| 1.50 x | <= 1.5 x | **met** | 30.0 s / (14.0 s + 6.0 s) |" in line
    assert "| 0.20 s | <= 0.5 s | **met** |" in row(page, "casegate --help", "met")


def test_missed_target_is_called_missed() -> None:
    data = replace(figures().data[0], casegate=(casegate_run(seconds=80.0),))
    line = row(render(figures(data=(data,))), "over plain Keras")
    assert "| 4.00 x | <= 1.5 x | **missed** |" in line


def test_busy_machine_is_named() -> None:
    assert "unreliable" not in render(figures(load=0.2))
    assert "unreliable" in render(figures(load=3.0))


def test_real_radiographs_that_were_absent_are_named() -> None:
    assert "PneumoniaMNIST was not at hand" in render(figures())
    both = (figures().data[0], replace(figures().data[0], name="pneumoniamnist.npz"))
    assert "PneumoniaMNIST was not at hand" not in render(figures(data=both))


def test_every_component_has_its_row() -> None:
    page = render(figures())
    for name, seconds in (("import TFX", "6.2"), ("Trainer", "8.4"), ("whole run", "30.0")):
        assert f"| {name} | {seconds} |" in page


def test_both_judges_stand_with_their_rates_and_ratio() -> None:
    page = render(figures())
    assert "| 20,000 | casegate: scoring and the whole gate | 2.0 | 10,000 | 7.5 |" in page
    assert "| 20,000 | TFMA's evaluator | 15.0 | 1,333 | 1.0 |" in page
    assert "| 20,000 | the model's own graph | 1.0 | 20,000 | 15.0 |" in page
    assert "| 20,000 | - `serve_examples` alone | 0.4 | 50,000 | 37.5 |" in page
    assert "| 1.50 x | <= 1.25 x | **missed** | 1.5 s / 1.0 s |" in row(
        page, "over the model's own"
    )


def test_the_gate_on_score_files_stands_with_time_and_memory() -> None:
    page = render(figures())
    assert "| 1,000,000 | 16.00 | 830 |" in page
    assert "| 0.70 s | <= 1 s | **met** |" in row(page, "`casegate gate` on 1,000 cases")


def test_spread_is_the_median_with_the_extremes() -> None:
    assert spread([3.0]) == "3.0"
    assert spread([5.0, 1.0, 3.0]) == "3.0 (1.0 to 5.0)"


def test_table_aligns_numbers_to_the_right() -> None:
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | ---: |\n| x | 1 |"


def test_sections_that_were_measured_before_stay() -> None:
    before = "# Old\n\n## Memory\n\nold\n\n## In use\n\nkept\n\n## The store\n\nkept\n"
    assert with_sections_of(before, "# New\n") == (
        "# New\n\n## In use\n\nkept\n\n## The store\n\nkept\n"
    )
    assert with_sections_of("# Old\n", "# New\n") == "# New\n"
