import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from components.decision import CheckResult, Decision, Flips, Verdict
from components.report.evidence import ReportEvidence, admitted
from components.report.html import WIDTH, html_report, panels
from components.report.words import headline, sentence
from components.report.worklist import PICTURES, ROWS
from tests.components.report import making
from tests.components.report.making import (
    BRIER,
    EVALUATOR,
    FLIPS,
    FLOOR,
    INCONCLUSIVE,
    MARGIN,
    NASTY,
    SENTINEL,
    case_set,
    decision,
    evidence,
)

CASES = case_set(400)
SHOWN = evidence(CASES)


class Parsed(HTMLParser):
    """The elements of a page, with the text of each section."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {"": ""}
        self._section = ""
        self._code = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "section":
            self._section = dict(attrs).get("id") or ""
        self._code = tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._section = "" if tag == "section" else self._section
        self._code = False

    def handle_data(self, data: str) -> None:
        if not self._code:
            known = self.text.get(self._section, "")
            self.text[self._section] = " ".join(f"{known} {data}".split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def parsed(
    decided: Decision | None = None,
    shown: ReportEvidence | None = SHOWN,
    *,
    synthetic: bool = False,
) -> Parsed:
    return Parsed(html_report(decided or decision(), shown, synthetic=synthetic))


def test_the_verdict_is_one_sentence_at_the_top() -> None:
    top = parsed().text[""]
    assert f"FAIL {headline(decision())} {sentence(decision())}" in top
    assert "400 , of which 200 positive" in top.replace("400,", "400 ,")


def test_synthetic_images_and_waivers_are_said_before_anything_else() -> None:
    page = parsed(making.waived(), synthetic=True).text[""]
    assert "synthetic" in page
    assert "Waived: " in page and "A. Radiologist" in page and "B. Physicist" in page
    assert "synthetic" not in parsed().text[""]


def test_what_blocks_is_listed_with_its_reason_and_only_that() -> None:
    page = parsed()
    assert making.MARGIN.reason in page.text["open"] and making.SENTINEL.reason in page.text["open"]
    assert making.BRIER.reason not in page.text["open"]
    assert "open" not in parsed(making.waived()).text


def test_every_check_has_its_word_its_reason_its_figures_and_its_name() -> None:
    page = html_report(decision(), SHOWN, synthetic=False).replace("<wbr>", "")
    text = Parsed(page).text["checks"]
    for check in decision().checks:
        assert check.reason in text and check.check in text and check.verdict.value in text
    assert "-0.190 to -0.061" in text and "-0.050" in text


def test_curves_are_drawn_for_each_model_with_its_figures() -> None:
    page = parsed()
    names = {d["aria-labelledby"] for d in page.all("svg") if d.get("role") == "img"}
    assert "roc-title roc-text" in names and "calibration-title calibration-text" in names
    curves = {d["class"] for d in page.all("polyline")}
    assert curves == {f"curve {model}" for model in ("candidate", "champion", "golden")}
    assert "candidate" in page.text["curves"] and "0.450" in page.text["curves"]


def test_regressed_slices_come_first_and_are_marked() -> None:
    text = parsed().text["changed"]
    assert text.index("device=Boreal") < text.index("regressed") < text.index("device=Aster")
    assert "0.0005" in text and "-0.120" in text


def test_the_worklist_shows_picture_scores_label_attributes_and_sentinel() -> None:
    page = parsed()
    text = page.text["worklist"]
    assert "3 lost" in text and "2 gained" in text
    first = text[text.index("case-0002") :]
    assert re.match(r"case-0002 lost champion, golden positive never-miss 0\.\d{4} ", first)
    assert "Boreal" in first and len(page.all("img")) == 5
    assert all((image["src"] or "").startswith("data:image/png") for image in page.all("img"))


def test_more_cases_than_pictures_are_said_to_be_without() -> None:
    lost = tuple(f"case-{i:04d}" for i in range(300))
    page = parsed(decision(flips=(Flips("champion", (), lost),)))
    assert len(page.all("img")) == PICTURES
    assert "100 of the rows are without picture" in page.text["worklist"]


def test_without_pictures_the_page_says_so() -> None:
    page = parsed(shown=evidence(CASES, pictures=False))
    assert page.all("img") == [] and "No pictures are at hand." in page.text["worklist"]


def test_a_first_run_has_curves_and_no_comparison() -> None:
    shown = evidence(CASES, models=["candidate"])
    page = parsed(making.first_run(), shown)
    assert "INCONCLUSIVE not released" in page.text[""]
    assert "Nothing was compared" in page.text["changed"]
    assert "no baseline to compare" in page.text["worklist"]
    assert {d["class"] for d in page.all("polyline")} == {"curve candidate"}


def test_scores_that_do_not_fit_are_said_and_not_drawn() -> None:
    one = making.scores(CASES, seed=0)
    short = replace(one, case_ids=one.case_ids[1:], scores=one.scores[1:])
    page = parsed(making.unfit(), ReportEvidence(CASES, {"candidate": short, "golden": one}))
    assert sentence(making.unfit()) in page.text[""]
    assert "Not drawn: candidate scores: missing: 1 (case-0000)" in page.text["curves"]
    assert page.all("polyline") == []


def test_every_hash_waiver_finding_and_self_test_is_on_record() -> None:
    made = making.waived()
    text = parsed(made).text["record"]
    assert made.decision_sha256 in text
    assert all(value in text for value in made.hashes.values() if value)
    assert made.findings[0] in text and "golden against itself" in text
    assert "device retired" in text and "2025-04-30" in text


def test_text_from_data_makes_no_element() -> None:
    made, shown = making.hostile()
    page = parsed(made, shown)
    assert len(page.all("script")) == 1  # its own
    assert all(
        " ".join(NASTY.split()) in page.text[name] for name in ("open", "worklist", "record")
    )
    assert not [a for _, attributes in page.elements for a in attributes if a.startswith("on")]


def test_the_content_policy_admits_its_own_style_and_script_and_nothing_else() -> None:
    page = html_report(decision(), SHOWN, synthetic=False)
    policy = next(
        m["content"] or ""
        for m in Parsed(page).all("meta")
        if m.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data:;") and "unsafe" not in policy
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_the_page_asks_for_nothing_outside_itself() -> None:
    page = parsed()
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "base", "form")
        assert "style" not in attributes  # the content policy would refuse it
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:image/png")), (tag, value)


def test_ids_are_unique_and_every_table_heading_has_its_scope() -> None:
    page = parsed(synthetic=True)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(heading.get("scope") in ("col", "row") for heading in page.all("th"))
    targets = [link["href"] or "" for link in page.all("a")]
    assert {target[1:] for target in targets} <= set(ids)


@pytest.mark.parametrize("made", [decision(), making.first_run(), making.unfit()])
def test_the_same_decision_gives_the_same_page(made: Decision) -> None:
    assert html_report(made, SHOWN, synthetic=True) == html_report(made, SHOWN, synthetic=True)


def test_a_hundred_thousand_cases_are_a_small_page() -> None:
    cases = case_set(100_000)
    shown = evidence(cases, pictures=False)
    ids = tuple(case.case_id for case in cases.cases)
    made = decision(
        flips=(Flips("champion", ids[60_000:], ids[:30_000]), Flips("golden", (), ids[:50_000]))
    )
    page = html_report(made, shown, synthetic=False)
    assert len(page.encode()) < 300_000
    text = Parsed(page).text["worklist"]
    assert "50,000 lost" in text and f"the first {ROWS} are shown" in text
    assert "listed in the decision only" in text


RISE = replace(BRIER, rule="non_inferiority", role="gate", against="golden", limit=0.02)


def strip(check: CheckResult) -> ElementTree.Element:
    ((panel),) = panels([check])
    return ElementTree.fromstring(panel.rows[0].picture)


def classes(check: CheckResult) -> list[str]:
    return [piece.get("class", "") for piece in strip(check).iter()]


def test_checks_are_set_out_by_kind_and_supporting_ones_last() -> None:
    titles = [panel.title for panel in panels([BRIER, EVALUATOR, FLOOR, MARGIN, FLIPS, SENTINEL])]
    assert titles == [
        "Floors",
        "Change against champion",
        "Cases turned wrong",
        "Conditions",
        "Supporting: ceilings",
    ]


def test_every_check_is_in_one_panel() -> None:
    checks = [BRIER, EVALUATOR, FLOOR, MARGIN, FLIPS, SENTINEL]
    shown = [row.check.check for panel in panels(checks) for row in panel.rows]
    assert sorted(shown) == sorted(check.check for check in checks)


def test_a_check_without_an_interval_is_not_drawn() -> None:
    (panel,) = panels([EVALUATOR])
    assert panel.axis == "" and panel.rows[0].picture == ""


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_verdict_is_shown_by_colour_shape_and_word(verdict: Verdict) -> None:
    check = replace(FLOOR, verdict=verdict)
    css = verdict.value.lower()
    assert f"interval {css}" in classes(check)
    assert any(name.startswith("mark") and css in name for name in classes(check))
    assert (strip(check).findtext("desc") or "").startswith(f"{verdict.value}: estimate 0.950")


def test_the_interval_lies_within_the_picture_and_beside_its_limit() -> None:
    lines = {piece.get("class"): piece for piece in strip(FLOOR).iter("line")}
    whole = next(p for p in strip(FLOOR).iter("line") if p.get("class") == "interval pass")
    left, right = float(whole.get("x1", "")), float(whole.get("x2", ""))
    assert 0 < float(lines["limit"].get("x1", "")) < left < right < WIDTH


@pytest.mark.parametrize(
    ("check", "below"),
    [(FLOOR, True), (MARGIN, True), (FLIPS, False), (BRIER, False), (RISE, False)],
)
def test_the_forbidden_side_of_the_limit_is_shaded(check: CheckResult, below: bool) -> None:
    shade = next(p for p in strip(check).iter("rect") if p.get("class") == "forbidden")
    assert (shade.get("x") == "0") == below


def test_checks_of_a_panel_share_a_scale() -> None:
    wide = replace(FLOOR, check="b", lower=0.2, upper=0.99, limit=0.5, verdict=INCONCLUSIVE)
    (panel,) = panels([FLOOR, wide])
    grids = [
        [p.get("x1") for p in ElementTree.fromstring(row.picture) if p.get("class") == "grid"]
        for row in panel.rows
    ]
    assert grids[0] == grids[1] and grids[0]


def with_pictures(name: str = "a", pairs: int = 2) -> ReportEvidence:
    pair = {
        "cases": [
            {"case_id": name, "patient_id": "p", "label": 1, "split": "train"},
            {"case_id": "b", "patient_id": "q", "label": 0, "split": "test"},
        ],
        "distance": 12,
        "way": "mirrored",
        "labels_differ": True,
    }
    association = {
        "feature": "bits",
        "group": "label",
        "measure": "Cramér's V",
        "effect": 0.97,
        "p": 1e-30,
        "detail": "'12' in 100% of positives, 0% of negatives",
        "found": True,
    }
    found = {
        "near_duplicates": [pair] * pairs,
        "compared": {"pairs": pairs},
        "associations": [association, {**association, "feature": "site", "found": False}],
    }
    return replace(SHOWN, admitted=admitted(found, lambda case: making.png()))


def test_nearly_equal_pictures_stand_side_by_side_with_both_names() -> None:
    page = parsed(decision(FLOOR), with_pictures())
    assert page.text["pictures"].count("the labels differ") == 2
    for words in ("a : train, positive", "b : test, negative", "12 of 256 bits", "2 pairs"):
        assert words in page.text["pictures"]
    named = [image["alt"] for image in page.all("img") if image["alt"] in ("case a", "case b")]
    assert named[:2] == ["case a", "case b"] and len(named) == 4


def test_what_goes_with_the_label_is_listed_and_marked_above_the_limit() -> None:
    text = parsed(decision(FLOOR), with_pictures()).text["pictures"]
    assert "bits label 0.970 <0.0001" in text and text.count("above the limit") == 1


def test_names_in_a_pair_are_never_markup() -> None:
    page = html_report(decision(FLOOR), with_pictures(NASTY), synthetic=False)
    assert NASTY not in page


def test_a_page_without_admission_says_nothing_of_pictures() -> None:
    page = parsed(decision(FLOOR), SHOWN)
    assert "pictures" not in page.text
