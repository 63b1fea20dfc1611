"""Pages that answer a question: what was live, what was blocked, what differs, what is affected."""

from collections.abc import Mapping

from pipeline.evidence.answer import Answer
from pipeline.evidence.questions.diff import diff
from pipeline.evidence.questions.listing import blocked as blocked_runs
from pipeline.evidence.questions.live import live as live_at
from pipeline.evidence.questions.looks import looks
from pipeline.site import places
from pipeline.site.catalogue import serving_table
from pipeline.site.content import OVERVIEW, Field, Form, Link, Page, PageSection
from pipeline.site.pages.subject import about
from pipeline.site.view import View, answered

COMPARED = 200  # releases and runs that the form offers


def live(view: View, parameters: Mapping[str, str]) -> Page:
    """What served from when until when; on a server also at one time that is asked for."""
    sections = []
    at = parameters.get("at", "").strip()
    if view.searches:
        hint = "such as 2026-03-31T09:30:00+02:00, or a day"
        form = Form(places.LIVE, "Show", (Field("at", "Date and time", at, hint=hint),))
        sections.append(PageSection("At a time", "ask", form=form))
    if view.searches and at:
        sections.append(answered("Serving then", "live", lambda: live_at(view.evidence, at)))
    table = serving_table(view.catalogue)
    sections.append(PageSection("At all times", "served", tables=(table,)))
    return Page(
        places.LIVE,
        "What was serving when",
        tuple(sections),
        command=f"casegate lineage live --at {at or 'DATETIME'}",
    )


def blocked(view: View, parameters: Mapping[str, str]) -> Page:
    """What was not released, or waived, and why."""
    since = parameters.get("since", "").strip() if view.searches else ""
    sections = []
    if view.searches:
        form = Form(
            places.BLOCKED, "Show", (Field("since", "Since", since, hint="a day or a time"),)
        )
        sections.append(PageSection("Narrow", "ask", form=form))

    def answer() -> Answer:
        return blocked_runs(view.evidence, since=since or None)

    sections.append(answered("Blocked or waived", "blocked", answer))
    return Page(
        places.BLOCKED,
        "What was blocked or waived, and why",
        tuple(sections),
        command=f"casegate lineage blocked{f' --since {since}' if since else ''}",
    )


def case_sets(view: View) -> Page:
    links = tuple(Link(name, places.case_set_page(name)) for name in view.catalogue.case_sets)
    notes = () if links else ("No case set has judged anything yet.",)
    section = PageSection("Case sets", "case-sets", links=links, notes=notes)
    return Page(
        places.CASE_SETS,
        "Case sets",
        (section,),
        lead="The locked cases that candidates were judged on, and how often each was used.",
        command="casegate lineage looks CASE_SET",
    )


def case_set(view: View, name: str) -> Page:
    """How often a case set was used, by which runs, and how many looks are left."""
    return Page(
        places.case_set_page(name),
        f"Case set {name}",
        (answered("Looks", "looks", lambda: looks(view.evidence, name)),),
        trail=(OVERVIEW, Link("Case sets", places.CASE_SETS)),
        command=f"casegate lineage looks {name}",
    )


def compare(view: View, parameters: Mapping[str, str]) -> Page:
    """The form that chooses two, and each release beside the one before it."""
    links = tuple(
        Link(f"Version {before} and version {name}", places.comparison_page(before, name))
        for name in reversed(list(view.catalogue.releases))
        if (before := view.catalogue.before(name)) is not None
    )
    notes = () if links else ("There are not yet two releases in one destination.",)
    sections = [PageSection("Each with the one before", "pairs", links=links, notes=notes)]
    if view.searches:
        choices = _comparable(view)
        first, second = parameters.get("a", ""), parameters.get("b", "")
        fields = (Field("a", "From", first, choices), Field("b", "To", second, choices))
        form = Form(places.COMPARE, "Compare", fields)
        sections.insert(0, PageSection("Any two", "ask", form=form))
        if first and second:
            return comparison(view, first, second, before=sections[0])
    return Page(
        places.COMPARE,
        "Compare two releases",
        tuple(sections),
        command="casegate lineage diff A B",
    )


def comparison(view: View, first: str, second: str, *, before: PageSection | None = None) -> Page:
    """What changed from the first to the second; each a release's name or a run id."""
    found = answered(
        "What changed",
        "diff",
        lambda: diff(view.evidence, about(view, first).subject, about(view, second).subject),
    )
    known = view.catalogue.releases
    words = [f"{'version' if n in known else 'run'} {n}" for n in (first, second)]
    return Page(
        places.comparison_page(first, second) if before is None else places.COMPARE,
        f"From {words[0]} to {words[1]}",
        (before, found) if before else (found,),
        trail=(OVERVIEW, Link("Compare", places.COMPARE)),
        command=f"casegate lineage diff {first.partition('-')[0]} {second.partition('-')[0]}",
    )


def _comparable(view: View) -> tuple[tuple[str, str], ...]:
    releases = [
        (name, f"version {r.version}, {r.destination}, {r.at}")
        for name, r in reversed(list(view.catalogue.releases.items()))
    ]
    decided = [run for run in view.catalogue.runs.values() if run.verdict is not None]
    runs = [(r.run_id, f"run {r.run_id}, {r.state.replace('_', ' ')}") for r in decided]
    return (("", "choose"), *releases[:COMPARED], *runs[:COMPARED])
