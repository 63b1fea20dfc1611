"""What more workers gain, and what more cases take of memory."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np

from components.cases.images import decode
from components.phantom.source import PhantomSource
from pipeline.run.workers import start_pool
from tests.bench.figures import Setting, component_times
from tests.bench.page import machine_lines, table
from tests.bench.processes import casegate, run_fresh
from tests.e2e.processes import job_server

TEMPLATE = Path(__file__).with_name("growth.md.template")
# Released, failed, inconclusive: the run went through the whole graph in each case.
JUDGED = (0, 1, 3)
COMPONENTS = ("TrainingCases", "CaseSet", "CandidateScorer", "Evaluator")
WORKERS = (1, 2)
SEED = 99
MEMORY_RATIO = 1.5  # ten times the cases over once

Say = Callable[[str], None]


@dataclass(frozen=True)
class Spread:
    """Seconds of each component; no workers are the run's own process."""

    workers: int
    seconds: dict[str, float]


@dataclass(frozen=True)
class Peak:
    """The largest resident set of the process of a run on so many phantom cases."""

    cases: int
    mib: float
    seconds: float


@dataclass(frozen=True)
class Growth:
    """Attributes:
    cases: of training, and as many of the case set.
    """

    cases: int
    spreads: tuple[Spread, ...]
    peaks: tuple[Peak, ...]


def measured_growth(cases: int, peaks: Sequence[int], say: Say) -> Growth:
    """The same run with and without workers, then runs on more and more cases."""
    with tempfile.TemporaryDirectory(prefix="casegate-bench-") as name:
        data = Path(name) / "grown.npz"
        draw(data, cases)
        spreads = []
        for workers in (0, *WORKERS):
            say(f"{cases:,} cases of each split, {workers} workers ...")
            spreads.append(_spread(data, Path(name) / str(workers), workers))
    return Growth(cases, tuple(spreads), tuple(_peak(count, say) for count in peaks))


def draw(path: Path, cases: int) -> None:
    """Phantom pictures as a file of arrays, with a case set as large as the training data."""
    splits = {"train": cases, "val": max(100, cases // 10), "test": cases}
    arrays: dict[str, np.ndarray] = {}
    source = PhantomSource.parse(f"phantom:n={2 * sum(splits.values())},seed={SEED}")
    drawn = (case for shard in source.shards("train") for case in source.read(shard))
    for split, count in splits.items():
        taken = [next(drawn) for _ in range(count)]
        arrays[f"{split}_images"] = np.stack([decode(case.image) for case in taken])
        arrays[f"{split}_labels"] = np.array([[case.label] for case in taken], np.uint8)
    np.savez(path, **arrays)


def _spread(data: Path, workspace: Path, workers: int) -> Spread:
    with _engine(workspace.with_suffix(".pool"), workers) as settings:
        command = casegate(
            *("run", "--data", str(data), "--workspace", str(workspace), "--format", "json"),
            *("--set", "model.epochs=1", *settings),
        )
        finished = run_fresh(command, allowed=JUDGED)
    times = {line.name: line.seconds for line in component_times(finished.stderr)}
    return Spread(workers, {name: times[name] for name in COMPONENTS})


@contextmanager
def _engine(folder: Path, workers: int) -> Iterator[tuple[str, ...]]:
    """The settings of a run whose work is done by so many workers beside it."""
    if workers == 0:
        yield ()
        return
    folder.mkdir()
    pool, server, address = start_pool("127.0.0.1:0")
    try:
        with job_server(folder) as endpoint:
            settings = (
                "beam.engine=portable",
                f'beam.job_endpoint="{endpoint}"',
                "beam.environment=pool",
                f'beam.worker_pool="{address}"',
                "beam.score_from_cases=1",
                f'beam.pipeline_args=["--direct_num_workers={workers}"]',
            )
            yield tuple(part for setting in settings for part in ("--set", setting))
    finally:
        pool.stop()
        server.stop(0)


def _peak(cases: int, say: Say) -> Peak:
    say(f"memory, {cases:,} cases ...")
    with tempfile.TemporaryDirectory(prefix="casegate-bench-") as folder:
        command = casegate(
            *("run", "--data", f"phantom:n={cases}", "--set", "model.epochs=1"),
            *("--workspace", f"{folder}/workspace", "--format", "json"),
        )
        finished = run_fresh(command, allowed=JUDGED)
    say(f"  {finished.peak_mib:.0f} MiB, {finished.seconds:.0f} s")
    return Peak(cases, finished.peak_mib, finished.seconds)


def section(growth: Growth, setting: Setting) -> str:
    """The section, its heading included."""
    by_workers = {one.workers: one.seconds for one in growth.spreads}
    one, two = (by_workers[workers] for workers in WORKERS)
    rates = [
        [
            name,
            *(f"{growth.cases / times[name]:,.0f}" for times in by_workers.values()),
            f"{one[name] / two[name]:.2f} x",
        ]
        for name in COMPONENTS
    ]
    first, second, *_ = growth.peaks
    held = "**met**" if second.mib <= MEMORY_RATIO * first.mib else "**missed**"
    memory = [
        [
            f"{peak.cases:,}",
            f"{peak.mib:,.0f}",
            f"{peak.mib / first.mib:.2f} x",
            f"{(peak.mib - first.mib) * 2**20 / (peak.cases - first.cases):,.0f}"
            if peak is not first
            else "",
            f"{peak.seconds:,.0f}",
        ]
        for peak in growth.peaks
    ]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        setting=machine_lines(setting),
        cases=f"{growth.cases:,}",
        target=f"{second.cases:,} cases over {first.cases:,}, at most {MEMORY_RATIO:g}: {held}",
        rates=table(["cases/s", "own process", "1 worker", "2 workers", "two over one"], rates),
        memory=table(
            ["cases", "peak MiB", "over the first", "bytes a case more", "seconds"],
            memory,
            texts=0,
        ),
    )
