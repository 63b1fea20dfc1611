"""The site as a function from an address to a page; a server and a folder of files both use it."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from components.records.clock import utc_now
from components.records.errors import CasegateError, ConfigError, UsageError
from components.records.files import write_atomically, writing_to
from pipeline.evidence.subject import Evidence
from pipeline.site import places
from pipeline.site.catalogue import Catalogue
from pipeline.site.content import Document, Page
from pipeline.site.pages import overview, questions, record, search, subject
from pipeline.site.render import NAVIGATION, render
from pipeline.site.run_file import shown_files
from pipeline.site.view import Links, View, refused

# What a page of the site may do: show its own style and pictures, and ask this server.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'"
)
_LONGEST = 300  # letters of one parameter

Parameters = Mapping[str, str]
Made = Page | Document
_ID = r"([0-9A-Za-z][0-9A-Za-z._-]{0,63})"
_WHAT = r"([a-z]{2,20})"


def _of_subject(view: View, about: subject.AboutPage, what: str) -> Made:
    if what == "index":
        return subject.main_page(view, about)
    if what == subject.CARD:
        return subject.card_document(view, about)
    return subject.question_page(view, about, what)


def _case_set(view: View, given: Parameters, name: str) -> Made:
    place = f"case-set/{name}.html"
    for known in view.catalogue.case_sets:
        if places.case_set_page(known) == place:
            return questions.case_set(view, known)
    raise ConfigError("no case set of this name has judged anything here")


# Address -> what makes the page; groups are handed on. Nothing of an address becomes a path but
# a run's id and the name of a file, and both have to be known.
ROUTES: tuple[tuple[str, Callable[..., Made]], ...] = (
    (r"(?:index\.html)?", lambda view, given: overview.home(view)),
    (r"releases\.html", lambda view, given: overview.releases(view)),
    (r"runs\.html", overview.runs),
    (r"compare\.html", questions.compare),
    (r"case-sets\.html", lambda view, given: questions.case_sets(view)),
    (r"blocked\.html", questions.blocked),
    (r"live\.html", questions.live),
    (r"search\.html", search.search),
    (r"ledger\.html", lambda view, given: record.ledger(view)),
    (r"verify\.html", lambda view, given: record.verify(view)),
    (rf"run/{_ID}/{_WHAT}\.html", lambda v, given, n, w: _of_subject(v, subject.of_run(v, n), w)),
    (rf"run/{_ID}/files/{_ID}", lambda v, given, run, name: subject.file_document(v, run, name)),
    (
        rf"release/{_ID}/{_WHAT}\.html",
        lambda v, given, n, w: _of_subject(v, subject.of_release(v, n), w),
    ),
    (r"case-set/([a-z0-9_-]{1,60})\.html", _case_set),
    (r"ledger/([1-9]\d{0,5})\.html", lambda v, given, n: record.ledger_entries(v, int(n))),
    (rf"compare/{_ID}/{_ID}\.html", lambda v, given, a, b: questions.comparison(v, a, b)),
)


@dataclass(frozen=True)
class Site:
    """Attributes:
    searches: whether a server answers; without it, pages hold no form and carry their own policy.
    """

    root: Path
    searches: bool = True

    def respond(self, path: str, parameters: Parameters | None = None) -> Document:
        """What stands at an address, whatever it is; a fault becomes a page that says so."""
        try:
            given = {name: text[:_LONGEST] for name, text in (parameters or {}).items()}
            with Evidence(self.root) as evidence:
                return self.document(self.view(evidence), path, given)
        except CasegateError as error:
            return self.fault(path, error)

    def view(self, evidence: Evidence) -> View:
        """One reading of the ledger, for as many pages as are asked for."""
        return View(evidence, Catalogue(evidence), self.searches, utc_now())

    def fault(self, path: str, error: CasegateError) -> Document:
        """A page without any evidence, for when the evidence cannot be read."""
        status = 404 if isinstance(error, UsageError) else 500
        title = "Not found" if status == 404 else "The record does not fit"
        page = Page(path, title, (refused(title, "fault", error),), trail=(), status=status)
        return self.rendered(page, Links(None, path, searches=False), str(self.root))

    def rendered(self, page: Page, links: Links, workspace: str) -> Document:
        policy = None if self.searches else POLICY
        html = render(page, links, workspace=workspace, policy=policy)
        return Document(html.encode(), "text/html; charset=utf-8", POLICY, page.status)

    def document(self, view: View, path: str, parameters: Parameters) -> Document:
        """What stands at an address.

        Raises:
          ConfigError: nothing does.
          IntegrityError: the evidence for it does not fit.
        """
        if path == places.STYLE:
            style = (files("pipeline.site") / path).read_bytes()
            return Document(style, "text/css; charset=utf-8", POLICY)
        for pattern, made in ROUTES:
            if found := re.fullmatch(pattern, path):
                page = made(view, parameters, *found.groups())
                if isinstance(page, Document):
                    return page
                workspace = f"{self.root.name}, {view.evidence.workspace_id}"
                return self.rendered(page, view.links_from(path), workspace)
        raise ConfigError("there is no page at this address")

    def places(self, view: View) -> Iterator[str]:
        """The address of everything that there is, each once."""
        yield from (places.STYLE, *(place for _, place in NAVIGATION))
        yield from record.ledger_places(view)
        yield from (places.case_set_page(name) for name in view.catalogue.case_sets)
        for name in view.catalogue.releases:
            yield from subject.pages_of(view, subject.of_release(view, name))
            if (before := view.catalogue.before(name)) is not None:
                yield places.comparison_page(before, name)
        for run_id in view.catalogue.runs:
            yield from subject.pages_of(view, subject.of_run(view, run_id))
            if run_id in view.catalogue.recorded:
                for file in shown_files(view.evidence.workspace.run_folder(run_id)):
                    yield places.run_file(run_id, file)


@dataclass(frozen=True)
class Built:
    """What was written; `faults` is what does not fit, as the pages at these addresses say too."""

    pages: int
    bytes: int
    faults: tuple[str, ...]


def build(root: Path, out: Path, *, progress: Callable[[int, int], None]) -> Built:
    """Writes every page below `out`, for an archive: what needs a server is left out.

    Args:
      out: a folder that is not there yet, or is empty.
      progress: is told how many of how many pages are written.

    Raises:
      ConfigError: something lies in the folder, or it cannot be written.
      IntegrityError: the ledger does not fit.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out}: something is there already; name a new or empty folder")
    site, size, faults = Site(root.resolve(), searches=False), 0, []
    with Evidence(site.root) as evidence:
        view = site.view(evidence)
        wanted = list(site.places(view))
        for count, place in enumerate(wanted, start=1):
            try:
                found = site.document(view, place, {})
            except CasegateError as error:
                found = site.fault(place, error)
                faults.append(f"{place}: {error}")
            path = out / place
            with writing_to(path):
                write_atomically(path, found.body)
            size += len(found.body)
            progress(count, len(wanted))
    return Built(len(wanted), size, tuple(faults))
