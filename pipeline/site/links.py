"""Where the words on a page lead."""

import re
from collections.abc import Mapping

from pipeline.site import places
from pipeline.site.catalogue import Catalogue
from pipeline.site.places import relative

# Kinds of things that the search finds, and what it calls them.
_SEARCHED = {"sha256": "hash", "commit": "commit", "case": "case", "package": "package"}
_ENTRY = re.compile(r"\b(?:ledger entry|entry) (\d{1,9})\b")


class Links:
    """Resolves what tables and facts name, as seen from one page.

    Attributes:
      searches: whether there is a page that answers questions, as there is on a server alone.
    """

    def __init__(self, catalogue: Catalogue, here: str, *, searches: bool) -> None:
        self._catalogue, self.here, self.searches = catalogue, here, searches

    def to(self, place: str, parameters: Mapping[str, str] | None = None) -> str:
        return relative(self.here, place, **(parameters or {}))

    def of(self, kind: str, value: object) -> str | None:
        """The address of what `value` names; None where no page is about it."""
        text = str(value)
        if kind == "run":
            return self.to(places.run_page(text)) if text in self._catalogue.runs else None
        if kind == "release":
            return self._release(text)
        if kind == "case_set":
            known = text in self._catalogue.case_sets
            return self.to(places.case_set_page(text)) if known else None
        if kind == "entry":
            known = text.isdecimal() and 0 < int(text) <= len(self._catalogue.evidence.entries)
            return self.to(places.entry_place(int(text))) if known else None
        if kind in _SEARCHED and self.searches and text:
            return self.to(places.SEARCH, {"kind": _SEARCHED[kind], "value": text})
        return None

    def guessed(self, value: object) -> str | None:
        """As `of`, for a value that says itself what it is: a run id or a hash."""
        if not isinstance(value, str):
            return None
        if value in self._catalogue.runs:
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

    def _release(self, name: str) -> str | None:
        """A version that stands in several destinations leads to the list of them."""
        known = self._catalogue.releases
        if name in known:
            return self.to(places.release_page(name))
        several = any(other.startswith(f"{name}-") for other in known)
        return self.to(places.RELEASES) if several and name.isdecimal() else None
