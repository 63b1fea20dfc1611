"""One function per figure: starts the processes, and says what it is doing while they run."""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.bench.figures import (
    CasegateRun,
    DataFigures,
    GateCommand,
    Judging,
    PlainRun,
    StockRun,
    component_times,
)
from tests.bench.processes import Finished, MeasurementFailed, casegate, python, run_fresh

# Released, failed, inconclusive: the run went through the whole graph in each case.
JUDGED = (0, 1, 3)

# What a graph of TFX's own components needs, from the modules that define it.
CHEAPEST_IMPORT = (
    "import tfx.components.evaluator.component, tfx.components.example_validator.component, "
    "tfx.components.pusher.component, tfx.components.schema_gen.import_schema_gen.component, "
    "tfx.components.statistics_gen.component, tfx.components.trainer.component, "
    "tfx.components.transform.component, tfx.orchestration.beam.beam_dag_runner"
)

Run = TypeVar("Run")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def help_seconds(repeat: int) -> tuple[float, ...]:
    """Wall times of `casegate --help`, each in a fresh process."""
    return _warm_then_timed(casegate("--help"), repeat, "casegate --help")


def import_seconds(repeat: int) -> tuple[tuple[float, ...], ...]:
    """Wall times of three imports, each in a fresh process, in turns.

    The cheapest that TFX allows; the same where BigQuery's client cannot be imported; `tfx.v1`.
    """
    hidden = f"import sys; sys.modules['google.cloud.bigquery'] = None; {CHEAPEST_IMPORT}"
    commands = [python("-c", code) for code in (CHEAPEST_IMPORT, hidden, "import tfx.v1")]
    for command in commands:
        run_fresh(command)  # writes the byte code where it is missing
    rounds = [[run_fresh(command).seconds for command in commands] for _ in range(repeat)]
    times = tuple(zip(*rounds, strict=True))
    medians = ", ".join(f"{statistics.median(found):.2f} s" for found in times)
    say(f"imports of TFX: {medians}, medians of {repeat}")
    return times


def data_figures(data: str, repeat: int) -> DataFigures:
    """The pipeline, plain Keras and stock TFX on one data source."""
    name = Path(data).name
    return DataFigures(
        name=name,
        casegate=_repeated(lambda: casegate_run(data), repeat, f"casegate run, {name}"),
        plain=_repeated(lambda: plain_run(data), repeat, f"plain Keras, {name}"),
        stock=_repeated(lambda: stock_run(data), repeat, f"stock TFX, {name}"),
    )


def casegate_run(data: str) -> CasegateRun:
    """The first run in a new workspace, and an unchanged second one.

    Raises:
      MeasurementFailed: the second one was not served from what the first left.
    """
    with _folder() as folder:
        command = casegate(
            "run", "--data", data, "--workspace", str(folder / "workspace"), "--format", "json"
        )
        first = run_fresh(command, allowed=JUDGED, on_line=_echo)
        again = run_fresh(command, allowed=JUDGED)
    outcome = _outcome(first.stdout)
    if not _outcome(again.stdout)["served_from_cache"]:
        raise MeasurementFailed(
            f"casegate run --data {Path(data).name}: the second run started over, wanted an "
            "unchanged one; was the source edited meanwhile? Then measure again"
        )
    return CasegateRun(
        seconds=first.seconds,
        unchanged_seconds=again.seconds,
        peak_mib=first.peak_mib,
        components=component_times(first.stderr),
        verdict=outcome["verdict"],
        cases=outcome["decision"]["case_set"]["cases"],
    )


def plain_run(data: str) -> PlainRun:
    """Plain Keras, from the start of its process to the predictions on the case set."""
    started = str(time.monotonic())
    command = python("-m", "tests.bench.plain_keras", "--data", data, "--started", started)
    return PlainRun(**run_fresh(command).last_json())


def stock_run(data: str) -> StockRun:
    """The graph from TFX's own components, after the records it reads were written."""
    with _folder() as folder:
        common = ["--data", data, "--folder", str(folder)]
        records = run_fresh(python("-m", "tests.bench.stock_tfx", "records", *common))
        graph = run_fresh(python("-m", "tests.bench.stock_tfx", "run", *common))
    return StockRun(
        seconds=graph.seconds,
        records_seconds=records.seconds,
        pushed=graph.last_json()["pushed"],
    )


def judgings(cases: Sequence[int]) -> tuple[Judging, ...]:
    """Both judges on so many phantom cases each, of a model that was trained for one epoch."""
    with _folder() as folder:
        say("a model to judge ...")
        workspace = folder / "workspace"
        options = ["--set", "model.epochs=1", "--workspace", str(workspace)]
        run_fresh(casegate("run", "--data", "phantom", *options), allowed=JUDGED)
        (model,) = workspace.glob("artifacts/Trainer/model/*/Format-Serving")
        return tuple(_judging(n, model, folder / str(n)) for n in cases)


def _judging(cases: int, model: Path, folder: Path) -> Judging:
    def step(name: str, *options: str) -> Finished:
        command = python("-m", "tests.bench.judging", name, "--folder", str(folder), *options)
        return run_fresh(command)

    folder.mkdir()
    step("records", "--cases", str(cases))
    names = ("gate", "graph", "tfma")
    gate, graph, tfma = (step(name, "--model", str(model)).last_json() for name in names)
    for found in (gate, graph, tfma):
        if found["cases"] != cases:
            raise MeasurementFailed(
                f"judged {found['cases']} cases, wanted {cases}; run it by hand"
            )
    say(f"judging {cases}: gate {gate['seconds']:.1f} s, TFMA {tfma['seconds']:.1f} s")
    return Judging(
        cases,
        gate_seconds=gate["seconds"],
        scoring_seconds=gate["scoring_seconds"],
        tfma_seconds=tfma["seconds"],
        graph_seconds=graph["seconds"],
        examples_seconds=graph["examples_seconds"],
        scoring_mib=gate["scoring_mib"],
    )


def gate_command(cases: int, repeat: int) -> GateCommand:
    """`casegate gate` on score files of three models, in fresh processes."""
    with _folder() as folder:
        options = ["--cases", str(cases), "--folder", str(folder)]
        run_fresh(python("-m", "tests.bench.score_files", *options))
        command = casegate(
            *("gate", "--case-set", str(folder / "case_set.json"), "--operating-point", "0.5"),
            *("--policy", str(folder / "policy.yaml"), "--format", "json"),
            *("--output", str(folder / "decision.json")),
            *(
                part
                for name in ("candidate", "champion", "golden")
                for part in (f"--{name}", str(folder / f"{name}.parquet"))
            ),
        )
        runs = [run_fresh(command, allowed=JUDGED) for _ in range(repeat)]
    times = tuple(run.seconds for run in runs)
    say(f"casegate gate, {cases} cases: {statistics.median(times):.2f} s, median of {repeat}")
    return GateCommand(cases, times, max(run.peak_mib for run in runs))


def _warm_then_timed(command: list[str], repeat: int, name: str) -> tuple[float, ...]:
    run_fresh(command)  # writes the byte code where it is missing
    times = tuple(run_fresh(command).seconds for _ in range(repeat))
    say(f"{name}: {statistics.median(times):.2f} s, median of {repeat}")
    return times


def _repeated(measured: Callable[[], Run], repeat: int, name: str) -> tuple[Run, ...]:
    runs = []
    for number in range(repeat):
        say(f"{name}, {number + 1} of {repeat} ...")
        runs.append(measured())
        say(f"  {runs[-1].seconds:.1f} s")  # type: ignore[attr-defined]
    return tuple(runs)


def _echo(line: str) -> None:
    if component_times([line]):
        say(f"  {line}")


def _outcome(stdout: str) -> dict:
    return json.loads(stdout)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="casegate-bench-") as folder:
        yield Path(folder)
