"""How often a case set was looked at, by whom, and what each look disclosed.

A case set wears out: whoever has seen how candidates fare on it chooses the next one by it. So the
ledger counts every look before anything is judged.
"""

from collections.abc import Iterator
from itertools import count

from components.decision import Decision
from components.records.errors import ConfigError, IntegrityError, suggestion
from components.records.ledger.ledger import Entry
from components.records.run_files import DECISION, HTML_REPORT, REPORT
from pipeline.evidence.answer import Answer, Columns, Table, Value, named
from pipeline.evidence.questions.listing import known_runs
from pipeline.evidence.questions.locked import locked_sets
from pipeline.evidence.subject import Evidence

_CHANGES = ("added", "retired", "relabelled", "sentinels", "sentinels_removed")


def looks(evidence: Evidence, name: str) -> Answer:
    """How often the set with this name was used, whatever its version, and how often it may be.

    Raises:
      ConfigError: no such case set.
    """
    entries = [e for e in evidence.entries if e.kind == "look" and e.body["case_set"] == name]
    amended = [e for e in evidence.entries if e.kind == "amendment" and e.body["case_set"] == name]
    if not entries and not amended:
        _refuse_unknown(evidence, name)
    decided = [e.body["run_id"] for e in entries if e.body["run_id"] in evidence.decided]
    last = evidence.decision(decided[-1]) if decided else None
    planned = last.looks.planned if last else None
    left = None if planned is None else planned - len(entries)
    runs, differing = known_runs(evidence) if entries else ([], [])
    commits = {str(row.get("run_id")): row.get("git_commit") for row in runs}
    return Answer(
        question=f"how often was case set {name} looked at, and what did that tell",
        facts={
            "case set": name,
            "looks": len(entries),
            "looks planned by the last policy": planned,
            "looks left": left,
            "last policy": last.policy if last else None,
            "last policy's hash": last.hashes.get("policy") if last else None,
            "last decided run": last.run_id if last else None,
            "versions looked at": len({e.body["case_set_root"] for e in entries}),
        },
        tables=(
            _looks_table(evidence, entries, commits),
            _versions_table(entries),
            _amendments_table(amended),
        ),
        notes=(*_notes(entries, last, left), *differing),
        evidence=(evidence.ledger_line,),
        exit_code=IntegrityError.exit_code if differing else 0,
    )


def _refuse_unknown(evidence: Evidence, name: str) -> None:
    known = {locked.case_set.name for locked in locked_sets(evidence)}
    if name not in known:
        known |= {e.body["case_set"] for e in evidence.entries if e.kind == "look"}
        raise ConfigError(f"{name!r}: no case set of this workspace{suggestion(name, known)}")


def _looks_table(evidence: Evidence, entries: list[Entry], commits: dict[str, Value]) -> Table:
    numbers = count(1)
    verdicts = {run_id: entry.body["verdict"] for run_id, entry in evidence.decided.items()}
    columns: Columns = {
        "look": lambda e: next(numbers),
        "at": "at",
        "run": "body.run_id",
        "version": "body.case_set_version",
        "verdict": lambda e: verdicts.get(e.body["run_id"]),
        "disclosed": lambda e: _disclosed(evidence, e.body["run_id"]),
        "candidate": "body.candidate_sha256",
        "commit": lambda e: commits.get(e.body["run_id"]),
        "entry": "seq",
    }
    links = {"run": "run", "candidate": "sha256", "commit": "commit"}
    return Table.of("looks", "Looks, oldest first", entries, columns, links)


def _disclosed(evidence: Evidence, run_id: str) -> str:
    """What whoever could read the run's folder may have learned of the case set from it."""
    folder = evidence.workspace.run_folder(run_id)
    if run_id not in evidence.decided:
        return "nothing: the run ended before it was decided"
    if (folder / HTML_REPORT).exists() or (folder / REPORT).exists():
        return "verdict, figures and cases (report)"
    if (folder / DECISION).exists():
        return "verdict, figures and cases that turned (decision)"
    return "verdict (ledger); the run's folder is gone"


def _versions_table(entries: list[Entry]) -> Table:
    found: dict[tuple[int, str], list[Entry]] = {}
    for entry in entries:
        key = (entry.body["case_set_version"], entry.body["case_set_root"])
        found.setdefault(key, []).append(entry)
    rows = tuple(
        (version, len(mine), mine[0].at, mine[-1].at, root)
        for (version, root), mine in sorted(found.items())
    )
    columns = ("version", "looks", "first", "last", "merkle_root")
    return Table("versions", "Versions looked at", columns, rows, {"merkle_root": "sha256"})


def _amendments_table(amended: list[Entry]) -> Table:
    columns: Columns = {
        **named("at", "by"),
        **named("from_version", "to_version", of="body."),
        "changed": _changed,
        "reason": "body.reason",
        "entry": "seq",
    }
    return Table.of("amendments", "Amendments", amended, columns)


def _changed(amendment: Entry) -> str | None:
    changes = ((key.replace("_", " "), amendment.body.get(key)) for key in _CHANGES)
    return ", ".join(f"{len(cases)} {words}" for words, cases in changes if cases) or None


def _notes(entries: list[Entry], last: Decision | None, left: int | None) -> Iterator[str]:
    yield (
        "Looks at every version count together: an amended set keeps most of its cases, and a case "
        "is worn by every look at it."
    )
    if left is not None and left < 0:
        yield f"The set was looked at {-left} times more often than the policy plans."
    elif left == 0:
        yield "No planned look is left."
    if last is None and entries:
        yield "No look came to a decision, so no policy says how many are planned."
    known = [model for e in entries if (model := e.body.get("candidate_sha256")) is not None]
    if (repeated := len(known) - len(set(known))) > 0:
        yield f"{repeated} of the looks were at a candidate that had been looked at before."
    if last is not None and last.looks.used is not None:
        upto = next(n for n, e in enumerate(entries, 1) if e.body["run_id"] == last.run_id)
        if last.looks.used != upto:
            yield (
                f"The decision of run {last.run_id} counts {last.looks.used} looks, the ledger "
                f"{upto} up to then."
            )
