"""What was measured, and how it stands against the targets."""

import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

# As the command prints them where standard error is not a terminal.
_LINE = re.compile(
    r"^(?P<name>\S.*?)\s+(?P<seconds>\d+\.\d) s  (?P<state>done|cached|failed)\b *(?P<detail>.*)$"
)
_EPOCH = re.compile(r"\bepoch (\d+)/\d+")

HELP_SECONDS = 0.5
WHOLE_RUN_RATIO = 1.5
STOCK_RATIO = 1.0
UNCHANGED_RATIO = 0.25
SCORING_RATIO = 1.25  # eight tenths of the cases a second of the model's own graph
SCORING_MEMORY_RATIO = 1.25
GATE_CASES, GATE_SECONDS = 1000, 1.0


@dataclass(frozen=True)
class Setting:
    """Where and when something was measured, and on which versions."""

    machine: str
    cores: int
    load: float
    date: str
    versions: dict[str, str]


@dataclass(frozen=True)
class ComponentTime:
    """One line of progress; `seconds` is given to a tenth."""

    name: str
    seconds: float
    state: str
    detail: str


@dataclass(frozen=True)
class CasegateRun:
    """Attributes:
    seconds, unchanged_seconds: whole processes: the first run, and the same again.
    cases: how many the case set has.
    """

    seconds: float
    unchanged_seconds: float
    peak_mib: float
    components: tuple[ComponentTime, ...]
    verdict: str
    cases: int

    @property
    def epochs(self) -> int | None:
        """How many the Trainer went through; None where its line does not say."""
        for line in self.components:
            found = _EPOCH.search(line.detail)
            if line.name == "Trainer" and found:
                return int(found.group(1))
        return None


@dataclass(frozen=True)
class PlainRun:
    """Attributes:
    seconds: from the start of the process until the case set was predicted.
    """

    seconds: float
    fit_seconds: float
    epochs: int


@dataclass(frozen=True)
class StockRun:
    """Attributes:
    seconds: the whole process.
    records_seconds: the process before it, which wrote the records it read.
    """

    seconds: float
    records_seconds: float
    pushed: bool


@dataclass(frozen=True)
class DataFigures:
    """The runs on one data source, as many of each kind as were asked for."""

    name: str
    casegate: tuple[CasegateRun, ...]
    plain: tuple[PlainRun, ...]
    stock: tuple[StockRun, ...]


@dataclass(frozen=True)
class Judging:
    """Two judges of one SavedModel on the same cases, without importing their libraries.

    Attributes:
      gate_seconds: to score every case and to decide; `scoring_seconds` is the part before.
      scoring_mib: the largest resident set up to there, the serving process included.
      graph_seconds: the model's own graph alone, batch by batch on records in memory, in both
        signatures, as scoring asks it; `examples_seconds` is the part in `serve_examples`.
      tfma_seconds: TFMA's analysis with the floors of the same policy on the same slices.
    """

    cases: int
    gate_seconds: float
    scoring_seconds: float
    tfma_seconds: float
    graph_seconds: float
    examples_seconds: float
    scoring_mib: float


@dataclass(frozen=True)
class GateCommand:
    """`casegate gate` on three Parquet files and twenty slices, the whole processes."""

    cases: int
    seconds: tuple[float, ...]
    peak_mib: float


@dataclass(frozen=True)
class Figures:
    """Everything one invocation measured.

    Attributes:
      load: how busy the machine was before the start: processes running or waiting.
      import_seconds: the cheapest import that TFX allows, of the components' own modules.
      public_import_seconds: the import of `tfx.v1`.
      without_bigquery_seconds: the cheapest one where BigQuery's client were not installed.
    """

    machine: str
    cores: int
    load: float
    date: str
    versions: dict[str, str]
    repeat: int
    help_seconds: tuple[float, ...]
    import_seconds: tuple[float, ...]
    public_import_seconds: tuple[float, ...]
    without_bigquery_seconds: tuple[float, ...]
    data: tuple[DataFigures, ...]
    judging: tuple[Judging, ...]
    gate: tuple[GateCommand, ...]


@dataclass(frozen=True)
class Target:
    """A figure, what it should stay below, and how it came about; `got` is None if not measured."""

    name: str
    unit: str
    got: float | None
    limit: float
    reckoning: str

    @property
    def met(self) -> bool | None:
        return None if self.got is None else self.got <= self.limit


def component_times(lines: Iterable[str]) -> tuple[ComponentTime, ...]:
    """The components among lines of progress; other lines are left out."""
    found = (_LINE.match(line) for line in lines)
    return tuple(
        ComponentTime(
            match["name"], float(match["seconds"]), match["state"], match["detail"].strip()
        )
        for match in found
        if match
    )


def median_of(runs: Sequence, seconds: Callable[..., float]) -> float:
    return statistics.median(seconds(run) for run in runs)


def targets(figures: Figures) -> list[Target]:
    """Every target, in the order of the page."""
    helped = statistics.median(figures.help_seconds)
    imported = statistics.median(figures.import_seconds)
    found = [Target("`casegate --help`", " s", helped, HELP_SECONDS, "median")]
    for data in figures.data:
        first = median_of(data.casegate, lambda run: run.seconds)
        again = median_of(data.casegate, lambda run: run.unchanged_seconds)
        plain = median_of(data.plain, lambda run: run.seconds)
        stock = median_of(data.stock, lambda run: run.seconds)
        found += [
            Target(
                f"{data.name}: whole run over plain Keras and the cheapest import of TFX",
                " x",
                first / (plain + imported),
                WHOLE_RUN_RATIO,
                f"{first:.1f} s / ({plain:.1f} s + {imported:.1f} s)",
            ),
            Target(
                f"{data.name}: whole run over stock TFX",
                " x",
                first / stock,
                STOCK_RATIO,
                f"{first:.1f} s / {stock:.1f} s",
            ),
            Target(
                f"{data.name}: unchanged second run over the first",
                " x",
                again / first,
                UNCHANGED_RATIO,
                f"{again:.2f} s / {first:.1f} s",
            ),
        ]
    found += [_judging_target(judging) for judging in figures.judging]
    found += [
        Target(
            f"`casegate gate` on {gate.cases:,} cases",
            " s",
            statistics.median(gate.seconds),
            GATE_SECONDS,
            "median",
        )
        for gate in figures.gate
        if gate.cases <= GATE_CASES
    ]
    return [*found, *_scoring_memory(figures.judging)]


def _judging_target(judging: Judging) -> Target:
    return Target(
        f"{judging.cases:,} cases: scoring over the model's own graph",
        " x",
        judging.scoring_seconds / judging.graph_seconds,
        SCORING_RATIO,
        f"{judging.scoring_seconds:.1f} s / {judging.graph_seconds:.1f} s",
    )


def _scoring_memory(judgings: Sequence[Judging]) -> list[Target]:
    if len(judgings) < 2:
        return []
    small, *_, large = sorted(judgings, key=lambda judging: judging.cases)
    return [
        Target(
            f"peak memory of scoring, {large.cases:,} cases over {small.cases:,}",
            " x",
            large.scoring_mib / small.scoring_mib,
            SCORING_MEMORY_RATIO,
            f"{large.scoring_mib:.0f} MiB / {small.scoring_mib:.0f} MiB",
        )
    ]
