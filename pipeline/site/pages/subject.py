"""The pages of one run and of one release, and what can be asked of either."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from markupsafe import Markup

from components.bundle.trace_graph import TraceNode
from components.records.errors import CasegateError, ConfigError
from components.records.ledger.records import Release
from components.records.run_files import HTML_REPORT
from pipeline.evidence.answer import Answer, Table
from pipeline.evidence.questions.checks import checks
from pipeline.evidence.questions.independence import independence
from pipeline.evidence.questions.performance import performance
from pipeline.evidence.questions.show import show
from pipeline.evidence.subject import Evidence, Subject
from pipeline.evidence.trace.drawings import facts
from pipeline.evidence.trace.svg import as_svg
from pipeline.evidence.trace.trace import trace
from pipeline.governance.show_ledger import sentence
from pipeline.site import places
from pipeline.site.content import OVERVIEW, Document, Link, Page, PageSection, section_of
from pipeline.site.run_file import SHOWN, policy_of_document, run_document, shown_files
from pipeline.site.view import Links, View, answered, guarded, refused

# What has a page of its own, by the name of the command that answers it.
QUESTIONS: dict[str, tuple[str, Callable[[Evidence, Subject], Answer]]] = {
    "checks": ("Verifications and their order", checks),
    "performance": ("Performance", performance),
    "independence": ("Independence of the training data", independence),
}
TRACE, CARD = "trace", "card"


@dataclass(frozen=True)
class AboutPage:
    """A page by its name; `release` is None for the page of a run, whatever that run released."""

    subject: Subject
    name: str
    release: Release | None = None

    @property
    def title(self) -> str:
        return f"Version {self.release.version}" if self.release else f"Run {self.name}"

    @property
    def asked_by(self) -> str:
        """What the command line calls it."""
        if self.release is None:
            return self.name
        where = f" --destination {self.release.destination}" if "-" in self.name else ""
        return f"{self.release.version}{where}"

    def place(self, what: str = "index") -> str:
        return (places.release_page if self.release else places.run_page)(self.name, what)

    def trail(self, *below: Link) -> tuple[Link, ...]:
        kind = Link("Releases", places.RELEASES) if self.release else Link("Runs", places.RUNS)
        return (OVERVIEW, kind, *below)


def about(view: View, name: str) -> AboutPage:
    """The release that has this name, or else the run; raises ConfigError where there is none."""
    return of_release(view, name) if name in view.catalogue.releases else of_run(view, name)


def of_run(view: View, run_id: str) -> AboutPage:
    """Raises ConfigError where no such run is known."""
    if run_id not in view.catalogue.runs:
        raise ConfigError(f"run {run_id}: not known to this workspace")
    released = [r for r in view.evidence.releases if r.run_id == run_id]
    return AboutPage(Subject(run_id, released[-1] if released else None), run_id)


def of_release(view: View, name: str) -> AboutPage:
    """Raises ConfigError where no such release is known."""
    release = view.catalogue.releases.get(name)
    if release is None:
        raise ConfigError(f"version {name}: not known to this workspace")
    return AboutPage(Subject(view.evidence.run_of(release), release), name, release)


def main_page(view: View, about: AboutPage) -> Page:
    """All that is known of it, and where to read on."""
    subject = about.subject
    if subject.run_id not in view.catalogue.recorded:
        missing = f"the run left no record in {view.evidence.workspace.run_folder(subject.run_id)}"
        sections = [PageSection("Made of", "made-of", alarm=missing)]
    else:
        left = shown_files(view.evidence.workspace.run_folder(subject.run_id))
        files = (Link(f"{n}: {SHOWN[n][0]}", places.run_file(subject.run_id, n)) for n in left)
        sections = [
            _read_on(view, about),
            *_made_of(view, subject),
            guarded("Cases that changed", "flips", lambda: _flips(view, subject)),
            _entries(view, subject),
            PageSection("Files of the run", "files", links=tuple(files)),
        ]
    return Page(
        about.place(),
        about.title,
        tuple(sections),
        lead=_lead(view, about),
        trail=about.trail(),
        command=f"casegate lineage show {about.asked_by}",
    )


def question_page(view: View, about: AboutPage, what: str) -> Page:
    """One of QUESTIONS, or the trace."""
    if what == TRACE:
        title = "What led to it"
        sections = _trace(view, about.subject, view.links_from(about.place(TRACE)))
    elif what in QUESTIONS:
        title, answer = QUESTIONS[what]
        sections = (answered(title, what, lambda: answer(view.evidence, about.subject)),)
    else:
        raise ConfigError(f"{what}: not a page of a run or release")
    return Page(
        about.place(what),
        f"{about.title}: {title.lower()}",
        sections,
        trail=about.trail(Link(about.title, about.place())),
        command=f"casegate lineage {what} {about.asked_by}",
    )


def card_document(view: View, about: AboutPage) -> Document:
    """The model card, as the page of its own that it is."""
    from components.card.card import card_html
    from pipeline.evidence.card.card import card_of

    body = card_html(card_of(view.evidence, about.subject)).encode()
    return Document(body, "text/html; charset=utf-8", policy_of_document(script=False))


def file_document(view: View, run_id: str, name: str) -> Document:
    if run_id not in view.catalogue.recorded:
        raise ConfigError(f"run {run_id}: not known to this workspace")
    folder = view.evidence.workspace.run_folder(run_id)
    return run_document(folder, name, view.evidence.record(run_id))


def pages_of(view: View, about: AboutPage) -> list[str]:
    """Places of all pages of a run or release that there are."""
    if about.subject.run_id not in view.catalogue.recorded:
        return [about.place()]
    decided = ("decision", about.subject.run_id) in view.evidence.last_entries
    asked = (*QUESTIONS, CARD) if decided else ("checks",)
    return [about.place(what) for what in ("index", TRACE, *asked)]


def _lead(view: View, about: AboutPage) -> str:
    release, line = about.release, view.catalogue.runs.get(about.subject.run_id)
    if release is not None:
        now = "is serving" if release.seq in view.catalogue.serving else "was replaced"
        what = "put back by" if release.restored is not None else "released by"
        return f"{release.destination}: {what} {release.by} at {release.at}, and {now}."
    state = line.state.replace("_", " ") if line else "not known"
    verdict = f", verdict {line.verdict}" if line and line.verdict else ""
    return f"Ended as: {state}{verdict}."


def _read_on(view: View, about: AboutPage) -> PageSection:
    subject, there = about.subject, pages_of(view, about)
    titles = {TRACE: "Trace to the training data", CARD: "Model card"}
    titles |= {name: title for name, (title, _) in QUESTIONS.items()}
    links = [Link(words, about.place(n)) for n, words in titles.items() if about.place(n) in there]
    if about.release is not None:
        links.append(Link(f"Run {subject.run_id}", places.run_page(subject.run_id)))
        if (before := view.catalogue.before(about.name)) is not None:
            place = places.comparison_page(before, about.name)
            links.append(Link(f"Compare with version {before}", place))
    elif subject.release is not None:
        name = view.catalogue.name_of[subject.release.seq]
        links.append(Link(f"Version {subject.release.version}", places.release_page(name)))
    if HTML_REPORT in shown_files(view.evidence.workspace.run_folder(subject.run_id)):
        links.insert(0, Link("Report", places.run_file(subject.run_id, HTML_REPORT)))
    return PageSection("Read on", "read-on", links=tuple(links))


def _made_of(view: View, subject: Subject) -> list[PageSection]:
    """The answer of `lineage show`, each of its tables as a section of its own."""
    try:
        answer = show(view.evidence, subject)
    except CasegateError as error:
        return [refused("Made of", "made-of", error)]
    whole = section_of(answer, "Made of", "made-of")
    parts = [PageSection(t.title, t.name, tables=(t,)) for t in answer.tables if t.rows]
    return [replace(whole, tables=()), *parts]


def _flips(view: View, subject: Subject) -> PageSection:
    decision = view.evidence.decision(subject.run_id)
    rows = tuple(
        (case, change, flips.against, "never-miss" if case in flips.lost_sentinels else None)
        for flips in (decision.flips if decision else ())
        for change, ids in (("lost", flips.lost), ("gained", flips.gained))
        for case in ids
    )
    columns, links = ("case", "change", "against", "sentinel"), {"case": "case"}
    table = Table("flips", "Cases that turned wrong or right", columns, rows, links)
    return PageSection("Cases that changed", "flips", tables=(table,), folded=len(rows) > 20)


def _entries(view: View, subject: Subject) -> PageSection:
    rows = tuple(
        (e.seq, e.at, e.kind, e.by, sentence(e))
        for e in view.evidence.entries
        if e.body.get("run_id") == subject.run_id
        or (subject.release is not None and e.seq == subject.release.seq)
    )
    columns, links = ("entry", "at", "kind", "by", "what"), {"entry": "entry"}
    table = Table("entries", "What the ledger says of it", columns, rows, links)
    return PageSection("In the ledger", "ledger", tables=(table,))


def _trace(view: View, subject: Subject, links: Links) -> tuple[PageSection, ...]:
    """The picture, every thing in it with all that is known, and what led to what."""
    try:
        graph = trace(view.evidence, subject)
    except CasegateError as error:
        return (refused("Trace", "trace", error),)

    def address(node: TraceNode) -> str:
        page = links.of(*node.names) if node.names else None
        return page or f"#{_row_of(node)}"

    drawn = as_svg(graph, link=address, name="picture")
    words = "What came first stands on the left. A box leads to its page, or else to its row below."
    rows = tuple((n.kind, n.label, "; ".join(facts(n)), n.sha256) for n in graph.nodes)
    columns, hashes = ("kind", "what", "known", "sha256"), {"sha256": "sha256"}
    things = Table("things", "Everything in the picture", columns, rows, hashes)
    label = {node.key: node.label for node in graph.nodes}
    edges = tuple((label[e.target], e.label, label[e.source]) for e in graph.edges)
    arrows = Table("edges", "What led to what", ("what", "how", "from"), edges)
    picture = Markup(drawn)  # noqa: S704 - escaped where it is drawn
    names = tuple(map(_row_of, graph.nodes))
    return (
        PageSection("Trace", "trace", picture=picture, notes=(words, *graph.notes)),
        PageSection("Everything in it", "things", tables=(things,), row_names=names),
        PageSection("What led to what", "edges", tables=(arrows,), folded=True),
    )


def _row_of(node: TraceNode) -> str:
    """Where the node stands in the table; keys may hold what an address may not."""
    return f"place-{places.named_by_hash(node.key)}"
