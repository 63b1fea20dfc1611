"""What every page is made from: the workspace's evidence as of one request."""

from collections.abc import Callable
from dataclasses import dataclass

from components.errors import CasegateError, UsageError
from pipeline.audit.catalogue import Catalogue
from pipeline.audit.content import Link, Section
from pipeline.audit.links import Links
from pipeline.audit.places import HOME
from pipeline.lineage.subject import Evidence

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


def guarded(title: str, name: str, made: Callable[[], Section]) -> Section:
    """The section, or what is wrong with the evidence it would show: the page goes on."""
    try:
        return made()
    except CasegateError as error:
        return refused(title, name, error)


def refused(title: str, name: str, error: CasegateError) -> Section:
    """A section that says why there is nothing in it."""
    return Section(title, name, alarm=str(error), severe=not isinstance(error, UsageError))
