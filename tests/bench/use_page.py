"""The section of docs/benchmarks.md on what a commit and a server wait for."""

from collections.abc import Sequence
from pathlib import Path
from string import Template

from tests.bench.figures import Setting
from tests.bench.page import machine_lines, spread, table
from tests.bench.use_measure import UseFigure

TEMPLATE = Path(__file__).with_name("use.md.template")


def section(figures: Sequence[UseFigure], setting: Setting) -> str:
    """The section, its heading included."""
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        setting=machine_lines(setting), figures=_table(figures)
    )


def _table(figures: Sequence[UseFigure]) -> str:
    rows = [
        [
            figure.name,
            spread(figure.seconds, 2),
            f"{figure.peak_mib:.0f}",
            f"<= {figure.limit:g}",
            "**met**" if figure.got <= figure.limit else "**missed**",
        ]
        for figure in figures
    ]
    return table(["what", "s", "MiB", "target, s", ""], rows)
