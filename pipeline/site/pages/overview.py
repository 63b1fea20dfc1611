"""The first page, and the lists of all releases and all runs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from markupsafe import Markup

from components.decision import Verdict
from components.pages.svg import Scale, drawing, element, label, line, mark
from components.records.clock import parse_time
from components.records.errors import CasegateError
from components.records.ledger.records import Release
from components.records.run_files import RUN_STATES
from pipeline.evidence.answer import Table
from pipeline.evidence.questions.listing import Filters, listing
from pipeline.evidence.show_answer import shown_words
from pipeline.site import places
from pipeline.site.catalogue import RunLine, release_table, run_table
from pipeline.site.content import Field, Form, Link, Page, PageSection, section_of
from pipeline.site.view import Links, View, refused

_WIDTH, _LEFT, _RIGHT, _TOP, _LANE = 1120, 190, 24, 14, 62
_APART = 15  # between marks that would lie on each other
_LEVELS = 3
_BAD = (Verdict.FAIL.value, Verdict.INCONCLUSIVE.value)
LATEST, DRAWN, LISTED, MOST_ROWS = 10, 60, 200, 1000
TRIGGERS = ("commit", "schedule", "drift", "manual")
_FILTERS = ("state", "verdict", "trigger", "commit", "since", "until")


@dataclass(frozen=True)
class TimelineMoment:
    """Something that happened.

    Attributes:
      at: ISO 8601 in UTC.
      what: release, rollback, FAIL or INCONCLUSIVE; how it is drawn.
      words: what it is, for whoever cannot see where it lies.
    """

    at: str
    what: str
    words: str
    href: str | None = None


@dataclass(frozen=True)
class Lane:
    """A row of the picture; `served`: what stands in it serves until the next does."""

    name: str
    moments: tuple[TimelineMoment, ...]
    served: bool = True


def timeline(lanes: Sequence[Lane], *, until: str) -> Markup:
    """The picture, one lane under the other, up to `until` (ISO 8601 in UTC)."""
    moments = [moment for lane in lanes for moment in lane.moments]
    first, last = min(_seconds(m.at) for m in moments), _seconds(until)
    last = max(last, max(_seconds(m.at) for m in moments), first + 60)
    across = Scale(first, last, _LEFT + 10, _WIDTH - _RIGHT)
    height = _TOP + _LANE * len(lanes) + 26
    drawn = [_lane(lane, _TOP + number * _LANE, across, last) for number, lane in enumerate(lanes)]
    count = sum(len(lane.moments) for lane in lanes if lane.served)
    text = f"{count} releases and rollbacks from {min(m.at for m in moments)} to {until}; "
    text += "the table below has the same."
    return drawing(
        (_WIDTH, height),
        "timeline",
        "Releases on a time line",
        text,
        *_axis(first, last, across, height),
        *drawn,
        role="group",
        class_="timeline",
    )


def _lane(lane: Lane, top: float, across: Scale, last: float) -> Markup:
    middle = top + _LANE / 2 + 6
    words = shown_words(lane.name)
    words = words if len(words) <= 26 else f"…{words[-25:]}"  # folders differ at their end
    parts = [label(4, middle + 4, words, "lane")]
    ordered = sorted(lane.moments, key=lambda moment: moment.at)
    if lane.served:
        ends = [*(_seconds(moment.at) for moment in ordered[1:]), last]
        for moment, end in zip(ordered, ends, strict=True):
            start = across(_seconds(moment.at))
            css = "now" if moment is ordered[-1] else "served"
            size = {"width": max(across(end) - start - 1, 0.5), "height": 10}
            parts.append(element("rect", x=start, y=middle - 5, **size, class_=css))
    taken = [float("-inf")] * _LEVELS
    for moment in ordered:
        x = across(_seconds(moment.at))
        level = next((n for n, before in enumerate(taken) if x - before >= _APART), None)
        level = min(range(_LEVELS), key=lambda n: taken[n]) if level is None else level
        taken[level] = x
        parts.append(_mark(moment, x, middle - _APART * level))
    return element("g", *parts)


def _mark(moment: TimelineMoment, x: float, y: float) -> Markup:
    shape = element("circle", cx=x, cy=y, r=6, class_="released")
    if moment.what in _BAD:
        shape = mark(Verdict(moment.what), x, y, 5)
    elif moment.what == "rollback":
        shape = element("path", d=f"M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z", class_="rollback")
    words = shown_words(moment.words)
    group = element("g", element("title", words), shape)
    return element("a", group, href=moment.href, aria_label=words) if moment.href else group


def _axis(first: float, last: float, across: Scale, height: float) -> list[Markup]:
    span, parts = last - first, []
    form = "%H:%M:%S" if span < 600 else "%d %b %H:%M" if span < 5 * 86400 else "%Y-%m-%d"
    for number in range(6):
        at = first + span * number / 5
        words = datetime.fromtimestamp(at, tz=timezone.utc).strftime(form)
        x = across(at)
        parts.append(line(x, _TOP, x, height - 22, "grid"))
        anchor = "end" if number == 5 else "middle" if number else "start"
        parts.append(element("text", words, x=x, y=height - 6, class_="quiet", text_anchor=anchor))
    parts.append(label(4, height - 6, "UTC", "quiet"))
    return parts


def _seconds(at: str) -> float:
    return parse_time(at).timestamp()


def home(view: View) -> Page:
    """What serves now, what came before it on a time line, and the latest runs."""
    entries, runs = view.evidence.entries, list(view.catalogue.runs.values())
    sections = [_serving(view)]
    if view.evidence.releases:
        sections += _time_line(view, places.HOME)
    table = run_table(runs[:LATEST], f"The latest {LATEST} runs")
    all_runs = Link(f"All {len(runs):,} runs", places.RUNS)
    sections.append(PageSection("Latest runs", "runs", tables=(table,), links=(all_runs,)))
    sections.append(_counts(runs))
    return Page(
        places.HOME,
        "What was released, and on what evidence",
        tuple(sections),
        lead=f"{len(runs):,} runs; {len(entries):,} ledger entries, each of which fits the one "
        "before it.",
        trail=(),
        command="casegate lineage list",
    )


def releases(view: View) -> Page:
    found = list(view.catalogue.releases.items())
    sections = _time_line(view, places.RELEASES)[:1] if found else []
    title = "Releases and rollbacks, newest first"
    table = release_table(view.catalogue, reversed(found), title)
    return Page(
        places.RELEASES,
        "Releases",
        (*sections, PageSection("All of them", "all", tables=(table,))),
        lead="What was put in a destination, by a run or by a person's rollback.",
        command="casegate lineage list",
    )


def runs(view: View, parameters: Mapping[str, str]) -> Page:
    """Every run and rollback, newest first; on a server they can be narrowed."""
    wanted = {name: parameters.get(name, "").strip() for name in _FILTERS}
    filters = Filters(**{name: text or None for name, text in wanted.items()})
    text, limit = parameters.get("limit", ""), len(view.evidence.entries) + MOST_ROWS
    if view.searches:
        usable = text.isdecimal() and len(text) < 7
        limit = min(max(int(text), 1), MOST_ROWS) if usable else LISTED
    try:
        answer = listing(view.evidence, filters, limit=limit)
        found = section_of(answer, "Runs and rollbacks", "runs")
    except CasegateError as error:
        # The ledger's own words, where ML Metadata cannot be read.
        known = list(view.catalogue.runs.values())
        table = run_table(known[:limit], "Every run that the ledger names")
        found = replace(refused("Runs", "runs", error), tables=(table,))
    if view.searches:
        found = replace(found, form=_form(wanted), links=_more(found, wanted, limit))
    return Page(places.RUNS, "Runs", (found,), command="casegate lineage list")


def _more(section: PageSection, wanted: Mapping[str, str], limit: int) -> tuple[Link, ...]:
    cut = section.tables and len(section.tables[0].rows) == limit < MOST_ROWS
    given = {name: text for name, text in wanted.items() if text}
    more = {**given, "limit": str(MOST_ROWS)}
    return (Link(f"Up to {MOST_ROWS:,}", places.RUNS, more),) if cut else ()


def _serving(view: View) -> PageSection:
    found = [(n, r) for n, r in view.catalogue.releases.items() if r.seq in view.catalogue.serving]
    table = release_table(view.catalogue, found, "By the ledger's last word")
    note = "Whether the files there are still these is what `casegate lineage verify` checks."
    return PageSection("Serving now", "serving", tables=(table,), notes=(note,))


def _time_line(view: View, here: str) -> list[PageSection]:
    """The picture of the latest releases, and the same as a table."""
    drawn = list(view.catalogue.releases.items())[-DRAWN:]
    links = view.links_from(here)
    lanes = [*_lanes(drawn, links), *_not_released(view, drawn[0][1].at, links)]
    notes = [
        "A disc is a release, a diamond a rollback, a bar the time that a version served, and a "
        "cross or triangle a candidate that was not released."
    ]
    if older := len(view.catalogue.releases) - len(drawn):
        notes.append(f"{older:,} older ones are not drawn.")
    table = release_table(view.catalogue, drawn, "Releases that the picture shows, oldest first")
    picture = timeline(lanes, until=view.now)
    return [
        PageSection("Time line", "time-line", picture=picture, notes=tuple(notes)),
        PageSection("The time line as a table", "time-line-table", tables=(table,), folded=True),
    ]


def _lanes(drawn: Iterable[tuple[str, Release]], links: Links) -> list[Lane]:
    found: dict[str, list[TimelineMoment]] = {}
    for name, release in drawn:
        words = f"{release.kind} of version {release.version} at {release.at}"
        if release.restored is not None:
            words += f", which put version {release.restored} back"
        moment = TimelineMoment(release.at, release.kind, words, links.of("release", name))
        found.setdefault(release.destination, []).append(moment)
    return [Lane(name, tuple(moments)) for name, moments in sorted(found.items())]


def _not_released(view: View, since: str, links: Links) -> list[Lane]:
    """Candidates that were judged and not let through, since the first release that is drawn."""
    moments = []
    for entry in view.evidence.entries:
        if entry.kind == "decision" and entry.body["verdict"] in _BAD and entry.at >= since:
            verdict, run_id = str(entry.body["verdict"]), entry.body["run_id"]
            words = f"{verdict}: run {run_id} at {entry.at}"
            moments.append(TimelineMoment(entry.at, verdict, words, links.of("run", run_id)))
    return [Lane("not released", tuple(moments[-DRAWN:]), served=False)] if moments else []


def _counts(runs: Sequence[RunLine]) -> PageSection:
    def ranked(words: Iterable[str]) -> tuple[tuple[str, int], ...]:
        return tuple(sorted(Counter(words).items(), key=lambda item: (-item[1], item[0])))

    states, verdicts = (run.state for run in runs), (run.verdict or "none" for run in runs)
    tables = (
        Table("states", "What became of the runs", ("state", "runs"), ranked(states)),
        Table("verdicts", "What was decided", ("verdict", "runs"), ranked(verdicts)),
    )
    return PageSection("In numbers", "counts", tables=tables)


def _form(wanted: Mapping[str, str]) -> Form:
    day = "such as 2026-03-31, UTC"
    states, verdicts = _choices(RUN_STATES), _choices(v.value for v in Verdict)
    fields = (
        Field("state", "State", wanted["state"], states),
        Field("verdict", "Verdict", wanted["verdict"], verdicts),
        Field("trigger", "Started by", wanted["trigger"], _choices(TRIGGERS)),
        Field("commit", "Commit", wanted["commit"], hint="its beginning"),
        Field("since", "Since", wanted["since"], hint=day),
        Field("until", "Until", wanted["until"], hint=day),
    )
    return Form(places.RUNS, "Show", fields)


def _choices(words: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return (("", "any"), *((word, word.replace("_", " ")) for word in words))
