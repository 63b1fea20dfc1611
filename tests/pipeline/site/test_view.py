from pathlib import Path

import pytest

from pipeline.evidence.subject import Evidence
from pipeline.site.catalogue import Catalogue
from pipeline.site.view import Links
from tests.components.planting import sha
from tests.pipeline.site.making import NASTY, RUN


@pytest.fixture
def links(root: Path) -> Links:
    return Links(Catalogue(Evidence(root)), "index.html", searches=True)


def test_known_things_lead_to_their_pages(links: Links) -> None:
    assert links.of("run", RUN) == f"run/{RUN}/index.html"
    assert links.of("release", 7) == "release/7/index.html"
    assert links.of("case_set", "planted") == "case-set/planted.html"
    assert links.of("entry", 2) == "ledger/1.html#entry-2"


def test_what_has_no_page_is_no_link(links: Links) -> None:
    for kind, value in (("run", "../etc"), ("release", 99), ("entry", 999), ("entry", "x")):
        assert links.of(kind, value) is None
    assert links.of("unheard of", "x") is None


def test_a_hash_is_searched_for_on_a_server_alone(root: Path, links: Links) -> None:
    value = sha("anything")
    assert links.of("sha256", value) == f"search.html?kind=hash&value={value}"
    alone = Links(Catalogue(Evidence(root)), "index.html", searches=False)
    assert alone.of("sha256", value) is None


def test_a_hostile_case_id_is_quoted_in_the_address(links: Links) -> None:
    found = links.of("case", NASTY)
    assert found is not None and not set(found) & set("<>\"' \n")


def test_a_sentence_leads_to_the_entry_it_names(links: Links) -> None:
    found = links.entry_in("run.json, as ledger entry 2 has it")
    assert found == ("run.json, as ", "ledger entry 2", " has it", "ledger/1.html#entry-2")
    assert links.entry_in("as ledger entry 999 has it") is None
