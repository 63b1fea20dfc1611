"""The page of figures, docs/benchmarks.md: prose from a template, every number from a run."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from string import Template

from tests.bench.figures import (
    DataFigures,
    Figures,
    GateCommand,
    Judging,
    Setting,
    Target,
    targets,
)
from tests.bench.lineage_figures import LineageFigures

TEMPLATE = Path(__file__).with_name("benchmarks.md.template")
BUSY = 0.5  # processes running or waiting before the start; above it times are another's too


def render(figures: Figures) -> str:
    """The page as Markdown."""
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        setting=_setting(figures),
        targets=targets_table(targets(figures)),
        starting=_starting(figures),
        whole=_whole(figures.data),
        components=_components(figures.data),
        judging=_judging(figures.judging),
        gate=_gate(figures.gate),
    )


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, texts: int = 1) -> str:
    """A Markdown table; columns after the first `texts` are aligned to the right."""
    rule = ["---" if place < texts else "---:" for place in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median, with the extremes where there is more than one value."""
    middle = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _setting(figures: Figures) -> str:
    repeat = "once" if figures.repeat == 1 else f"{figures.repeat} times"
    return (
        f"{machine_lines(figures)}\n"
        f"- Whole runs were measured {repeat}, starting {len(figures.import_seconds)} times; "
        "several values stand as median (least to most)."
        + ("" if len(figures.data) > 1 else "\n- PneumoniaMNIST was not at hand.")
    )


def machine_lines(figures: Figures | LineageFigures | Setting) -> str:
    """Where and when it was measured, and on which versions, as a Markdown list."""
    versions = ", ".join(f"{name} {version}" for name, version in figures.versions.items())
    busy = " **The machine was busy: the figures are unreliable.**" if figures.load > BUSY else ""
    return (
        f"- Machine: {figures.machine}, {figures.cores} cores; load before the start "
        f"{figures.load:.1f}.{busy}\n"
        f"- Date: {figures.date}\n"
        f"- Versions: {versions}"
    )


def targets_table(found: Sequence[Target]) -> str:
    words = {True: "**met**", False: "**missed**", None: "not measured"}
    rows = [
        [
            target.name,
            "" if target.got is None else f"{target.got:.2f}{target.unit}",
            f"<= {target.limit:g}{target.unit}",
            words[target.met],
            target.reckoning,
        ]
        for target in found
    ]
    return table(["what", "measured", "target", "", "from"], rows)


def _starting(figures: Figures) -> str:
    rows = [
        [name, *(f"{pick(values):.2f}" for pick in (min, statistics.median, max))]
        for name, values in (
            ("`casegate --help`", figures.help_seconds),
            ("the cheapest import of TFX", figures.import_seconds),
            ("- without BigQuery's client", figures.without_bigquery_seconds),
            ("`import tfx.v1`", figures.public_import_seconds),
        )
    ]
    return table(["seconds", "min", "median", "max"], rows)


def _whole(data: Sequence[DataFigures]) -> str:
    rows = []
    for source in data:
        runs, plain, stock = source.casegate, source.plain, source.stock
        pushed = "pushed" if all(run.pushed for run in stock) else "not pushed"
        judged = f"{'/'.join(sorted({run.verdict for run in runs}))} on {runs[0].cases} cases"
        rows += [
            [source.name, "casegate", spread([run.seconds for run in runs]), judged],
            ["", "- epochs", "/".join(str(run.epochs or "?") for run in runs), ""],
            ["", "unchanged", spread([run.unchanged_seconds for run in runs], 2), ""],
            ["", "plain Keras", spread([run.seconds for run in plain]), ""],
            ["", "- of which fit", spread([run.fit_seconds for run in plain]), ""],
            ["", "- epochs", "/".join(str(run.epochs) for run in plain), ""],
            ["", "stock TFX", spread([run.seconds for run in stock]), pushed],
            ["", "- records", spread([run.records_seconds for run in stock]), "not in the above"],
        ]
    return table(["data", "what", "seconds", "outcome"], rows, texts=2)


def _components(data: Sequence[DataFigures]) -> str:
    names = [line.name for source in data for line in source.casegate[0].components]
    rows = [
        [name, *(_component_seconds(source, name) for source in data)]
        for name in dict.fromkeys(names)
    ]
    whole = [spread([run.seconds for run in source.casegate]) for source in data]
    return table(["component", *(source.name for source in data)], [*rows, ["whole run", *whole]])


def _component_seconds(source: DataFigures, name: str) -> str:
    times = [
        line.seconds for run in source.casegate for line in run.components if line.name == name
    ]
    return spread(times) if times else ""


def _judging(judgings: Sequence[Judging]) -> str:
    rows = []
    for found in judgings:
        for judge, seconds in (
            ("the model's own graph", found.graph_seconds),
            ("- `serve_examples` alone", found.examples_seconds),
            ("casegate: scoring", found.scoring_seconds),
            ("casegate: scoring and the whole gate", found.gate_seconds),
            ("TFMA's evaluator", found.tfma_seconds),
        ):
            rate = f"{found.cases / seconds:,.0f}"
            times = f"{found.tfma_seconds / seconds:.1f}"
            rows.append([f"{found.cases:,}", judge, f"{seconds:.1f}", rate, times])
    head = ["cases", "judge", "seconds", "cases/s", "times TFMA's"]
    return table(head, rows, texts=2)


def _gate(commands: Sequence[GateCommand]) -> str:
    rows = [
        [f"{found.cases:,}", spread(found.seconds, 2), f"{found.peak_mib:,.0f}"]
        for found in commands
    ]
    return table(["cases", "seconds", "peak MiB"], rows, texts=0)
