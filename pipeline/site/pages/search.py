"""Search by hash, case, package or commit; in a folder of files, an index of what has a page."""

import re
from collections.abc import Callable, Iterator, Mapping

from components.lineage.training import Sought
from components.lineage.training import search as search_training
from components.records.errors import ConfigError
from components.records.ledger.ledger import Entry
from pipeline.evidence.answer import Answer, Table, Value
from pipeline.evidence.questions.impact import impact_of_commit, impact_of_package
from pipeline.evidence.questions.impact_image import impact_of_case
from pipeline.evidence.questions.locked import locked_sets
from pipeline.evidence.subject import Evidence
from pipeline.site import places
from pipeline.site.content import Field, Form, Page, PageSection
from pipeline.site.view import View, answered

LEAST, MOST = 8, 500  # hex digits that are asked for; rows of ML Metadata that are listed
_PICTURES = ("bytes_sha256", "pixels_sha256")
_HASHES = ("sha256", "_root")  # ends of the keys under which an entry has one
_LINKS = {"run": "run", "entry": "entry"}


def find_hash(evidence: Evidence, text: str) -> Answer:
    """Everything that is recorded under a hash, or under its beginning.

    Args:
      text: hex digits; a picture's hash is only found in whole.

    Raises:
      ConfigError: it is no hash.
    """
    wanted = text.lower()
    if not LEAST <= len(wanted) <= 64 or not re.fullmatch("[0-9a-f]+", wanted):
        raise ConfigError(f"hash {text!r}: wanted {LEAST} to 64 hex digits")
    ledger = tuple(
        (e.seq, e.kind, e.at, key, e.body.get("run_id"))
        for e, key, value in _in_ledger(evidence)
        if value.startswith(wanted)
    )
    rows = _in_store(evidence, wanted)
    cases = tuple(_cases(evidence, wanted)) if len(wanted) == 64 else ()
    notes = [] if len(wanted) == 64 else ["Pictures are only looked for by a whole hash."]
    if len(rows) > MOST:
        notes.append(f"Only the first {MOST} of ML Metadata's rows are listed.")
    in_ledger = ("entry", "kind", "at", "key", "run")
    in_store, where = ("type", "property", "run", "artifact"), ("case", "hash", "where")
    return Answer(
        question=f"where is {wanted} recorded",
        facts={"hash": wanted, "found": len(ledger) + len(rows) + len(cases)},
        tables=(
            Table("ledger", "In the ledger", in_ledger, ledger, _LINKS),
            Table("metadata", "In ML Metadata", in_store, tuple(rows[:MOST]), _LINKS),
            Table("cases", "Cases with this picture", where, cases, {"case": "case"}),
        ),
        notes=tuple(notes),
    )


def _in_ledger(evidence: Evidence) -> Iterator[tuple[Entry, str, str]]:
    """Every hash that an entry names, with its key."""
    for entry in evidence.entries:
        for key, value in {**entry.body, "entry_sha256": entry.entry_sha256}.items():
            if isinstance(value, str) and key.endswith(_HASHES):
                yield entry, key, value


def _in_store(evidence: Evidence, wanted: str) -> list[tuple[Value, ...]]:
    rows = evidence.store.query(
        "SELECT t.name AS type, p.name AS property, a.id, r.string_value AS run_id "
        "FROM ArtifactProperty p JOIN Artifact a ON a.id = p.artifact_id "
        "JOIN Type t ON t.id = a.type_id "
        "LEFT JOIN ArtifactProperty r ON r.artifact_id = a.id AND r.name = 'run_id' "
        "WHERE p.string_value LIKE :wanted ORDER BY a.id, p.name LIMIT :most",
        wanted=f"{wanted}%",
        most=MOST + 1,
    )
    return [(r["type"], r["property"], r["run_id"], r["id"]) for r in rows]


def _cases(evidence: Evidence, wanted: str) -> Iterator[tuple[Value, ...]]:
    sought: list[Sought] = [(kind, wanted) for kind in _PICTURES]
    for root, rows in search_training(evidence.workspace.training, sought).items():
        for row in rows:
            yield row.case_id, _kind(row, wanted), f"training data {root[:12]}, {row.split}"
    for locked in locked_sets(evidence):
        for case in locked.case_set.cases:
            if wanted in (case.bytes_sha256, case.pixels_sha256):
                where = f"case set {locked.case_set.name} version {locked.case_set.version}"
                yield case.case_id, _kind(case, wanted), where


def _kind(case: object, wanted: str) -> str:
    return "pixels" if getattr(case, "pixels_sha256", None) == wanted else "file"


# Kind -> words for a person, the question, and the command that asks it.
KINDS: Mapping[str, tuple[str, Callable[[Evidence, str], Answer], str]] = {
    "hash": ("a hash: of a model, decision, file, picture, entry", find_hash, ""),
    "case": ("a case: what it reached", impact_of_case, "casegate lineage impact --case"),
    "package": ("a package, NAME==VERSION", impact_of_package, "casegate lineage impact --package"),
    "commit": ("a commit, or its beginning", impact_of_commit, "casegate lineage impact --commit"),
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
        sections.append(answered("Found", "found", lambda: answer(view.evidence, value)))
    return Page(
        places.SEARCH,
        "Search",
        tuple(sections),
        lead="Where a hash is recorded, and what a bad image, package or commit reached.",
        command=f"{command} {value}" if command and value else None,
    )


def _index(view: View) -> Page:
    """Every hash that the ledger names, with the entry and the run: to search in the browser."""
    rows = tuple(
        (value, key.removesuffix("_sha256"), e.kind, e.seq, e.body.get("run_id"))
        for e, key, value in _in_ledger(view.evidence)
    )
    columns = ("hash", "of", "kind", "entry", "run")
    table = Table("hashes", "Every hash that the ledger names", columns, rows, _LINKS)
    return Page(
        places.SEARCH,
        "Index of hashes",
        (PageSection("By hash", "index", tables=(table,), whole=True),),
        lead="These pages are files, so nothing answers here: use the browser's own search.",
        command="casegate lineage impact --case ID | --image FILE | --package P | --commit SHA",
    )
