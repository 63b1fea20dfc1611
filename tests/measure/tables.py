"""Every figure behind the page as CSV, for who wants to reckon with them."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from components.records.files import write_atomically
from tests.measure.grid import Simulated
from tests.measure.results import DataResults


def write_simulation(simulated: Simulated, path: Path) -> None:
    """One row for each point of the grid."""
    rows = [
        [
            cell.n,
            cell.discordance,
            cell.difference,
            cell.slices,
            cell.shares.passed,
            cell.shares.failed,
            cell.shares.inconclusive,
        ]
        for cell in simulated.cells
    ]
    header = ["cases", "discordance", "difference", "slices", "pass", "fail", "inconclusive"]
    _write(path, header, rows)


def write_models(results: DataResults, path: Path) -> None:
    """One row for each model that was judged."""
    metrics = sorted({name for g in results.groups for m in g.models for name in m.estimates})
    rows = [
        [
            model.family,
            model.grade,
            model.seed,
            model.verdict,
            *(_rounded(model.estimates.get(name)) for name in metrics),
            " ".join(model.blocking),
        ]
        for group in results.groups
        for model in group.models
    ]
    _write(path, ["change", "grade", "seed", "verdict", *metrics, "blocked_by"], rows)


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_atomically(path, stream.getvalue().encode())
