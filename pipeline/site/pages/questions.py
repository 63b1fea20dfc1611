"""Pages that answer a question: what was live, what was blocked, what differs, what is affected."""

from collections.abc import Callable, Mapping

from pipeline.evidence.answer import Answer
from pipeline.site import places
from pipeline.site.content import Field, Form, Link, Page, PageSection, section_of
from pipeline.site.tables import serving_table
from pipeline.site.view import OVERVIEW, View, guarded

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
        sections.append(_asked("Serving then", "live", lambda: _live(view, at)))
    table = serving_table(view.catalogue)
    sections.append(PageSection("At all times", "served", tables=(table,)))
    return Page(
        places.LIVE,
        "What was serving when",
        tuple(sections),
        trail=(OVERVIEW,),
        command=f"casegate lineage live --at {at or 'DATETIME'}",
    )


def blocked(view: View, parameters: Mapping[str, str]) -> Page:
    """What was not released, or waived, and why."""
    since = parameters.get("since", "").strip() if view.searches else ""
    found = _asked("Blocked or waived", "blocked", lambda: _blocked(view, since or None))
    sections = [found]
    if view.searches:
        field = Field("since", "Since", since, hint="a day or a time")
        sections.insert(
            0, PageSection("Narrow", "ask", form=Form(places.BLOCKED, "Show", (field,)))
        )
    return Page(
        places.BLOCKED,
        "What was blocked or waived, and why",
        tuple(sections),
        trail=(OVERVIEW,),
        command=f"casegate lineage blocked{f' --since {since}' if since else ''}",
    )


def case_sets(view: View) -> Page:
    """The case sets that judged."""
    links = tuple(Link(name, places.case_set_page(name)) for name in view.catalogue.case_sets)
    notes = () if links else ("No case set has judged anything yet.",)
    section = PageSection("Case sets", "case-sets", links=links, notes=notes)
    return Page(
        places.CASE_SETS,
        "Case sets",
        (section,),
        lead="The locked cases that candidates were judged on, and how often each was used.",
        trail=(OVERVIEW,),
        command="casegate lineage looks CASE_SET",
    )


def case_set(view: View, name: str) -> Page:
    """How often a case set was used, by which runs, and how many looks are left."""
    return Page(
        places.case_set_page(name),
        f"Case set {name}",
        (_asked("Looks", "looks", lambda: _looks(view, name)),),
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
        trail=(OVERVIEW,),
        command="casegate lineage diff A B",
    )


def comparison(view: View, first: str, second: str, *, before: PageSection | None = None) -> Page:
    """What changed from the first to the second; each a release's name or a run id."""
    found = _asked("What changed", "diff", lambda: _diff(view, first, second))
    words = [_said(view, name) for name in (first, second)]
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
    runs = [
        (run.run_id, f"run {run.run_id}, {run.state.replace('_', ' ')}")
        for run in view.catalogue.runs.values()
        if run.verdict is not None
    ]
    return (("", "choose"), *releases[:COMPARED], *runs[:COMPARED])


def _said(view: View, name: str) -> str:
    return f"version {name}" if name in view.catalogue.releases else f"run {name}"


def _asked(title: str, name: str, answer: Callable[[], Answer]) -> PageSection:
    return guarded(title, name, lambda: section_of(answer(), title, name))


def _live(view: View, at: str) -> Answer:
    from pipeline.evidence.questions.live import live as answer

    return answer(view.evidence, at)


def _blocked(view: View, since: str | None) -> Answer:
    from pipeline.evidence.questions.blocked import blocked as answer

    return answer(view.evidence, since=since)


def _looks(view: View, name: str) -> Answer:
    from pipeline.evidence.questions.looks import looks as answer

    return answer(view.evidence, name)


def _diff(view: View, first: str, second: str) -> Answer:
    from pipeline.evidence.questions.diff import diff
    from pipeline.site.pages.about import about

    return diff(view.evidence, about(view, first).subject, about(view, second).subject)
