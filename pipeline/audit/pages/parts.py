"""The sections of a run's page: what it was made of, what changed, and what there is of it."""

from dataclasses import replace

from components.errors import CasegateError
from pipeline.audit import places
from pipeline.audit.content import Link, Section, section_of
from pipeline.audit.run_file import SHOWN, shown_files
from pipeline.audit.view import View, refused
from pipeline.lineage.answer import Table
from pipeline.lineage.subject import Subject


def made_of(view: View, subject: Subject) -> list[Section]:
    """The answer of `lineage show`, each of its tables as a section of its own."""
    from pipeline.lineage.show import show

    try:
        answer = show(view.evidence, subject)
    except CasegateError as error:
        return [refused("Made of", "made-of", error)]
    whole = section_of(answer, "Made of", "made-of")
    parts = [Section(t.title, t.name, tables=(t,)) for t in answer.tables if t.rows]
    return [replace(whole, tables=()), *parts]


def files(view: View, subject: Subject) -> Section:
    """What the run left, as it is; each is only shown where it is what was recorded."""
    names = shown_files(view.evidence.workspace.run_folder(subject.run_id))
    links = tuple(
        Link(f"{name}: {SHOWN[name][0]}", places.run_file(subject.run_id, name)) for name in names
    )
    return Section("Files of the run", "files", links=links)


def flips(view: View, subject: Subject) -> Section:
    """The cases that the candidate judged otherwise than what it was compared with."""
    decision = view.evidence.decision(subject.run_id)
    rows = [
        (case, change, flips.against, "never-miss" if case in flips.lost_sentinels else None)
        for flips in (decision.flips if decision else ())
        for change, ids in (("lost", flips.lost), ("gained", flips.gained))
        for case in ids
    ]
    columns = ("case", "change", "against", "sentinel")
    table = Table(
        "flips", "Cases that turned wrong or right", columns, tuple(rows), {"case": "case"}
    )
    return Section("Cases that changed", "flips", tables=(table,), folded=len(rows) > 20)


def entries(view: View, subject: Subject) -> Section:
    from pipeline.views.ledger import sentence

    rows = tuple(
        (e.seq, e.at, e.kind, e.by, sentence(e))
        for e in view.evidence.entries
        if e.body.get("run_id") == subject.run_id
        or (subject.release is not None and e.seq == subject.release.seq)
    )
    table = Table(
        "entries",
        "What the ledger says of it",
        ("entry", "at", "kind", "by", "what"),
        rows,
        {"entry": "entry"},
    )
    return Section("In the ledger", "ledger", tables=(table,))
