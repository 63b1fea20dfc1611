"""The ledger, entry by entry, and what says whether anything was altered."""

from itertools import count

from components.records.errors import ConfigError
from components.records.ledger.ledger import Entry, Ledger
from pipeline.evidence.answer import Table, Value
from pipeline.governance.show_ledger import sentence
from pipeline.site import places
from pipeline.site.content import OVERVIEW, Link, Page, PageSection
from pipeline.site.places import ENTRIES_PER_PAGE
from pipeline.site.view import View

LATEST = 20
_COLUMNS = ("entry", "at", "kind", "by", "what", "run", "hash")
_LINKS = {"run": "run", "entry": "entry", "hash": "sha256"}


def ledger(view: View) -> Page:
    """Whether the chain holds, the latest entries, and where all of them are."""
    entries = view.evidence.entries
    links = tuple(
        Link(f"Entries {first} to {min(first + ENTRIES_PER_PAGE - 1, len(entries))}", place)
        for first, place in zip(count(1, ENTRIES_PER_PAGE), ledger_places(view), strict=False)
    )
    latest = _table(entries[-LATEST:][::-1], f"The latest {min(LATEST, len(entries))} entries")
    return Page(
        places.LEDGER,
        "Ledger",
        (
            PageSection("The chain", "chain", facts=_chain(view), links=links, notes=(_LIMIT,)),
            PageSection("Latest", "latest", tables=(latest,)),
        ),
        lead="What was decided and done, in order; each entry holds the hash of the one before.",
        command="casegate ledger show",
    )


def ledger_entries(view: View, number: int) -> Page:
    """One portion of the entries, oldest first; each can be pointed to as #entry-N."""
    first = (number - 1) * ENTRIES_PER_PAGE
    entries = view.evidence.entries[first : first + ENTRIES_PER_PAGE]
    if number < 1 or not entries:
        raise ConfigError(f"ledger page {number}: there is none")
    title = f"Ledger entries {entries[0].seq} to {entries[-1].seq}"
    rows = tuple(f"entry-{entry.seq}" for entry in entries)
    section = PageSection("Entries", "entries", tables=(_table(entries, title),), row_names=rows)
    return Page(
        places.ledger_page(number),
        title,
        (section,),
        trail=(OVERVIEW, Link("Ledger", places.LEDGER)),
        command="casegate ledger show",
    )


def ledger_places(view: View) -> list[str]:
    pages = -(-len(view.evidence.entries) // ENTRIES_PER_PAGE)
    return [places.ledger_page(number) for number in range(1, pages + 1)]


def verify(view: View) -> Page:
    """What was checked for this page, and the commands that check the rest."""
    commands = (
        ("casegate lineage verify --all", "every model, score file, decision, case set and row"),
        ("casegate lineage verify VERSION", "the same of one release; exits 4 at a difference"),
        ("casegate ledger verify --holds HASH", "that the chain still holds a hash you noted"),
        ("casegate lineage check BUNDLE.zip", "an exported bundle, on any machine"),
    )
    table = Table("commands", "What to run", ("command", "what it checks"), commands)
    note = "Hashing every model and score file again takes longer than a page may; run these "
    note += "where the workspace is."
    return Page(
        places.VERIFY,
        "Is it still as it was recorded",
        (
            PageSection("Checked for this page", "checked", facts=_chain(view), notes=(_LIMIT,)),
            PageSection("Not checked here", "commands", tables=(table,), notes=(note,)),
        ),
        command="casegate lineage verify --all",
    )


_LIMIT = (
    "A chain shows that nothing before a known hash was altered. It cannot show that it was "
    "written anew from some entry on: note the last hash where nobody can alter it, and compare."
)


def _chain(view: View) -> dict[str, Value]:
    found = Ledger(view.evidence.workspace.ledger).verify()
    last = view.evidence.entries[-1] if view.evidence.entries else None
    return {
        "entries": len(found.entries),
        "chain": "each entry fits the one before it",
        "last entry": f"{last.kind} by {last.by} at {last.at}" if last else "none",
        "hash of the last entry": last.entry_sha256 if last else "none",
        "ledger.head": "names it" if found.recorded else "is behind, as a crash leaves it",
        "bytes never acknowledged": len(found.torn),
    }


def _table(entries: tuple[Entry, ...], title: str) -> Table:
    rows = tuple(
        (e.seq, e.at, e.kind, e.by, sentence(e), e.body.get("run_id"), e.entry_sha256)
        for e in entries
    )
    return Table("entries", title, _COLUMNS, rows, _LINKS)
