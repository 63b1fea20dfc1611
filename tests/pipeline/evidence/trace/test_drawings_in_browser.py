"""A trace as a browser draws it: the SVG itself, and Mermaid's text by Mermaid's own program."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.bundle.trace_graph import TraceGraph
from pipeline.evidence.trace.drawings import as_mermaid
from pipeline.evidence.trace.svg import as_svg
from tests.components.bundle.tracing import AWKWARD, traced
from tests.components.report.browser import CHROMIUM, Page, chromium
from tests.foreign import needs

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: install chromium"),
]
DRAWN = "mermaid.render('drawn', {}).then(found => found.svg, fault => 'refused: ' + fault)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(params=["Dr. Lang", AWKWARD], ids=["plain", "awkward"])
def graph(request: pytest.FixtureRequest) -> TraceGraph:
    return traced(request.param)


@pytest.fixture
def mermaid(browser: Page, tmp_path: Path) -> Page:
    """A page with Mermaid in it."""
    folder = os.environ.get("CASEGATE_MERMAID")
    if folder is None:
        asked = [needs("npm", "Debian's npm"), "root", "--global"]
        folder = f"{subprocess.run(asked, capture_output=True, text=True).stdout.strip()}/mermaid"
    program = Path(folder) / "dist" / "mermaid.min.js"
    if not program.is_file():
        pytest.skip("no Mermaid here: install npm's mermaid, or name its folder CASEGATE_MERMAID")
    path = tmp_path / "page.html"
    path.write_text(f'<meta charset="utf-8"><script src="{program.as_uri()}"></script>')
    browser.open(path)
    return browser


def rendered(page: Page, text: str) -> str:
    """The SVG that Mermaid makes of a text, or its complaint."""
    asked = {"expression": DRAWN.format(json.dumps(text)), "returnByValue": True}
    return page.call("Runtime.evaluate", awaitPromise=True, **asked)["result"]["value"]


def test_a_browser_draws_the_svg_and_runs_nothing_of_it(
    browser: Page, tmp_path: Path, graph: TraceGraph
) -> None:
    path = tmp_path / "trace.svg"
    path.write_text(as_svg(graph), encoding="utf-8")
    browser.open(path)
    assert browser.complaints == [] and browser.requests == [path.resolve().as_uri()]
    assert browser.run("document.querySelectorAll('g > rect').length") == len(graph.nodes)
    assert browser.run("document.documentElement.getBBox().width") > 100
    assert browser.run("document.querySelectorAll('script').length") == 0


def test_mermaid_draws_every_node_and_every_edge(mermaid: Page, graph: TraceGraph) -> None:
    svg = rendered(mermaid, as_mermaid(graph))
    assert svg.count('class="node default') == len(graph.nodes)
    assert svg.count('data-edge="true"') == len(graph.edges)
    assert "<script" not in svg
    assert rendered(mermaid, as_mermaid(graph).replace('"]', '"')).startswith("refused: ")
