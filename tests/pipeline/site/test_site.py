"""Every page of the site, and what it does with addresses and evidence that do not fit."""

import json
import shutil
from pathlib import Path

import pytest

from components.records.errors import ConfigError
from pipeline.evidence.subject import Evidence
from pipeline.site.site import Site, build
from tests.components.planting import sha
from tests.pipeline.site.making import (
    BACK,
    NASTY,
    PERSON,
    RUN,
    VERSION,
    anchors_in,
    html,
    links_in,
    split,
)
from tests.refusing import refused


def places(site: Site) -> list[str]:
    with Evidence(site.root) as evidence:
        return list(site.places(site.view(evidence)))


@pytest.fixture(params=[True, False], ids=["served", "built"])
def site(root: Path, request: pytest.FixtureRequest) -> Site:
    return Site(root, searches=request.param)


def test_every_page_is_there_and_every_link_leads_to_a_page(site: Site) -> None:
    found = places(site)
    assert len(found) == len(set(found)) > 40
    named: dict[str, set[str]] = {}
    for place in found:
        body = site.respond(place)
        assert body.status == 200, (place, body.body[-400:])
        if place.endswith(".html") and "/files/" not in place and not place.endswith("card.html"):
            named[place] = links_in(body.body.decode(), place)
    for place, links in named.items():
        for target, anchor in map(split, links):
            assert target in found, (place, target)
            if anchor:
                assert anchor in anchors_in(html(site, target)), (place, target, anchor)


def test_no_page_holds_a_tag_from_the_data(site: Site) -> None:
    for place in places(site):
        if place.endswith(".html") and "/files/" not in place:
            page = html(site, place)
            assert "<script>window.bad" not in page and "<b>O'Neill" not in page, place
            assert "\u202e" not in page, place


def test_home_says_what_serves_and_draws_it(site: Site) -> None:
    page = html(site, "index.html")
    assert f'href="release/{BACK}/index.html"' in page and "serving/chest" in page
    assert 'class="timeline"' in page and f"rollback of version {BACK}" in page


def test_a_release_names_who_when_and_what_it_replaced(site: Site) -> None:
    page = html(site, f"release/{BACK}/index.html")
    assert "put back by Dr. &lt;b&gt;O&#39;Neill&lt;/b&gt; &amp; 日本" in page
    assert f"compare/{VERSION}/{BACK}.html" in page
    assert PERSON not in page


def test_a_run_shows_its_checks_and_the_cases_that_changed(site: Site) -> None:
    page = html(site, f"run/{RUN}/index.html")
    assert "sensitivity[overall]<wbr>.<wbr>floor" in page
    assert "never-miss" in page and "case-0001" in page
    assert f"run/{RUN}/files/report.html" in page


def test_the_trace_leads_on_by_page_or_by_row(site: Site) -> None:
    place = f"release/{VERSION}/trace.html"
    page = html(site, place)
    picture = page[page.index("<svg xmlns") : page.index("</svg>")]
    assert f"run/{RUN}/index.html" in picture
    rows = {split(link)[1] for link in links_in(picture, place)} - {""}
    assert rows and rows <= anchors_in(page)


def test_entries_of_the_ledger_can_be_pointed_at(site: Site) -> None:
    page = html(site, "ledger/1.html")
    assert {"entry-1", "entry-2"} <= anchors_in(page)
    assert "ledger.head" in html(site, "ledger.html")


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "run/../../../etc/passwd/index.html",
        f"run/{RUN}/files/../../../ledger.jsonl",
        f"run/{RUN}/files/%2e%2e/run.json",
        f"run/{RUN}/files/training_statistics.pb",
        f"run/{RUN}/files/run.json\x00.html",
        f"run/{RUN}/nonsense.html",
        "run/20200101T000000.000000Z/index.html",
        "release/99/index.html",
        "release/7\n/index.html",
        "case-set/nothing.html",
        "ledger/2.html",
        "audit.css/",
        "pages/overview.py",
        "page.html.j2",
        "//etc/passwd",
        "\\etc\\passwd",
        "run/\u0661/index.html",
    ],
)
def test_an_address_that_is_none_is_not_found(root: Path, path: str) -> None:
    found = Site(root).respond(path)
    assert found.status == 404 and b"Traceback" not in found.body
    assert b"root:" not in found.body and b"entry_sha256" not in found.body


def test_a_broken_chain_is_said_on_every_page(root: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(root, tmp_path / "copy")
    ledger = copy / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes().replace(b'"verdict":"PASS"', b'"verdict":"FAIL"', 1))
    for place in ("index.html", "ledger.html", f"run/{RUN}/index.html"):
        found = Site(copy).respond(place)
        assert found.status == 500
        assert b"Does not fit:" in found.body and b"its content hashes to" in found.body


def test_an_edited_record_is_said_where_it_would_be_shown(root: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(root, tmp_path / "copy")
    path = copy / "runs" / RUN / "run.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["who"]["user"] = "somebody else"
    path.write_text(json.dumps(document), encoding="utf-8")
    page = html(Site(copy), f"run/{RUN}/index.html")
    assert "Does not fit:" in page and "run.json" in page
    assert "somebody else" not in page


def test_runs_are_listed_from_the_ledger_where_the_store_is_gone(
    root: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(root, tmp_path / "copy")
    (copy / "metadata.sqlite").unlink()
    page = html(Site(copy), "runs.html")
    assert f"run/{RUN}/index.html" in page and 'role="alert"' in page


def test_runs_can_be_narrowed_on_a_server(root: Path) -> None:
    site = Site(root)
    assert f"run/{RUN}/" in html(site, "runs.html", verdict="PASS")
    assert f"run/{RUN}/" not in html(site, "runs.html", verdict="FAIL")
    page = html(site, "runs.html", commit=NASTY, since=NASTY)
    assert "<script>window" not in page and "Not answered:" in page


def test_live_answers_at_a_time(root: Path) -> None:
    page = html(Site(root), "live.html", at="2026-01-02T00:00:00Z")
    found = page[page.index('id="live"') : page.index('id="served"')]
    assert f"release/{VERSION}/index.html" in found
    assert f"release/{BACK}/index.html" not in found


def test_a_hash_is_found_wherever_it_stands(root: Path) -> None:
    site = Site(root)
    model = next(r for r in _releases(root))
    page = html(site, "search.html", kind="hash", value=model[:12])
    assert "In the ledger" in page and "CasegateRun" in page and f"run/{RUN}/" in page
    page = html(site, "search.html", kind="hash", value=sha("training pixels 1"))
    assert "train-1" in page and "kind=case&amp;value=train-1" in page


def test_a_search_for_mischief_finds_nothing_and_changes_nothing(root: Path) -> None:
    before = (root / "metadata.sqlite").read_bytes()
    for kind in ("hash", "case", "package", "commit", NASTY):
        page = html(Site(root), "search.html", kind=kind, value=NASTY)
        assert "Not answered:" in page and "<script>window" not in page
    assert (root / "metadata.sqlite").read_bytes() == before


def test_a_case_leads_to_what_it_reached(root: Path) -> None:
    page = html(Site(root), "search.html", kind="case", value="train-1")
    assert f"run/{RUN}/index.html" in page and "trained on it" in page


def test_two_are_compared_by_the_form_and_by_address(root: Path) -> None:
    site = Site(root)
    by_form = html(site, "compare.html", a=str(VERSION), b=str(BACK))
    assert "What changed" in by_form and f'<option value="{BACK}" selected>' in by_form
    assert "What changed" in html(site, f"compare/{VERSION}/{BACK}.html")


def test_a_built_site_asks_nothing(root: Path) -> None:
    site = Site(root, searches=False)
    for place in places(site):
        if place.endswith(".html") and "/files/" not in place and not place.endswith("card.html"):
            page = html(site, place)
            assert "<form" not in page and "?" not in "".join(links_in(page, place))
            assert 'http-equiv="Content-Security-Policy"' in page


def _releases(root: Path) -> list[str]:
    from pipeline.evidence.subject import Evidence

    return [release.model_sha256 for release in Evidence(root).releases]


def quiet(done: int, of: int) -> None:
    pass


def test_every_page_is_written_once_and_as_the_site_has_it(root: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    built = build(root, tmp_path / "site", progress=lambda *count: told.append(count))
    written = sorted(p for p in (tmp_path / "site").rglob("*") if p.is_file())
    assert len(written) == built.pages == told[-1][0] == told[-1][1]
    assert built.faults == ()
    page = (tmp_path / "site" / "run" / RUN / "index.html").read_bytes()
    assert page == Site(root, searches=False).respond(f"run/{RUN}/index.html").body


def test_nothing_in_it_names_this_machine(root: Path, tmp_path: Path) -> None:
    build(root, tmp_path / "site", progress=quiet)
    for path in (tmp_path / "site").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert 'href="/' not in text and 'src="/' not in text and "127.0.0.1" not in text


def test_a_folder_that_holds_something_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with refused(ConfigError, tmp_path):
        build(root, tmp_path, progress=quiet)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_that_does_not_fit_is_named_and_the_rest_is_written(
    root: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(root, tmp_path / "copy")
    (copy / "runs" / RUN / "report.html").write_text("all is well", encoding="utf-8")
    built = build(copy, tmp_path / "site", progress=quiet)
    (fault,) = built.faults
    assert "files/report.html" in fault and "hashes to" in fault
    page = (tmp_path / "site" / "run" / RUN / "files" / "report.html").read_text(encoding="utf-8")
    assert "Does not fit:" in page and "all is well" not in page
    assert (tmp_path / "site" / "index.html").exists()
