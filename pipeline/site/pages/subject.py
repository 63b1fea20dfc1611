"""The pages of one run and of one release, and what can be asked of either."""

from collections.abc import Callable
from dataclasses import dataclass

from components.records.errors import ConfigError
from components.records.run_files import HTML_REPORT
from pipeline.evidence.answer import Answer
from pipeline.evidence.subject import Evidence, Subject
from pipeline.site import places
from pipeline.site.content import Document, Link, Page, PageSection, section_of
from pipeline.site.pages.about import AboutPage
from pipeline.site.pages.parts import entries, files, flips, made_of
from pipeline.site.pages.trace import trace_sections
from pipeline.site.run_file import policy_of_document, run_document, shown_files
from pipeline.site.view import View, guarded

Question = Callable[[Evidence, Subject], Answer]


@dataclass(frozen=True)
class SubjectQuestion:
    """A question about one run or release that has a page of its own."""

    title: str
    command: str
    answer: Question


def _checks(evidence: Evidence, subject: Subject) -> Answer:
    from pipeline.evidence.questions.checks import checks

    return checks(evidence, subject)


def _performance(evidence: Evidence, subject: Subject) -> Answer:
    from pipeline.evidence.questions.performance import performance

    return performance(evidence, subject)


def _independence(evidence: Evidence, subject: Subject) -> Answer:
    from pipeline.evidence.questions.independence import independence

    return independence(evidence, subject)


QUESTIONS = {
    "checks": SubjectQuestion("Verifications and their order", "checks", _checks),
    "performance": SubjectQuestion("Performance", "performance", _performance),
    "independence": SubjectQuestion(
        "Independence of the training data", "independence", _independence
    ),
}
TRACE, CARD = "trace", "card"


def main_page(view: View, about: AboutPage) -> Page:
    """All that is known of it, and where to read on."""
    subject = about.subject
    if not view.catalogue.has_record(subject.run_id):
        missing = f"the run left no record in {view.evidence.workspace.run_folder(subject.run_id)}"
        sections: tuple[PageSection, ...] = (PageSection("Made of", "made-of", alarm=missing),)
    else:
        made = made_of(view, subject)
        changed = guarded("Cases that changed", "flips", lambda: flips(view, subject))
        sections = (
            _read_on(view, about),
            *made,
            changed,
            entries(view, subject),
            files(view, subject),
        )
    return Page(
        about.place(),
        about.title,
        sections,
        lead=_lead(view, about),
        trail=about.trail(below=False),
        command=f"casegate lineage show {about.asked_by}",
    )


def question_page(view: View, about: AboutPage, what: str) -> Page:
    """One of QUESTIONS, or the trace."""
    if what == TRACE:
        place = about.place(TRACE)
        links = view.links_from(place)
        sections = trace_sections(view, about.subject, links)
        title, command = f"{about.title}: what led to it", "trace"
    elif what in QUESTIONS:
        asked = QUESTIONS[what]
        sections = (
            guarded(
                asked.title,
                what,
                lambda: section_of(asked.answer(view.evidence, about.subject), asked.title, what),
            ),
        )
        title, command = f"{about.title}: {asked.title.lower()}", asked.command
    else:
        raise ConfigError(f"{what}: not a page of a run or release")
    return Page(
        about.place(what),
        title,
        sections,
        trail=about.trail(below=True),
        command=f"casegate lineage {command} {about.asked_by}",
    )


def card_document(view: View, about: AboutPage) -> Document:
    """The model card, as the page of its own that it is."""
    from components.card import card_html
    from pipeline.evidence.card.card import card_of

    body = card_html(card_of(view.evidence, about.subject)).encode()
    return Document(body, "text/html; charset=utf-8", policy_of_document(script=False))


def file_document(view: View, run_id: str, name: str) -> Document:
    """One of the run's files."""
    if not view.catalogue.has_record(run_id):
        raise ConfigError(f"run {run_id}: not known to this workspace")
    folder = view.evidence.workspace.run_folder(run_id)
    return run_document(folder, name, view.evidence.record(run_id))


def pages_of(view: View, about: AboutPage) -> list[str]:
    """Places of all pages of a run or release that there are."""
    if not view.catalogue.has_record(about.subject.run_id):
        return [about.place()]
    decided = ("decision", about.subject.run_id) in view.evidence.last_entries
    whats = ["index", TRACE, *(QUESTIONS if decided else ("checks",))]
    return [about.place(what) for what in (*whats, *((CARD,) if decided else ()))]


def _lead(view: View, about: AboutPage) -> str:
    release, line = about.subject.release, view.catalogue.runs.get(about.subject.run_id)
    if about.is_release and release is not None:
        now = "is serving" if release.seq in view.catalogue.serving else "was replaced"
        what = "put back by" if release.restored is not None else "released by"
        return f"{release.destination}: {what} {release.by} at {release.at}, and {now}."
    state = line.state.replace("_", " ") if line else "not known"
    verdict = f", verdict {line.verdict}" if line and line.verdict else ""
    return f"Ended as: {state}{verdict}."


def _read_on(view: View, about: AboutPage) -> PageSection:
    subject = about.subject
    there = pages_of(view, about)
    titles = {TRACE: "Trace to the training data", CARD: "Model card"}
    titles |= {name: asked.title for name, asked in QUESTIONS.items()}
    links = [Link(words, about.place(n)) for n, words in titles.items() if about.place(n) in there]
    if about.is_release:
        links.append(Link(f"Run {subject.run_id}", places.run_page(subject.run_id)))
        links += _neighbours(view, about.name)
    elif subject.release is not None:
        name = view.catalogue.name_of[subject.release.seq]
        links.append(Link(f"Version {subject.release.version}", places.release_page(name)))
    report = places.run_file(subject.run_id, HTML_REPORT)
    if HTML_REPORT in shown_files(view.evidence.workspace.run_folder(subject.run_id)):
        links.insert(0, Link("Report", report))
    return PageSection("Read on", "read-on", links=tuple(links))


def _neighbours(view: View, name: str) -> list[Link]:
    """The comparison with what the destination served before."""
    before = view.catalogue.before(name)
    if before is None:
        return []
    return [Link(f"Compare with version {before}", places.comparison_page(before, name))]
