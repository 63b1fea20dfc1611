"""Judges the cached models with the shipped policies, and writes the page and its pictures.

    python -m tests.measure.operating_characteristics --cache build/oc --write

Without `--write` the page goes to standard output.
"""

import argparse
import sys
from pathlib import Path

from components.records.errors import CasegateError
from components.records.files import write_atomically
from pipeline.settings.config import REPOSITORY
from tests.measure import retraining_figures, simulation_figures
from tests.measure.cache import load_all
from tests.measure.drawing import save
from tests.measure.grid import simulated
from tests.measure.jobs import DEFAULT_CACHE, PHANTOM, PNEUMONIA
from tests.measure.judging import load_baseline
from tests.measure.page import render
from tests.measure.results import Results, data_results
from tests.measure.tables import write_models, write_simulation

PAGE = REPOSITORY / "docs" / "gate-operating-characteristics.md"
PICTURES = REPOSITORY / "docs" / "oc"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.measure.operating_characteristics", description=__doc__
    )
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    parser.add_argument("--baselines", type=Path, default=REPOSITORY / "baselines")
    parser.add_argument("--write", action="store_true", help=f"to {PAGE.relative_to(REPOSITORY)}")
    chosen = parser.parse_args()
    try:
        results = measured(chosen.cache, chosen.baselines)
    except CasegateError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    page = render(results)
    if not chosen.write:
        print(page, end="")
        return
    write_atomically(PAGE, page.encode())
    draw(results, PICTURES)
    print(f"written: {PAGE.relative_to(REPOSITORY)}", file=sys.stderr)


def measured(cache: Path, baselines: Path) -> Results:
    """Everything on the page: the simulation, and each data set that the cache has models of."""
    found = []
    for data in (PHANTOM, PNEUMONIA):
        if models := list(load_all(cache, data)):
            found.append(data_results(data, models, load_baseline(baselines / data)))
    if not found:
        sys.exit(f"{cache}: no scores; run `python -m tests.measure.collect --cache {cache}` first")
    return Results(simulated(), tuple(found))


def draw(results: Results, folder: Path) -> None:
    """Every picture that the page shows, and every table that it links."""
    simulation = results.simulated
    save(simulation_figures.verdicts(simulation), folder / "verdicts.svg")
    save(simulation_figures.equal_models(simulation), folder / "equal-models.svg")
    save(simulation_figures.at_margin(simulation), folder / "at-margin.svg")
    save(simulation_figures.losses(simulation), folder / "losses.svg")
    write_simulation(simulation, folder / "simulation.csv")
    for data in results.data:
        write_models(data, folder / f"retrainings-{data.data}.csv")
        save(retraining_figures.retrainings(data), folder / f"retrainings-{data.data}.svg")
        if (separation := retraining_figures.separation(data)) is not None:
            save(separation, folder / f"separation-{data.data}.svg")


if __name__ == "__main__":
    main()
