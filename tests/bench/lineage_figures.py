"""What was measured of the questions about lineage, and how it stands against the targets."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.figures import Target

COMMAND_SECONDS = 2.0
TIMES_FASTER = 10.0
TFX, MLMD = "TFX", "ML Metadata"
# Questions of the documented way -> the command that answers as much and more.
COUNTERPARTS = {"trace": "trace VERSION", "impact": "impact --case ID"}


@dataclass(frozen=True)
class LineageCommand:
    """Whole processes of one command.

    Attributes:
      name: as a person would type it, with what differs in capitals.
    """

    name: str
    seconds: tuple[float, ...]
    peak_mib: float


@dataclass(frozen=True)
class Documented:
    """The same question through ML Metadata's client.

    Attributes:
      question: trace, impact, or subgraph, which is trace in one call.
      through: TFX or ML Metadata, by which the store was opened.
      seconds: the whole process; `asking` is the part after the store was open.
      artifacts: how many the answer holds.
    """

    question: str
    through: str
    seconds: float
    asking: float
    artifacts: int


@dataclass(frozen=True)
class HomePage:
    """The audit site: from the start of its process to its first page, and the page once more."""

    first_seconds: float
    again_seconds: float


@dataclass(frozen=True)
class StoreFigures:
    """Everything on one kind of database."""

    kind: str
    commands: tuple[LineageCommand, ...]
    documented: tuple[Documented, ...]
    home: HomePage


@dataclass(frozen=True)
class LineageFigures:
    """Attributes:
    rows: in all tables of ML Metadata.
    copy_seconds: what `casegate store migrate` does, to PostgreSQL; None where there was no server.
    stores: SQLite, and PostgreSQL where there was a server.
    """

    machine: str
    cores: int
    load: float
    date: str
    versions: dict[str, str]
    runs: int
    cases: int
    rows: int
    ledger_entries: int
    copy_seconds: float | None
    stores: tuple[StoreFigures, ...]


def lineage_targets(figures: LineageFigures) -> list[Target]:
    """The slowest command of each store, and how often faster two of them are than the client."""
    found = []
    for store in figures.stores:
        slowest = max(store.commands, key=lambda command: statistics.median(command.seconds))
        found.append(
            Target(
                f"{store.kind}: the slowest command",
                " s",
                statistics.median(slowest.seconds),
                COMMAND_SECONDS,
                f"`{slowest.name}`, median",
            )
        )
        found += [
            _faster(store, question, through)
            for question in COUNTERPARTS
            for through in (TFX, MLMD)
        ]
    return found


def _faster(store: StoreFigures, question: str, through: str) -> Target:
    """As the command's time over the other's, because targets are upper limits."""
    ours = statistics.median(command_of(store.commands, COUNTERPARTS[question]).seconds)
    (theirs,) = (
        found.seconds
        for found in store.documented
        if (found.question, found.through) == (question, through)
    )
    return Target(
        f"{store.kind}: `{COUNTERPARTS[question]}` over the client opened through {through}",
        " x",
        ours / theirs,
        1 / TIMES_FASTER,
        f"{ours:.2f} s / {theirs:.2f} s",
    )


def command_of(commands: Sequence[LineageCommand], name: str) -> LineageCommand:
    (found,) = (command for command in commands if command.name == name)
    return found
