"""The sections of a run's page: what it was made of, what changed, and what there is of it."""

from dataclasses import replace

from components.records.errors import CasegateError
from pipeline.evidence.answer import Table
from pipeline.evidence.subject import Subject
from pipeline.site import places
from pipeline.site.content import Link, PageSection, section_of
from pipeline.site.run_file import SHOWN, shown_files
from pipeline.site.view import View, refused


def made_of(view: View, subject: Subject) -> list[PageSection]:
    """The answer of `lineage show`, each of its tables as a section of its own."""
    from pipeline.evidence.questions.show import show

    try:
        answer = show(view.evidence, subject)
    except CasegateError as error:
        return [refused("Made of", "made-of", error)]
    whole = section_of(answer, "Made of", "made-of")
    parts = [PageSection(t.title, t.name, tables=(t,)) for t in answer.tables if t.rows]
    return [replace(whole, tables=()), *parts]


def files(view: View, subject: Subject) -> PageSection:
    """What the run left, as it is; each is only shown where it is what was recorded."""
    names = shown_files(view.evidence.workspace.run_folder(subject.run_id))
    links = tuple(
        Link(f"{name}: {SHOWN[name][0]}", places.run_file(subject.run_id, name)) for name in names
    )
    return PageSection("Files of the run", "files", links=links)


def flips(view: View, subject: Subject) -> PageSection:
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
    return PageSection("Cases that changed", "flips", tables=(table,), folded=len(rows) > 20)


def entries(view: View, subject: Subject) -> PageSection:
    from pipeline.governance.show_ledger import sentence

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
    return PageSection("In the ledger", "ledger", tables=(table,))
