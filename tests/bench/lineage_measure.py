"""Measures every question about lineage on the generated workspace, on SQLite and PostgreSQL."""

import os
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.lineage.address import VARIABLE
from components.lineage.tables import TABLES
from components.records.ledger.ledger import Ledger
from components.records.ledger.records import releases
from pipeline.settings.config import REPOSITORY
from pipeline.settings.provenance import code_sha256
from tests.bench.lineage_figures import (
    MLMD,
    TFX,
    Documented,
    HomePage,
    LineageCommand,
    StoreFigures,
)
from tests.bench.lineage_plan import RUNS, SPAN_CASES, SPANS, WINDOW, planned
from tests.bench.lineage_store import PICTURE
from tests.bench.processes import MeasurementFailed, casegate, environment, python, run_fresh

BUILD = REPOSITORY / "build"
REPEAT = 3
_AGO = 50  # releases between the two that are compared
_START_SECONDS = 60

# A process's largest resident set counts from its parent's size, and this one's is not small.
_SMALL = """\
from tests.bench.processes import run_fresh
command, allowed = {command!r}, {allowed!r}
run_fresh(command, allowed=allowed)
runs = [run_fresh(command, allowed=allowed) for _ in range({repeat})]
print([[run.seconds, run.peak_mib] for run in runs])
"""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Measured:
    """What the page says of the workspace, and the figures of each store."""

    runs: int
    cases: int
    rows: int
    ledger_entries: int
    copy_seconds: float | None
    stores: tuple[StoreFigures, ...]


def measured_lineage(say: Say) -> Measured:
    """Makes the workspace where it is not there for this source, and asks it everything."""
    folder = BUILD / f"lineage-{code_sha256()[:16]}"
    for old in BUILD.glob("lineage-*"):
        if old != folder:
            shutil.rmtree(old)
    root = folder / "workspace"
    run_fresh(python("-m", "tests.bench.lineage_store", "--folder", str(folder)), on_line=say)
    with ExitStack() as stack:
        stores = [store_figures("SQLite", root, say)]
        copied = stack.enter_context(on_postgresql(root, say))
        if copied is not None:
            stores.append(store_figures("PostgreSQL", copied[0], say))
    return Measured(
        runs=RUNS,
        cases=SPANS * SPAN_CASES,
        rows=_rows(root),
        ledger_entries=len(Ledger(root / "ledger.jsonl").entries()),
        copy_seconds=copied[1] if copied else None,
        stores=tuple(stores),
    )


@contextmanager
def on_postgresql(root: Path, say: Say) -> Iterator[tuple[Path, float] | None]:
    """The same workspace with its ML Metadata on a server that is started for it.

    None where no server can be had.
    """
    from tests.servers.databases import PASSWORD
    from tests.servers.postgresql import postgresql_server

    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgresql_server())
        except pytest.skip.Exception as missing:
            say(f"no PostgreSQL: {missing}")
            yield None
            return
        os.environ[VARIABLE] = PASSWORD
        with tempfile.TemporaryDirectory(prefix="lineage-", dir=root.parent) as copy:
            there = Path(copy) / "workspace"
            shutil.copytree(root, there, copy_function=os.link)
            say("copying to PostgreSQL ...")
            address = server.fresh().url
            run = run_fresh(
                casegate("store", "migrate", "--workspace", str(there), "--to", address)
            )
            yield there, run.seconds


def store_figures(kind: str, root: Path, say: Say) -> StoreFigures:
    versions = [release.version for release in releases(Ledger(root / "ledger.jsonl").entries())]
    with tempfile.TemporaryDirectory(prefix="casegate-bench-") as scratch:
        asked = [
            _command(name, arguments, root, say, allowed)
            for name, arguments, allowed in questions(root, versions, Path(scratch))
        ]
    ways = [
        documented(question, through, root, versions[-1], say)
        for through in (TFX, MLMD)
        for question in ("trace", "subgraph", "impact")
    ]
    home = home_page(root)
    say(f"{kind}: first page {home.first_seconds:.2f} s, again {home.again_seconds:.2f} s")
    return StoreFigures(kind, tuple(asked), tuple(ways), home)


def questions(
    root: Path, versions: Sequence[int], scratch: Path
) -> list[tuple[str, list[str], tuple[int, ...]]]:
    """Every command: its name for the page, its arguments, and the exit codes that count."""
    last, earlier = str(versions[-1]), str(versions[-1 - min(_AGO, len(versions) - 1)])
    bundle = str(scratch / "bundle.zip")
    commit = next(run.commit for run in planned() if run.number == RUNS // 2)
    picture = str(root.parent / PICTURE)
    if not Path(picture).exists():  # the copy for a server lies one folder deeper
        picture = str(root.parent.parent / PICTURE)
    count = "SELECT state, count(*) FROM runs GROUP BY state"
    return [
        ("show VERSION", ["show", last], (0,)),
        ("trace VERSION", ["trace", last], (0,)),
        # The copied approval of golden is younger than the runs: rightly found to be out of order.
        ("checks VERSION", ["checks", last], (0, 1)),
        ("diff A B", ["diff", earlier, last], (0,)),
        ("looks CASE_SET", ["looks", "phantom"], (0,)),
        ("impact --case ID", ["impact", "--case", "span-00-case-00001"], (0,)),
        ("impact --image FILE", ["impact", "--image", picture], (0,)),
        ("impact --package NAME==VERSION", ["impact", "--package", "pillow==10.1.0"], (0,)),
        ("impact --commit SHA", ["impact", "--commit", commit], (0,)),
        ("live --at DATETIME", ["live", "--at", "2025-06-01T00:00:00Z"], (0,)),
        ("blocked", ["blocked"], (0,)),
        ("performance VERSION", ["performance", last], (0,)),
        ("independence VERSION", ["independence", last], (0,)),
        ("list", ["list"], (0,)),
        ("list --limit 1000", ["list", "--limit", "1000"], (0,)),
        ("sql QUERY", ["sql", count], (0,)),
        ("verify VERSION", ["verify", last], (0,)),
        ("card VERSION", ["card", last], (0,)),
        ("export VERSION", ["export", last, "--out", bundle], (0,)),
        # Nobody signed it: consistent, and no more than that.
        ("check BUNDLE", ["check", bundle], (0, 3)),
    ]


def _command(
    name: str, arguments: list[str], root: Path, say: Say, allowed: Sequence[int]
) -> LineageCommand:
    where = [] if arguments[0] == "check" else ["--workspace", str(root)]
    command = casegate("lineage", *arguments, *where)
    script = _SMALL.format(command=command, allowed=tuple(allowed), repeat=REPEAT)
    runs = run_fresh(python("-c", script)).last_json()
    times = tuple(seconds for seconds, _ in runs)
    peak_mib = max(peak for _, peak in runs)
    say(f"{name}: {statistics.median(times):.2f} s, {peak_mib:.0f} MiB")
    return LineageCommand(name, times, peak_mib)


def documented(question: str, through: str, root: Path, version: int, say: Say) -> Documented:
    """The question through ML Metadata's client.

    Raises:
      MeasurementFailed: the answer lacks what the question is after.
    """
    options = ["--workspace", str(root), "--through", "tfx" if through == TFX else "mlmd"]
    if question == "impact":
        options += [word for uri in _examples(root) for word in ("--uri", uri)]
    else:
        options += ["--version", str(version)]
    run = run_fresh(python("-m", "tests.bench.lineage_documented", question, *options))
    found: dict[str, Any] = run.last_json()
    if not (found["Examples"] and found["Model"] and found["PushedModel"]):
        raise MeasurementFailed(f"{question} through {through}: found {found}; run it by hand")
    say(f"{question} through {through}: {run.seconds:.2f} s, {found['artifacts']} artifacts")
    return Documented(question, through, run.seconds, found["seconds"], found["artifacts"])


def _examples(root: Path) -> list[str]:
    """The training examples that hold the first span's cases, as somebody would have to know."""
    path = root / "metadata.sqlite"
    if not path.exists():
        path = root.parent.parent / "workspace" / "metadata.sqlite"
    with sqlite3.connect(path) as connection:
        found = connection.execute(
            "SELECT a.uri FROM Artifact a JOIN Type t ON t.id = a.type_id AND t.name = 'Examples' "
            "WHERE a.uri LIKE '%/TrainingCases/examples/%' ORDER BY a.id"
        ).fetchall()
    return [uri for (uri,) in found[:WINDOW]]


def home_page(root: Path) -> HomePage:
    """`casegate audit serve`, from the start of its process."""
    command = casegate("audit", "serve", "--port", "0", "--workspace", str(root))
    begun = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, env=environment()
    ) as process:
        try:
            address = next((line for line in process.stdout or () if "http://" in line), None)
            if address is None:
                raise MeasurementFailed("casegate audit serve: said no address; run it by hand")
            first = _fetched(address.strip()) - begun
            again = time.monotonic()
            return HomePage(first, _fetched(address.strip()) - again)
        finally:
            process.terminate()


def _fetched(address: str) -> float:
    """When the page had come."""
    with urllib.request.urlopen(address, timeout=_START_SECONDS) as answer:
        if b"</html>" not in answer.read():
            raise MeasurementFailed(f"{address}: is no page; run it by hand")
    return time.monotonic()


def _rows(root: Path) -> int:
    with sqlite3.connect(root / "metadata.sqlite") as connection:
        return sum(connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in TABLES)
