"""Measures what casegate costs and prints the page; `--write` makes it docs/benchmarks.md.

Progress goes to standard error, the page to standard output.
"""

import argparse
import os
import sys
from datetime import datetime, timezone
from pathlib import Path

from components.records.errors import CasegateError
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
MEMORY_CASES = (10_000, 100_000)
JUDGED_CASES = (20_000, 100_000)
GATE_CASES = ((1000, 5), (1_000_000, 1))  # cases, and how often
VERSIONS = ("python", "tensorflow", "keras", "tfx", "apache-beam", "numpy", "casegate")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.run", description=__doc__)
    parser.add_argument("--write", action="store_true", help="render docs/benchmarks.md")
    parser.add_argument("--memory", action="store_true", help="peak memory too; many minutes")
    parser.add_argument("--repeat", type=_positive, default=1, metavar="N", help="of whole runs")
    parser.add_argument("--only", choices=["lineage", "use"], help="one section; the others stay")
    arguments = parser.parse_args()
    try:
        if arguments.only:
            page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        else:
            page = render(measured(arguments.repeat, memory=arguments.memory))
        if arguments.only != "use":
            page = with_section(page, section(measured_lineage()))
        if arguments.only != "lineage":
            page = with_section(page, measured_use_section())
    except CasegateError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(page, end="")
    if arguments.write:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page, encoding="utf-8")
        measure.say(f"written: {PAGE.relative_to(REPOSITORY)}")


def measured(repeat: int, *, memory: bool) -> Figures:
    """Every figure, one after the other, on the same cores."""
    load = os.getloadavg()[0]
    cores = use_cores(CORES)
    measure.say(f"{cpu_model()}, {cores} cores, load {load:.1f}")
    starts = max(STARTS, repeat)
    return Figures(
        machine=cpu_model(),
        cores=cores,
        load=load,
        date=datetime.now(timezone.utc).date().isoformat(),
        versions=versions(),
        repeat=repeat,
        help_seconds=measure.help_seconds(starts),
        import_seconds=measure.import_seconds(starts),
        data=tuple(measure.data_figures(data, repeat) for data in sources()),
        judging=measure.judgings(JUDGED_CASES),
        gate=tuple(measure.gate_command(n, times) for n, times in GATE_CASES),
        memory=tuple(measure.memory_peak(n) for n in MEMORY_CASES) if memory else (),
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


def measured_use_section() -> str:
    """The section on what a commit and a server wait for, on the same cores."""
    from tests.bench.use_measure import measured_use
    from tests.bench.use_page import section as use_section

    load = os.getloadavg()[0]
    cores = use_cores(CORES)
    found = measured_use(measure.say)
    today = datetime.now(timezone.utc).date().isoformat()
    return use_section(found, Setting(cpu_model(), cores, load, today, versions()))


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
