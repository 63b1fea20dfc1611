"""The reader in a real browser: its answers, its silence, no network, no mouse, small screens."""

import base64
import io
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.dicom.pixels import read_pixels
from components.exports.running import ask
from components.pages.heat import overlay
from components.records.export import NODE_WASM
from pipeline.reader.build import load_artefact
from tests.components.report.browser import CHROMIUM, SECONDS, Page, chromium
from tests.components.report.test_html_in_browser import CONTRAST
from tests.dicom_files import plant, save
from tests.foreign import needs
from tests.pipeline.reader.making import (
    OPERATING_POINT,
    Server,
    needs_bundle,
    probability,
    write_artefact,
    write_reader,
    written,
)
from tests.pipeline.site.test_site_in_browser import go, names

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: install chromium"),
]

READY = "document.getElementById('status').textContent === 'Ready.'"
ANSWERED = "!document.getElementById('result').hidden || !document.getElementById('alarm').hidden"
OFFLINE = "document.getElementById('offline').textContent"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    needs_bundle()
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("reader"))


@contextmanager
def offered(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with offered(folder) as found:
        yield found


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def grey(value: int, kind: type = np.uint8, side: int = 48) -> np.ndarray:
    """A picture around a value, with a ramp in it."""
    top = np.iinfo(kind).max
    ramp = np.linspace(-0.1, 0.1, side)[:, None] * top * np.ones((1, side))
    return np.clip(ramp + value, 0, top).astype(kind)


def wait(browser: Page, condition: str) -> None:
    end = time.monotonic() + SECONDS
    while not browser.run(condition):
        assert time.monotonic() < end, browser.run("document.body.innerText")
        time.sleep(0.05)


def start(browser: Page, url: str, **how: Any) -> Page:
    go(browser, url, **how)
    wait(browser, READY)
    return browser


def choose(browser: Page, *paths: Path) -> None:
    """As a person does in the dialog of the browser; returns when there is an answer."""
    browser.run("document.getElementById('result').hidden = true")
    browser.run("document.getElementById('alarm').hidden = true")
    root = browser.call("DOM.getDocument")["root"]["nodeId"]
    field = browser.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
    browser.call("DOM.setFileInputFiles", nodeId=field, files=[str(path) for path in paths])
    wait(browser, ANSWERED)


def score(browser: Page, path: Path) -> float:
    choose(browser, path)
    assert browser.run("document.getElementById('alarm').textContent") == ""
    return float(browser.run("document.getElementById('result').dataset.probability"))


def refusal(browser: Page, *paths: Path) -> str:
    choose(browser, *paths)
    assert browser.run("document.getElementById('result').hidden")
    return str(browser.run("document.getElementById('alarm').textContent"))


PICTURES = {
    "grey.png": encoded(grey(120)),
    "sixteen.png": encoded(grey(40000, np.uint16)),
    "colour.png": encoded(np.stack([grey(200), grey(90), grey(30)], axis=-1)),
    "grey.jpg": encoded(grey(150), "JPEG"),
    "large.png": encoded(grey(140, side=700)),
    "small.png": encoded(grey(140, side=7)),
    "own_size.png": encoded(grey(110, side=16)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_its_score_is_what_numpy_makes_of_the_picture(
    browser: Page, server: Server, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(PICTURES[name])
    start(browser, server.address)
    wanted = probability(PICTURES[name])
    assert math.isclose(score(browser, tmp_path / name), wanted, abs_tol=1e-5)
    called = "POSITIVE" if wanted >= OPERATING_POINT else "NEGATIVE"
    assert browser.run("document.getElementById('called').textContent") == (
        f"Pneumonia: called {called}"
    )
    assert browser.complaints == []


def test_its_scores_are_those_by_which_the_artefact_is_judged(
    browser: Page, server: Server, tmp_path: Path
) -> None:
    needs("node", "nodejs")
    judged = ask(write_artefact(tmp_path / "artefact"), NODE_WASM, PICTURES.values()).scores
    start(browser, server.address)
    for (name, picture), wanted in zip(PICTURES.items(), judged, strict=True):
        (tmp_path / name).write_bytes(picture)
        assert math.isclose(score(browser, tmp_path / name), wanted, abs_tol=1e-5), name


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_dicom_file_has_the_score_of_the_picture_that_casegate_makes_of_it(
    browser: Page, server: Server, tmp_path: Path, photometric: str
) -> None:
    values = grey(30000, np.uint16) // 16
    dataset = plant(
        values,
        PhotometricInterpretation=photometric,
        WindowCenter=2000,
        WindowWidth=2500,
        BodyPartExamined="CHEST",
    )
    save(dataset, tmp_path / "chest")  # exports of archives have no suffix
    start(browser, server.address)
    wanted = probability(encoded(read_pixels(dataset)))
    assert math.isclose(score(browser, tmp_path / "chest"), wanted, abs_tol=1e-5)
    assert "DX, CHEST" in browser.run("document.getElementById('about').textContent")
    assert browser.run("document.getElementById('caution').hidden")


def test_a_slice_of_a_body_is_named_as_what_it_is(
    browser: Page, server: Server, tmp_path: Path
) -> None:
    save(plant(grey(30000, np.uint16) // 16, Modality="CT"), tmp_path / "slice.dcm")
    score(start(browser, server.address), tmp_path / "slice.dcm")
    assert not browser.run("document.getElementById('caution').hidden")
    assert "CT" in browser.run("document.getElementById('caution').textContent")


def test_the_map_lies_over_the_picture_as_in_every_other_page(
    browser: Page, server: Server, tmp_path: Path
) -> None:
    rng = np.random.default_rng(7)
    pixels = rng.integers(0, 256, (16, 16), np.uint8)  # its own map, by this artefact
    (tmp_path / "noise.png").write_bytes(encoded(pixels))
    score(start(browser, server.address), tmp_path / "noise.png")
    shown, mapped = (
        Image.open(io.BytesIO(base64.b64decode(browser.run(drawn).partition(",")[2])))
        for drawn in ("picture.toDataURL()", "map.toDataURL()")
    )
    wanted = overlay(shown, pixels.astype(np.float32) / 255)
    difference = np.abs(np.asarray(mapped.convert("RGB"), int) - np.asarray(wanted, int))
    assert difference.max() <= 2
    assert mapped.size == (512, 512)


def test_a_model_without_a_map_says_so(browser: Page, tmp_path: Path) -> None:
    (tmp_path / "grey.png").write_bytes(encoded(grey(120)))
    with offered(written(tmp_path, heatmap=False)) as server:
        score(start(browser, server.address), tmp_path / "grey.png")
    assert browser.run("document.getElementById('mapped').hidden")
    assert not browser.run("document.getElementById('unmapped').hidden")


def test_nothing_is_asked_for_but_its_own_files_and_nothing_is_sent(
    browser: Page, folder: Path, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "grey.png").write_bytes(encoded(grey(120)))
    start(browser, server.address)
    wait(browser, f"{OFFLINE}.startsWith('Kept')")
    score(browser, tmp_path / "grey.png")
    own = {server.address + path.name for path in folder.iterdir()}
    assert {*browser.requests} <= {server.address, *own}
    # The page's requests and those of its worker, which the browser does not tell us of.
    asked = {f"GET /{path.name} HTTP/1.1 0" for path in folder.iterdir()}
    assert {*server.asked} <= {"GET / HTTP/1.1 0", *asked}


@pytest.mark.parametrize(
    "way",
    [
        "fetch(TO, {method: 'POST', body: 'pixels'}).then(() => 'sent', () => 'stopped')",
        "Promise.resolve(navigator.sendBeacon(TO, 'pixels'))",
        "new Promise((end) => { const r = new XMLHttpRequest(); r.onloadend = end;"
        " r.open('POST', TO); r.send('pixels'); })",
        "new Promise((end) => { const s = new WebSocket(TO.replace('http', 'ws'));"
        " s.onerror = end; })",
    ],
)
def test_the_browser_forbids_to_send_even_to_where_the_page_came_from(
    browser: Page, server: Server, way: str
) -> None:
    start(browser, server.address)
    _try(browser, way, server.address)
    assert [line for line in server.asked if "take" in line] == []


@pytest.mark.parametrize("kind", ["img", "script", "iframe"])
def test_the_browser_forbids_to_load_anything_from_elsewhere(
    browser: Page, server: Server, tmp_path: Path, kind: str
) -> None:
    start(browser, server.address)
    way = (
        f"new Promise((end) => {{ const e = document.createElement('{kind}'); e.onload ="
        " e.onerror = end; setTimeout(end, 500); e.src = TO; document.body.append(e); })"
    )
    with offered(tmp_path) as elsewhere:
        _try(browser, way, elsewhere.address)
        assert elsewhere.asked == []


def _try(browser: Page, way: str, address: str) -> None:
    script = way.replace("TO", repr(f"{address}take?pixels"))
    browser.call("Runtime.evaluate", expression=script, awaitPromise=True)
    assert any("Content Security Policy" in one for one in browser.complaints)


def test_it_opens_and_reads_without_a_network_after_one_visit(
    browser: Page, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "grey.png").write_bytes(encoded(grey(120)))
    with offered(folder) as server:
        start(browser, server.address)
        wait(browser, f"{OFFLINE}.startsWith('Kept')")
    start(browser, server.address)  # nobody listens there any more
    wanted = probability((tmp_path / "grey.png").read_bytes())
    assert math.isclose(score(browser, tmp_path / "grey.png"), wanted, abs_tol=1e-5)
    start(browser, server.address + "index.html")


def test_without_a_visit_nothing_opens_there(browser: Page, folder: Path) -> None:
    """So what opens above comes from what was kept, and not from elsewhere."""
    with offered(folder) as server:
        pass
    go(browser, server.address)
    assert browser.run("document.getElementById('status')") is None


def test_another_version_comes_whole_when_the_page_is_closed(tmp_path: Path) -> None:
    needs_bundle()
    first, second = (
        write_reader(
            load_artefact(
                write_artefact(tmp_path / f"artefact{n}", operating_point=at), "chest", n
            ),
            tmp_path / f"page{n}",
        )
        for n, at in ((1, 0.25), (2, 0.75))
    )
    version = "document.getElementById('lead').textContent"
    with chromium(tmp_path / "profile") as browser, offered(first) as server:
        start(browser, server.address)
        wait(browser, f"{OFFLINE}.startsWith('Kept')")
        for path in second.iterdir():
            (first / path.name).write_bytes(path.read_bytes())
        start(browser, server.address)
        assert "version 1" in browser.run(version)  # all of it, though the files are others
        wait(browser, f"{OFFLINE}.startsWith('Another version')")
        _close_all(browser)
        start(browser, server.address)
        assert "version 2" in browser.run(version)


def _close_all(browser: Page) -> None:
    browser._session = None
    for target in browser.call("Target.getTargets")["targetInfos"]:
        if target["type"] == "page":
            browser.call("Target.closeTarget", targetId=target["targetId"])


def test_it_opens_from_a_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "grey.png").write_bytes(encoded(grey(120)))
    wanted = probability((tmp_path / "grey.png").read_bytes())
    with chromium(tmp_path / "profile") as browser:
        browser.open(folder / "index.html")
        wait(browser, READY)
        assert math.isclose(score(browser, tmp_path / "grey.png"), wanted, abs_tol=1e-5)
        assert browser.complaints == []
        assert {*browser.requests} <= {path.resolve().as_uri() for path in folder.iterdir()}


def _cut(picture: bytes) -> bytes:
    return picture[: len(picture) // 2]


def _turned(pixels: np.ndarray) -> bytes:
    stream, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(stream, "JPEG", exif=exif)
    return stream.getvalue()


def _with_holes(pixels: np.ndarray) -> bytes:
    return encoded(np.stack([pixels, pixels], axis=-1))


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "letter.pdf": (lambda: b"%PDF-1.7 dear colleague", "no PNG, JPEG or DICOM file"),
    "page.png": (lambda: b"<!doctype html><script>window.bad = 1</script>", "no PNG, JPEG"),
    "empty.png": (lambda: b"", "no PNG, JPEG"),
    "cut.png": (
        lambda: _cut(encoded(np.random.default_rng(1).integers(0, 256, (99, 99), np.uint8))),
        "",
    ),
    "cut.jpg": (lambda: _cut(encoded(grey(99), "JPEG")), "JPEG"),
    "turned.jpg": (lambda: _turned(grey(99)), "EXIF orientation"),
    "holes.png": (lambda: _with_holes(grey(99)), "transparent"),
    "<img src=x onerror=bad()>.dcm": (lambda: b"\0" * 128 + b"DICM" + b"\1" * 64, ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_sound_picture_is_refused_in_one_line_and_the_answer_before_is_gone(
    browser: Page, server: Server, tmp_path: Path, name: str
) -> None:
    (tmp_path / "grey.png").write_bytes(encoded(grey(120)))
    make, why = REFUSED[name]
    path = tmp_path / name.replace("/", "_")
    path.write_bytes(make())
    start(browser, server.address)
    score(browser, tmp_path / "grey.png")
    line = refusal(browser, path)
    assert line.startswith(f"{path.name} was not read: ") and why in line and "\n" not in line
    assert browser.run("window.bad") is None
    assert "Pneumonia: called" not in browser.run("document.body.innerText")


def test_two_files_at_once_are_refused(browser: Page, server: Server, tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.png" for n in "ab"]
    for path in paths:
        path.write_bytes(encoded(grey(120)))
    start(browser, server.address).run("document.getElementById('file').multiple = true")
    assert "2 files" in refusal(browser, *paths)


@pytest.mark.parametrize("name", ["weights.bin", "model.json"])
def test_a_page_whose_model_was_altered_reads_nothing(
    browser: Page, tmp_path: Path, name: str
) -> None:
    page = written(tmp_path)
    head, _, rest = (page / "model.js").read_text().partition(" = ")
    given = json.loads(rest.rstrip(";\n"))
    content = bytearray(base64.b64decode(given["files"][name]))
    content[-1] ^= 1
    given["files"][name] = base64.b64encode(content).decode()
    (page / "model.js").write_text(f"{head} = {json.dumps(given)};\n")
    browser.open(page / "index.html")
    wait(browser, "!document.getElementById('alarm').hidden")
    assert f"{name} of the model was altered" in browser.run("alarm.textContent")
    assert browser.run("file.disabled")


def test_the_keyboard_alone_reads_a_file(browser: Page, server: Server, tmp_path: Path) -> None:
    (tmp_path / "grey.png").write_bytes(encoded(grey(120)))
    start(browser, server.address)
    key = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
    reached = []
    for _ in range(3):
        for kind in ("keyDown", "keyUp"):
            browser.call("Input.dispatchKeyEvent", type=kind, **key)
        reached.append(browser.run("document.activeElement.id || document.activeElement.tagName"))
    assert reached == ["A", "file", "SUMMARY"]
    browser.run("file.focus({focusVisible: true})")
    assert (
        browser.run("getComputedStyle(document.querySelector('.button')).outlineStyle") == "solid"
    )
    score(browser, tmp_path / "grey.png")
    assert browser.run("document.activeElement.id") == "file"  # ready for the next


def test_a_screen_reader_is_told(browser: Page, server: Server, tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    path.write_bytes(encoded(grey(120)))
    start(browser, server.address)
    assert names(browser, "button") == ["Choose a radiograph"]
    score(browser, path)
    said = browser.run("document.querySelector('[role=status]').textContent")
    assert said.startswith("grey.png. Pneumonia: called NEGATIVE, score 0.")
    assert all(path.name in name for name in names(browser, "image"))
    assert len(names(browser, "image")) == 2
    for landmark in ("banner", "main", "contentinfo"):
        assert len(names(browser, landmark)) == 1, landmark
    assert "Not a medical device" in browser.run("document.querySelector('header').innerText")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_the_screen_and_can_be_read(
    browser: Page, server: Server, tmp_path: Path, width: int, dark: bool
) -> None:
    path = tmp_path / ("a_long_name_without_any_place_to_break_it_in_an_archive" * 2 + ".png")
    path.write_bytes(encoded(grey(120)))
    start(browser, server.address, width=width, dark=dark)
    score(browser, path)
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run(CONTRAST) == []
