from pathlib import Path

from pipeline.evidence.answer import Table
from pipeline.evidence.subject import Evidence
from pipeline.site.catalogue import Catalogue
from pipeline.site.content import Page, PageSection
from pipeline.site.render import breakable, marked, render, spelled
from pipeline.site.view import Links
from tests.components.planting import sha
from tests.pipeline.site.making import NASTY


def page(root: Path, *sections: PageSection) -> str:
    links = Links(Catalogue(Evidence(root)), "index.html", searches=True)
    given = Page("index.html", NASTY, sections, lead=NASTY, command=NASTY)
    return render(given, links, workspace=NASTY, policy=None)


def test_whatever_the_text_no_tag_and_no_turn_comes_through(root: Path) -> None:
    table = Table("t", NASTY, ("case", NASTY), ((NASTY, NASTY),), {"case": "case"})
    found = page(
        root,
        PageSection(NASTY, "s", {NASTY: NASTY, f"{NASTY}: x": 1}, (table,), (NASTY,), (NASTY,)),
        PageSection("alarm", "a", alarm=NASTY),
    )
    assert "<script" not in found and "\u202e" not in found and "onload=x; DROP" in found
    assert "&lt;script&gt;window.bad=1&lt;/script&gt;" in found
    assert "\\u202e" in found  # spelled out, so that it is seen


def test_a_verdict_is_a_sign_and_a_word(root: Path) -> None:
    table = Table("t", "t", ("verdict", "reason"), (("FAIL", "FAIL"),))
    found = page(root, PageSection("s", "s", tables=(table,)))
    assert found.count('class="badge fail"') == 1
    assert 'class="mark cross fail"' in found and "<bdi>FAIL</bdi>" in found


def test_what_is_not_known_is_said_so(root: Path) -> None:
    found = page(root, PageSection("s", "s", {"owner": None}))
    assert '<span class="unknown">not known</span>' in found


def test_an_answer_that_ends_with_4_is_an_alarm(root: Path) -> None:
    assert "Does not fit:" in page(root, PageSection("s", "s", exit_code=4))
    found = page(root, PageSection("s", "s", exit_code=1))
    assert "Does not fit:" not in found and "exit code 1" in found


def test_a_long_table_is_cut_and_says_so(root: Path) -> None:
    rows = tuple((n,) for n in range(1001))
    found = page(root, PageSection("s", "s", tables=(Table("t", "t", ("n",), rows),)))
    assert "The first 1,000 of 1,001 rows" in found and found.count("<tr") == 1001
    whole = page(root, PageSection("s", "s", tables=(Table("t", "t", ("n",), rows),), whole=True))
    assert whole.count("<tr") == 1002


def test_a_hash_is_shortened_in_a_table_and_whole_in_a_fact() -> None:
    assert spelled("model", sha("x"), short=True)["words"] == sha("x")[:12]
    assert spelled("model", sha("x"), short=True)["full"] == sha("x")
    assert spelled("model", sha("x"), short=False)["words"] == sha("x")


def test_backquotes_are_code_and_nothing_else_is() -> None:
    assert marked("run `a<b` now") == "run <code>a&lt;b</code> now"
    assert marked("one ` alone <") == "one ` alone &lt;"


def test_long_names_may_break_between_their_parts() -> None:
    assert breakable("a[b=c].d") == "a[b=<wbr>c]<wbr>.<wbr>d"
    assert breakable("<b>.x") == "&lt;b&gt;.<wbr>x"
