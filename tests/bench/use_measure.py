"""What the commands cost that a commit or a server waits for, each in fresh processes."""

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.settings.config import REPOSITORY
from tests.bench.processes import run_fresh
from tests.pipeline.ci.making import Repository
from tests.pipeline.unattended.monitoring.making import Service

STARTS = 5
PREDICTIONS = 100_000
CASEGATE = str(Path(sys.executable).with_name("casegate"))
CONFIG = """\
data: {source: phantom}
signing: {unsigned: true}
ci:
  source: phantom:cases=development
  baseline: phantom-development
  directory: baselines
"""


@dataclass(frozen=True)
class UseFigure:
    """Attributes:
    name: what was done.
    seconds: wall time of each process.
    limit: the target in seconds.
    peak_mib: the largest resident set of the last process.
    """

    name: str
    seconds: tuple[float, ...]
    limit: float
    peak_mib: float

    @property
    def got(self) -> float:
        return statistics.median(self.seconds)


def measured_use(say: Callable[[str], None], *, starts: int = STARTS) -> list[UseFigure]:
    """Every figure, one after the other, each from so many starts but for the run on code."""
    with tempfile.TemporaryDirectory(prefix="casegate-bench-") as name:
        folder = Path(name)
        commits = _commits(folder / "commits", say, starts)
        return [*commits, *_server(folder / "server", say, starts)]


def _commits(folder: Path, say: Callable[[str], None], starts: int) -> Iterator[UseFigure]:
    repository = Repository(folder / "work")
    shutil.copytree(
        REPOSITORY / "baselines" / "phantom-development",
        repository.root / "baselines" / "phantom-development",
    )
    repository.commit(**{"casegate.yaml": CONFIG, "README.md": "a", "model.py": "a"})
    place = repository.root
    repository.commit(**{"README.md": "b"})
    yield _timed("commit: documentation alone", _ci(), 1.0, say, starts=starts, folder=place)
    policy = place / "baselines" / "phantom-development" / "policy.yaml"
    policy.write_text(policy.read_text().replace("floor: 0.92", "floor: 0.91"))
    repository.commit()
    yield _timed("commit: a policy", _ci(), 5.0, say, starts=starts, folder=place)
    repository.commit(**{"model.py": "b"})
    cached = _ci("--cache", str(folder / "cache"))
    name = "commit: code, phantom, nothing cached"
    yield _timed(name, cached, 90.0, say, starts=1, folder=place)
    yield _timed(
        "commit: the same again, from the cache", cached, 5.0, say, starts=starts, folder=place
    )


def _ci(*words: str) -> list[str]:
    return [CASEGATE, "ci", "--config", "casegate.yaml", *words]


def _server(folder: Path, say: Callable[[str], None], starts: int) -> Iterator[UseFigure]:
    service = Service(folder)
    service.release()
    service.serve(count=PREDICTIONS, days=60)
    root = str(service.workspace.root)
    words = [CASEGATE, "monitor", "--workspace", root, "--log", str(service.log)]
    name = f"monitor: {PREDICTIONS:,} predictions"
    yield _timed(name, words, 5.0, say, starts=starts, allowed=(0, 1, 3))


def _timed(
    name: str,
    command: list[str],
    limit: float,
    say: Callable[[str], None],
    *,
    starts: int,
    allowed: tuple[int, ...] = (0,),
    folder: Path = REPOSITORY,
) -> UseFigure:
    say(name)
    if starts > 1:
        run_fresh(command, allowed=allowed, folder=folder)  # not counted
    done = [run_fresh(command, allowed=allowed, folder=folder) for _ in range(starts)]
    return UseFigure(name, tuple(one.seconds for one in done), limit, done[-1].peak_mib)
