"""Measures what casegate costs and prints the page; `--write` makes it docs/benchmarks.md.

`--quick` measures all but the lineage section at small sizes, to see that it can be measured.

Progress goes to standard error, the page to standard output.
"""

import argparse
import os
import sys
from collections.abc import Set
from datetime import datetime, timezone
from pathlib import Path

from components.records.errors import CasegateError
from components.records.export import KINDS, TFLITE_FLOAT, TFLITE_INT8
from pipeline.settings.config import REPOSITORY
from pipeline.settings.provenance import code_sha256, environment
from tests.bench import measure
from tests.bench.figures import Figures, Setting
from tests.bench.lineage_figures import LineageFigures
from tests.bench.lineage_page import section, with_section
from tests.bench.page import render
from tests.bench.processes import use_cores
from tests.conftest import BESIDE_THE_CHECKOUT

PAGE = REPOSITORY / "docs" / "benchmarks.md"
CORES = 2
STARTS = 5
JUDGED_CASES = (20_000, 100_000)
GATE_CASES = ((1000, 5), (1_000_000, 1))  # cases, and how often
STORE_RUNS = (10, 300, 1000)
GROWTH = (20_000, (10_000, 100_000, 1_000_000))  # cases by workers, and for memory
INTAKE = (16, (10_000, 100_000), 2000)  # pictures of each kind, files of a folder, JPEG files
SCALING, QUICK_SCALING = (8192, 6), (256, 2)  # images, epochs
SERVING = (((64, 12_800), (1024, 640)), 100_000, 100)  # sides and images, requests, swaps
QUICK_SERVING = (((64, 640),), 1000, 2)
QUICK_INTAKE = (8, (20, 40), 40)
QUICK_DATA = ["phantom:n=400"]
QUICK_GROWTH = (300, (400, 800))
QUICK_JUDGED, QUICK_GATE, QUICK_STORE = (500, 1000), ((1000, 1), (10_000, 1)), (2, 10)
SECTIONS = {
    "lineage": "## Lineage",
    "use": "## In use",
    "store": "## The store",
    "growth": "## Growth",
    "intake": "## Intake",
    "training": "## Training",
    "serving": "## Serving",
    "exports": "## Exports",
}
PARTS = ("starting", "runs", "judging", "gate")
VERSIONS = ("python", "tensorflow", "keras", "tfx", "apache-beam", "numpy", "casegate")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.run", description=__doc__)
    parser.add_argument("--write", action="store_true", help="render docs/benchmarks.md")
    parser.add_argument("--repeat", type=_positive, default=1, metavar="N", help="of whole runs")
    parser.add_argument(
        "--only",
        choices=["first", *SECTIONS, *PARTS],
        help="one section, and the others stay; or one part of the first, which is not written",
    )
    parser.add_argument("--quick", action="store_true", help="at small sizes; is not written")
    arguments = parser.parse_args()
    only, quick = arguments.only, arguments.quick
    if arguments.write and (quick or only in PARTS):
        parser.error("--write: got part of the figures, wanted all of one invocation or a section")
    try:
        if only in SECTIONS:
            page = PAGE.read_text(encoding="utf-8") if PAGE.exists() and not quick else ""
        else:
            parts = {only} & {*PARTS} or {*PARTS}
            page = render(measured(arguments.repeat, parts, quick=quick))
        if only == "first":
            page = with_sections_of(PAGE.read_text(encoding="utf-8"), page)
        if only == "lineage" or not (only or quick):
            page = with_section(page, section(measured_lineage()))
        if only in (None, "use"):
            page = with_section(page, measured_use_section(quick=quick))
        if only in (None, "store"):
            page = with_section(page, measured_store_section(quick=quick))
        if only == "growth" or (quick and only is None):
            page = with_section(page, measured_growth_section(quick=quick))
        if only == "intake" or (quick and only is None):
            page = with_section(page, measured_intake_section(quick=quick))
        if only == "training" or (quick and only is None):
            page = with_section(page, measured_training_section(quick=quick))
        if only == "serving" or (quick and only is None):
            page = with_section(page, measured_serving_section(quick=quick))
        if only == "exports" or (quick and only is None):
            page = with_section(page, measured_exports_section(quick=quick))
    except CasegateError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(page, end="")
    if arguments.write:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")
        measure.say(f"written: {PAGE.relative_to(REPOSITORY)}")


def with_sections_of(before: str, page: str) -> str:
    """The page with what another one has from the first heading of SECTIONS on."""
    places = [before.find(f"\n{heading}\n") for heading in SECTIONS.values()]
    found = [place for place in places if place >= 0]
    return page + before[min(found) :] if found else page


def measured(repeat: int, parts: Set[str], *, quick: bool = False) -> Figures:
    """The figures of these parts, one after the other, on the same cores; starting is in each."""
    load = os.getloadavg()[0]
    cores = use_cores(CORES)
    measure.say(f"{cpu_model()}, {cores} cores, load {load:.1f}")
    starts = 1 if quick else max(STARTS, repeat)
    cheapest, without_bigquery, public = measure.import_seconds(starts)
    judged, gate = (QUICK_JUDGED, QUICK_GATE) if quick else (JUDGED_CASES, GATE_CASES)
    data = QUICK_DATA if quick else sources()
    return Figures(
        machine=cpu_model(),
        cores=cores,
        load=load,
        date=datetime.now(timezone.utc).date().isoformat(),
        versions=versions(),
        repeat=repeat,
        help_seconds=measure.help_seconds(starts),
        import_seconds=cheapest,
        public_import_seconds=public,
        without_bigquery_seconds=without_bigquery,
        data=tuple(measure.data_figures(each, repeat) for each in data if "runs" in parts),
        judging=measure.judgings(judged) if "judging" in parts else (),
        gate=tuple(measure.gate_command(n, times) for n, times in gate if "gate" in parts),
    )


def measured_lineage() -> LineageFigures:
    """The figures of the lineage section, on the same cores."""
    from tests.bench.lineage_measure import measured_lineage as measured_all

    load = os.getloadavg()[0]
    cores = use_cores(CORES)
    found = measured_all(measure.say)
    return LineageFigures(
        machine=cpu_model(),
        cores=cores,
        load=load,
        date=datetime.now(timezone.utc).date().isoformat(),
        versions=versions(),
        **vars(found),
    )


def measured_use_section(*, quick: bool = False) -> str:
    """The section on what a commit and a server wait for, on the same cores."""
    from tests.bench.use_measure import STARTS as USE_STARTS
    from tests.bench.use_measure import measured_use
    from tests.bench.use_page import section as use_section

    setting = _setting()
    return use_section(measured_use(measure.say, starts=1 if quick else USE_STARTS), setting)


def measured_store_section(*, quick: bool = False) -> str:
    """The section on what a run asks ML Metadata, on the same cores."""
    from tests.bench.store_measure import measured_store
    from tests.bench.store_measure import section as store_section

    setting = _setting()
    return store_section(measured_store(QUICK_STORE if quick else STORE_RUNS, measure.say), setting)


def measured_growth_section(*, quick: bool = False) -> str:
    """The section on more workers and more cases, on the same cores."""
    from tests.bench.growth_measure import measured_growth
    from tests.bench.growth_measure import section as growth_section

    setting = _setting()
    cases, peaks = QUICK_GROWTH if quick else GROWTH
    return growth_section(measured_growth(cases, peaks, measure.say), setting)


def measured_intake_section(*, quick: bool = False) -> str:
    """The section on reading pictures, on the same cores."""
    from tests.bench.intake_measure import measured_intake
    from tests.bench.intake_measure import section as intake_section

    setting = _setting()
    sizes = QUICK_INTAKE if quick else INTAKE
    return intake_section(measured_intake(*sizes, measure.say), setting)


def measured_training_section(*, quick: bool = False) -> str:
    """The section on images per second of training, on the same cores."""
    from tests.bench.scaling_measure import measured_scaling
    from tests.bench.scaling_measure import section as scaling_section

    setting = _setting()
    images, epochs = QUICK_SCALING if quick else SCALING
    return scaling_section(measured_scaling(images, epochs, measure.say), setting)


def measured_serving_section(*, quick: bool = False) -> str:
    """The section on the embedded server, on the same cores."""
    from tests.bench.serving_measure import measured_serving
    from tests.bench.serving_measure import section as serving_section

    setting = _setting()
    sizes = QUICK_SERVING if quick else SERVING
    return serving_section(measured_serving(*sizes, measure.say), setting)


def measured_exports_section(*, quick: bool = False) -> str:
    """The section on models in other runtimes, on the same cores."""
    from tests.bench.exports_measure import QUICK_TRIALS, TRIALS, measured_exports
    from tests.bench.exports_measure import section as exports_section

    setting = _setting()
    trials, kinds = (QUICK_TRIALS, (TFLITE_INT8, TFLITE_FLOAT)) if quick else (TRIALS, KINDS)
    return exports_section(measured_exports(trials, kinds, measure.say), setting)


def _setting() -> Setting:
    load, cores = os.getloadavg()[0], use_cores(CORES)
    today = datetime.now(timezone.utc).date().isoformat()
    return Setting(cpu_model(), cores, load, today, versions())


def sources() -> list[str]:
    """The phantom, and PneumoniaMNIST where a folder of real radiographs has it."""
    folder = Path(os.environ.get("CASEGATE_TEST_DATA") or BESIDE_THE_CHECKOUT)
    real = folder / "pneumoniamnist.npz"
    if not real.is_file():
        measure.say("no PneumoniaMNIST beside the checkout: measuring on the phantom alone")
    return ["phantom", *([str(real)] if real.is_file() else [])]


def versions() -> dict[str, str]:
    """What decides the figures: versions, and the hash of the measured source."""
    known = environment()
    return {**{name: known[name] for name in VERSIONS}, "source": code_sha256()[:12]}


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got '{text}', wanted 1 or more")
    return int(text)


if __name__ == "__main__":
    main()
