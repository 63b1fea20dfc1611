"""What decides is what trains, scores and judges, with all that it imports, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

from pipeline.settings import deciding
from pipeline.settings.deciding import MODULES, deciding_sha256

ROOTS = (
    "pipeline.model.trainer",
    "pipeline.model.preprocessing",
    "components.admission.component",
    "components.cases.component",
    "components.exports.component",
    "components.gate.component",
    "components.scoring.component",
    "pipeline.federation.answering",
)
# Run as a program, or deciding by what they pass on and not by what they import.
ALONE = {
    "components.exports.tflite_conversion",
    "components.exports.tflite_session",
    "components.scoring.serving_session",
    "pipeline.model.member",
    "pipeline.run.inputs",
    "pipeline.run.pipeline",
    "pipeline.settings.deciding",
}


def listed() -> set[str]:
    names = {f"{package}.{name}" for package, words in MODULES.items() for name in words.split()}
    return {name.removesuffix(".__init__") for name in names}


def test_the_list_is_the_closure_of_what_trains_and_judges() -> None:
    graph = grimp.build_graph("pipeline", "components")
    closure = set(ROOTS) | ALONE
    for root in ROOTS:
        closure |= graph.find_upstream_modules(root)
    packages = {name for name in closure if graph.find_children(name)} - {"components.metrics"}
    assert listed() == closure - packages


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the sources, to be edited."""
    for folder in ("pipeline", "components"):
        for path in filter(Path.is_file, (deciding.REPOSITORY / folder).rglob("*")):
            copy = tmp_path / path.relative_to(deciding.REPOSITORY)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(deciding, "REPOSITORY", tmp_path)
    deciding_sha256.cache_clear()
    yield tmp_path
    deciding_sha256.cache_clear()


@pytest.mark.parametrize(
    "module, decides",
    [
        ("components/gate/decide.py", True),
        ("components/metrics/__init__.py", True),
        ("components/scoring/serving_session.py", True),
        ("pipeline/model/networks/small.py", True),
        ("pipeline/run/pipeline.py", True),
        ("components/exports/javascript/pixels.js", True),
        ("components/exports/converter/uv.lock", True),
        ("pipeline/federation/flower/carry.py", True),
        ("components/report/html.py", False),
        ("pipeline/commands/run.py", False),
        ("pipeline/evidence/questions/show.py", False),
    ],
)
def test_an_edit_counts_where_it_decides(checkout: Path, module: str, decides: bool) -> None:
    before = deciding_sha256()
    deciding_sha256.cache_clear()
    with (checkout / module).open("a") as source:
        source.write("# an edit\n")
    assert (deciding_sha256() != before) == decides


def test_another_version_of_a_package_that_decides_counts(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = deciding_sha256()
    deciding_sha256.cache_clear()
    monkeypatch.setattr(deciding, "environment", lambda: {"tensorflow": "9.9"})
    assert deciding_sha256() != before
