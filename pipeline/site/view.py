"""What every page is made from: the evidence as of one request, and where words on a page lead."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from components.records.errors import CasegateError, UsageError
from pipeline.evidence.answer import Answer
from pipeline.evidence.subject import Evidence
from pipeline.site import places
from pipeline.site.catalogue import Catalogue
from pipeline.site.content import PageSection, section_of

# Kinds of things that the search finds, and what it calls them.
_SEARCHED = {"sha256": "hash", "commit": "commit", "case": "case", "package": "package"}
_ENTRY = re.compile(r"\b(?:ledger entry|entry) (\d{1,9})\b")


@dataclass(frozen=True)
class Links:
    """Resolves what tables and facts name, as seen from one page.

    Attributes:
      catalogue: what there are pages of; None where the evidence cannot be read.
      searches: whether there is a page that answers questions, as there is on a server alone.
    """

    catalogue: Catalogue | None
    here: str
    searches: bool

    def to(self, place: str, parameters: Mapping[str, str] | None = None) -> str:
        return places.relative(self.here, place, **(parameters or {}))

    def of(self, kind: str, value: object) -> str | None:
        """The address of what `value` names; None where no page is about it."""
        text, known = str(value), self.catalogue
        if known is None:
            return None
        if kind == "run":
            return self.to(places.run_page(text)) if text in known.runs else None
        if kind == "release":
            return self._release(text, known)
        if kind == "case_set":
            return self.to(places.case_set_page(text)) if text in known.case_sets else None
        if kind == "entry":
            there = text.isdecimal() and 0 < int(text) <= len(known.evidence.entries)
            return self.to(places.entry_place(int(text))) if there else None
        if kind in _SEARCHED and self.searches and text:
            return self.to(places.SEARCH, {"kind": _SEARCHED[kind], "value": text})
        return None

    def guessed(self, value: object) -> str | None:
        """As `of`, for a value that says itself what it is: a run id or a hash."""
        if not isinstance(value, str):
            return None
        if self.catalogue and value in self.catalogue.runs:
            return self.of("run", value)
        if re.fullmatch("[0-9a-f]{40}", value):
            return self.of("commit", value)
        return self.of("sha256", value) if re.fullmatch("[0-9a-f]{64}", value) else None

    def entry_in(self, words: str) -> tuple[str, str, str, str] | None:
        """Words before, of and after the ledger entry that a sentence names, and its address."""
        found = _ENTRY.search(words)
        address = self.of("entry", found[1]) if found else None
        if found is None or address is None:
            return None
        return words[: found.start()], found[0], words[found.end() :], address

    def _release(self, name: str, known: Catalogue) -> str | None:
        """A version that stands in several destinations leads to the list of them."""
        if name in known.releases:
            return self.to(places.release_page(name))
        several = any(other.startswith(f"{name}-") for other in known.releases)
        return self.to(places.RELEASES) if several and name.isdecimal() else None


@dataclass(frozen=True)
class View:
    """A server answers what is searched, a folder of files cannot; `now` is as records write it."""

    evidence: Evidence
    catalogue: Catalogue
    searches: bool
    now: str

    def links_from(self, place: str) -> Links:
        return Links(self.catalogue, place, searches=self.searches)


def answered(title: str, name: str, answer: Callable[[], Answer]) -> PageSection:
    return guarded(title, name, lambda: section_of(answer(), title, name))


def guarded(title: str, name: str, made: Callable[[], PageSection]) -> PageSection:
    """The section, or what is wrong with the evidence it would show: the page goes on."""
    try:
        return made()
    except CasegateError as error:
        return refused(title, name, error)


def refused(title: str, name: str, error: CasegateError) -> PageSection:
    return PageSection(title, name, alarm=str(error), severe=not isinstance(error, UsageError))
