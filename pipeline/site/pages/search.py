"""Search by hash, case, package or commit; in a folder of files, an index of what has a page."""

from collections.abc import Callable, Mapping

from pipeline.evidence.answer import Answer, Table
from pipeline.evidence.subject import Evidence
from pipeline.site import places
from pipeline.site.content import Field, Form, Page, PageSection, section_of
from pipeline.site.hash_search import find_hash
from pipeline.site.view import OVERVIEW, View, guarded


def _case(evidence: Evidence, text: str) -> Answer:
    from pipeline.evidence.questions.impact_image import impact_of_case

    return impact_of_case(evidence, text)


def _package(evidence: Evidence, text: str) -> Answer:
    from pipeline.evidence.questions.impact import impact_of_package

    return impact_of_package(evidence, text)


def _commit(evidence: Evidence, text: str) -> Answer:
    from pipeline.evidence.questions.impact import impact_of_commit

    return impact_of_commit(evidence, text)


# Kind -> words for a person, the question, and the command that asks it.
KINDS: Mapping[str, tuple[str, Callable[[Evidence, str], Answer], str]] = {
    "hash": ("a hash: of a model, decision, file, picture, entry", find_hash, ""),
    "case": ("a case: what it reached", _case, "casegate lineage impact --case"),
    "package": ("a package, NAME==VERSION", _package, "casegate lineage impact --package"),
    "commit": ("a commit, or its beginning", _commit, "casegate lineage impact --commit"),
}


def search(view: View, parameters: Mapping[str, str]) -> Page:
    """The form and, where something was asked, what was found."""
    if not view.searches:
        return _index(view)
    kind, value = parameters.get("kind", "hash"), parameters.get("value", "").strip()
    kind = kind if kind in KINDS else "hash"
    choices = tuple((name, words) for name, (words, _, _) in KINDS.items())
    fields = (Field("kind", "Look for", kind, choices), Field("value", "Which", value))
    sections = [PageSection("Search", "ask", form=Form(places.SEARCH, "Search", fields))]
    _, answer, command = KINDS[kind]
    if value:
        sections.append(
            guarded(
                "Found",
                "found",
                lambda: section_of(answer(view.evidence, value), "Found", "found"),
            )
        )
    return Page(
        places.SEARCH,
        "Search",
        tuple(sections),
        lead="Where a hash is recorded, and what a bad image, package or commit reached.",
        trail=(OVERVIEW,),
        command=f"{command} {value}" if command and value else None,
    )


def _index(view: View) -> Page:
    """Every hash that the ledger names, with the entry and the run: to search in the browser."""
    rows = tuple(
        (value, key.removesuffix("_sha256"), e.kind, e.seq, e.body.get("run_id"))
        for e in view.evidence.entries
        for key, value in (*e.body.items(), ("entry_sha256", e.entry_sha256))
        if isinstance(value, str) and key.endswith(("sha256", "_root"))
    )
    columns = ("hash", "of", "kind", "entry", "run")
    links = {"run": "run", "entry": "entry"}
    return Page(
        places.SEARCH,
        "Index of hashes",
        (
            PageSection(
                "By hash",
                "index",
                tables=(Table("hashes", "Every hash that the ledger names", columns, rows, links),),
                whole=True,
            ),
        ),
        lead="These pages are files, so nothing answers here: use the browser's own search.",
        trail=(OVERVIEW,),
        command="casegate lineage impact --case ID | --image FILE | --package P | --commit SHA",
    )
