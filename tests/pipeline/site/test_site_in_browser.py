"""The site in a real browser: complaints, requests, keyboard, names that are read out, contrast."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.site.site import Site, build
from tests.components.report.browser import CHROMIUM, Page, chromium
from tests.components.report.test_html_in_browser import CONTRAST
from tests.pipeline.site.making import BACK, RUN, VERSION

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: install chromium"),
]

PAGES = (
    "index.html",
    "releases.html",
    "runs.html",
    "compare.html",
    "case-sets.html",
    "case-set/planted.html",
    "blocked.html",
    "live.html?at=2026-01-02",
    "search.html?kind=case&value=train-1",
    "ledger.html",
    "ledger/1.html",
    "verify.html",
    f"run/{RUN}/index.html",
    f"run/{RUN}/performance.html",
    f"run/{RUN}/independence.html",
    f"release/{BACK}/index.html",
    f"release/{VERSION}/checks.html",
    f"release/{VERSION}/trace.html",
    f"compare/{VERSION}/{BACK}.html",
)


class Address:
    """A page of the server, as the browser's `open` takes paths."""

    def __init__(self, url: str) -> None:
        self._url = url

    def resolve(self) -> "Address":
        return self

    def as_uri(self) -> str:
        return self._url


@pytest.fixture(scope="module")
def server(root: Path) -> Iterator[str]:
    """The real command's server; its address."""
    command = [
        sys.executable,
        "-c",
        "from pipeline.commands.audit import audit; audit()",
        "serve",
        "--workspace",
        str(root),
        "--port",
        "0",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        yield next(line.strip() for line in lines if line.startswith("http://"))
        process.terminate()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


def go(browser: Page, url: str, **how: Any) -> Page:
    browser.open(Address(url), **how)  # type: ignore[arg-type]
    return browser


def names(browser: Page, *roles: str) -> list[str]:
    """What a screen reader calls the things of these roles, in their order."""
    browser.call("Accessibility.enable")
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    return [
        node.get("name", {}).get("value", "")
        for node in nodes
        if not node["ignored"] and node["role"]["value"] in roles
    ]


@pytest.mark.parametrize("place", PAGES)
def test_a_page_is_sound(browser: Page, server: str, place: str) -> None:
    go(browser, server + place)
    assert browser.complaints == []
    assert set(browser.requests) == {server + place, server + "audit.css"}
    assert browser.run("window.bad") is None and browser.run("document.scripts.length") == 0
    assert browser.run(CONTRAST) == []
    _check_names(browser)
    go(browser, server + place, width=390, dark=True)
    assert browser.run("document.documentElement.scrollWidth") == 390
    assert browser.run("document.querySelectorAll('details').forEach(d => d.open = true)") is None
    assert browser.run(CONTRAST) == []


def _check_names(browser: Page) -> None:
    """What a screen reader needs: landmarks, one first heading, and a name on everything."""
    for landmark in ("banner", "main", "contentinfo"):
        assert len(names(browser, landmark)) == 1, landmark
    assert browser.run("document.documentElement.lang") == "en"
    assert browser.run("document.querySelectorAll('h1').length") == 1
    for role in ("table", "textbox", "combobox", "button", "link", "region", "navigation"):
        assert all(names(browser, role)), role
    ids = browser.run("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_the_keyboard_reaches_the_content_and_shows_where_it_is(browser: Page, server: str) -> None:
    go(browser, server)
    _press(browser, "Tab")
    assert browser.run("document.activeElement.className") == "skip"
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert browser.run("document.activeElement.getBoundingClientRect().left") >= 0
    _press(browser, "Enter")
    assert browser.run("document.activeElement.id") == "content"


def test_a_mark_on_the_time_line_leads_to_its_release(browser: Page, server: str) -> None:
    go(browser, server)
    link = browser.run(
        "(a => a.getAttribute('aria-label') + ' ' + a.href.baseVal)"
        "(document.querySelector('svg.timeline a'))"
    )
    assert link.startswith(f"release of version {VERSION}")
    assert link.endswith(f"release/{VERSION}/index.html")
    assert browser.run("document.querySelector('svg.timeline a').tabIndex") == 0


def test_a_form_asks_by_address(browser: Page, server: str) -> None:
    go(browser, server + "search.html")
    browser.run(
        "document.querySelector('#field-kind').value = 'case',"
        "document.querySelector('#field-value').value = 'train-1'"
    )
    browser._loaded = False
    browser.call("Runtime.evaluate", expression="document.querySelector('form button').click()")
    while not browser._loaded:
        browser._take(browser._read())
    assert browser.run("location.search") == "?kind=case&value=train-1"
    assert "trained on it" in browser.run("document.body.innerText")


def test_the_content_policy_stops_what_got_in(browser: Page, server: str) -> None:
    go(browser, server)
    browser.run(
        "(s => { s.textContent = 'window.bad = 1'; document.body.append(s); })"
        "(document.createElement('script'))"
    )
    assert browser.run("window.bad") is None


def test_a_report_works_and_reaches_nothing(browser: Page, server: str) -> None:
    go(browser, f"{server}run/{RUN}/files/report.html")
    assert browser.complaints == []
    assert browser.run("origin") == "null"


def test_the_built_site_opens_from_a_folder(browser: Page, root: Path, tmp_path: Path) -> None:
    build(root, tmp_path / "site", progress=lambda done, of: None)
    for place in ("index.html", f"run/{RUN}/index.html", f"release/{VERSION}/trace.html"):
        browser.open(tmp_path / "site" / place)
        assert browser.complaints == []
        assert len(browser.requests) == 2  # the page and its style
        assert (
            browser.run("getComputedStyle(document.querySelector('.skip')).position") == "absolute"
        )
    wanted = Site(root, searches=False).respond("index.html").body.decode()
    assert "What was released" in wanted


def _press(browser: Page, key: str) -> None:
    codes = {"Tab": 9, "Enter": 13}
    text = {"text": "\r"} if key == "Enter" else {}
    for kind in ("keyDown", "keyUp"):
        browser.call(
            "Input.dispatchKeyEvent",
            type=kind,
            key=key,
            code=key,
            windowsVirtualKeyCode=codes[key],
            **(text if kind == "keyDown" else {}),
        )
