"""What every page is made from: the workspace's evidence as of one request."""

from collections.abc import Callable
from dataclasses import dataclass

from components.records.errors import CasegateError, UsageError
from pipeline.evidence.subject import Evidence
from pipeline.site.catalogue import Catalogue
from pipeline.site.content import Link, PageSection
from pipeline.site.links import Links
from pipeline.site.places import HOME

OVERVIEW = Link("Overview", HOME)


@dataclass(frozen=True)
class View:
    """Attributes:
    searches: whether a server answers questions; a folder of files cannot.
    now: the time of the request, as records write it.
    """

    evidence: Evidence
    catalogue: Catalogue
    searches: bool
    now: str

    def links_from(self, place: str) -> Links:
        return Links(self.catalogue, place, searches=self.searches)


def guarded(title: str, name: str, made: Callable[[], PageSection]) -> PageSection:
    """The section, or what is wrong with the evidence it would show: the page goes on."""
    try:
        return made()
    except CasegateError as error:
        return refused(title, name, error)


def refused(title: str, name: str, error: CasegateError) -> PageSection:
    """A section that says why there is nothing in it."""
    return PageSection(title, name, alarm=str(error), severe=not isinstance(error, UsageError))
