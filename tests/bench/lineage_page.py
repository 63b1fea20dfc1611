"""The lineage section of docs/benchmarks.md, which is measured and written on its own too."""

import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from string import Template

from tests.bench.lineage_figures import (
    LineageFigures,
    StoreFigures,
    command_of,
    lineage_targets,
)
from tests.bench.page import machine_lines, table, targets_table

TEMPLATE = Path(__file__).with_name("lineage.md.template")


def section(figures: LineageFigures) -> str:
    """The section, its heading included."""
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        setting=machine_lines(figures),
        targets=targets_table(lineage_targets(figures)),
        runs=f"{figures.runs:,}",
        cases=f"{figures.cases:,}",
        rows=f"{figures.rows:,}",
        entries=f"{figures.ledger_entries:,}",
        copying=_copying(figures),
        commands=_commands(figures.stores),
        documented=_documented(figures.stores),
        pages=_pages(figures.stores),
    )


def with_section(page: str, text: str) -> str:
    """The page with this section in the place of the one of its heading, or at its end."""
    heading = re.escape(text.splitlines()[0])
    found = re.search(rf"^{heading}$.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    if found is None:
        return f"{page.rstrip()}\n\n{text.rstrip()}\n"
    after = page[found.end() :]
    return page[: found.start()] + text.rstrip() + ("\n\n" + after if after else "\n")


def _copying(figures: LineageFigures) -> str:
    if figures.copy_seconds is None:
        return "There was no PostgreSQL server, so nothing was measured on one."
    return (
        "`casegate store migrate` copied it all to PostgreSQL and compared every row in "
        f"{figures.copy_seconds:.0f} s."
    )


def _commands(stores: Sequence[StoreFigures]) -> str:
    rows = []
    for command in stores[0].commands:
        row = [f"`{command.name}`"]
        for store in stores:
            found = command_of(store.commands, command.name)
            row += [f"{statistics.median(found.seconds):.2f}", f"{found.peak_mib:.0f}"]
        rows.append(row)
    head = [f"{store.kind}, {unit}" for store in stores for unit in ("s", "MiB")]
    return table(["`casegate lineage ...`", *head], rows)


def _documented(stores: Sequence[StoreFigures]) -> str:
    rows = [
        [
            f"{store.kind}: {found.question}, through {found.through}",
            f"{found.seconds:.2f}",
            f"{found.asking:.2f}",
            f"{found.artifacts:,}",
        ]
        for store in stores
        for found in store.documented
    ]
    return table(["the client", "whole process, s", "asking alone, s", "artifacts"], rows)


def _pages(stores: Sequence[StoreFigures]) -> str:
    rows = [
        [store.kind, f"{store.home.first_seconds:.2f}", f"{store.home.again_seconds:.2f}"]
        for store in stores
    ]
    return table(["the site's first page", "from its start, s", "once more, s"], rows)
