"""What `casegate cases` prints for a person: a case set, a difference, an amendment, a proposal."""

from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.baselines.amend import Diff
from components.baselines.case_set import CaseSet
from components.baselines.summary import CaseSetSummary, summarise
from components.records.text import spell
from components.report.terminal import (
    MOST_ROWS,
    NAMED,
    cell,
    few,
    plain_table,
    print_facts,
    print_line,
    print_more,
)
from components.report.words import counted
from pipeline.governance.amendment import Amendment
from pipeline.governance.case_sets import typed
from pipeline.governance.sentinels import SentinelProposal

MOST_VALUES = 10


def show_case_set(console: Console, case_set: CaseSet) -> None:
    """Who locked it and why, and its cases in numbers."""
    found = summarise(case_set)
    print_line(console, _version(case_set), "bold")
    facts = {
        "cases": _counts(found),
        "patients": _patients(found),
        "sentinels": few(found.sentinels),
        "by": f"{case_set.author}, {case_set.date}",
        "reason": case_set.reason,
        "source": case_set.source,
        "root": case_set.merkle_root,
        "parent": case_set.parent or "none: the first version",
    }
    if case_set.retired:
        facts["retired"] = few(case_set.retired)
    if case_set.relabelled:
        facts["relabelled"] = few(case_set.relabelled)
    print_facts(console, facts)
    if found.attributes:
        console.print(_attributes(found))


def show_diff(console: Console, before: CaseSet, after: CaseSet, diff: Diff) -> None:
    """What changed, in numbers and case by case."""
    old, new = summarise(before), summarise(after)
    print_line(
        console,
        f"{_version(before)} to {_version(after)}"
        + ("" if diff else ": the same cases, labels, attributes and marks"),
        "bold",
    )
    print_facts(
        console,
        {
            "by": f"{after.author}, {after.date}",
            "reason": after.reason,
            "follows": "yes: its parent" if after.parent == before.merkle_root else "not directly",
        },
    )
    table = plain_table("", "before", "after", numbers=2)
    for what, a, b in (
        ("cases", old.counts.cases, new.counts.cases),
        ("positive", old.counts.positives, new.counts.positives),
        ("negative", old.counts.negatives, new.counts.negatives),
        ("patients", old.patients, new.patients),
        ("sentinels", len(old.sentinels), len(new.sentinels)),
    ):
        table.add_row(what, f"{a:,}", f"{b:,}", style="" if a != b else "dim")
    console.print(table)
    if diff:
        _changes(console, diff)


def show_amended(console: Console, done: Amendment) -> None:
    """The new version, and what became of golden and what will of the champion."""
    after = done.after
    word = "finished the interrupted amendment: " if done.resumed else ""
    print_line(console, f"{word}{_version(done.before)} became version {after.version}", "bold")
    _changes(console, done.diff)
    golden = "none yet"
    if done.carried is not None:
        golden = f"{counted(done.carried, 'score')} carried over"
        golden += f", {done.scored:,} made by its model" if done.scored else ""
    print_facts(
        console,
        {
            "cases": _counts(summarise(after)),
            "root": after.merkle_root,
            "golden": golden,
            "champion": "scored on this version by the next run",
            "file": str(done.path),
        },
    )


def show_proposal(console: Console, found: SentinelProposal, *, least: int, command: str) -> None:
    """The cases, by how many models missed them, and how to mark them.

    Args:
      command: amends this case set, up to its options.
    """
    proposed = f"{counted(len(found.cases), 'case')} proposed as sentinels"
    print_line(console, f"{_version(found.case_set)}: {proposed}", "bold")
    facts = {
        "looked at": f"{counted(found.runs, 'run')}, {counted(found.models, 'past model')}",
        "missed by": f"{least} or more of them",
        "right now": " and ".join(found.present),
    }
    if found.marked:
        facts["already"] = f"{counted(found.marked, 'such case')} marked"
    if found.skipped:
        left_out = (f"{counted(n, 'run')}: {why}" for why, n in found.skipped.items())
        facts["left out"] = "; ".join(left_out)
    print_facts(console, facts)
    if not found.cases:
        return
    table = plain_table("case", "missed by", "attributes", numbers=0)
    table.columns[1].justify = "right"
    for one in found.cases[:MOST_ROWS]:
        table.add_row(
            cell(one.case.case_id),
            f"{one.missed} of {one.judged}",
            cell(", ".join(f"{k}={v}" for k, v in one.case.attributes.items())),
        )
    console.print(table)
    print_more(console, len(found.cases))
    console.print(_where(found))
    print_line(console, "to mark them, after looking at each:")
    options = " ".join(f"--sentinel {typed(one.case.case_id)}" for one in found.cases)
    # Printed without wrapping, so that it can be copied.
    console.print(Text(f"{command} --by NAME --reason TEXT {options}"), soft_wrap=True)


def _attributes(found: CaseSetSummary) -> Table:
    table = plain_table("attribute", "value", "cases", "positive", "negative", numbers=3)
    for name, values in found.attributes.items():
        for place, (value, count) in enumerate(values.items()):
            table.add_row(
                cell("" if place else name),
                Text("(without)", style="dim") if value is None else cell(value),
                *(f"{n:,}" for n in (count.cases, count.positives, count.negatives)),
                end_section=place == len(values) - 1,
            )
    return table


def _changes(console: Console, diff: Diff) -> None:
    rows: list[tuple[str, str, str, str]] = []
    rows += [("added", name, "", "") for name in diff.added]
    rows += [("retired", name, "", "") for name in diff.retired]
    rows += [("relabelled", name, a or "", b or "") for name, (a, b) in diff.relabelled.items()]
    rows += [
        (attribute, name, "(none)" if a is None else a, "(none)" if b is None else b)
        for name, changes in diff.attributes.items()
        for attribute, (a, b) in changes.items()
    ]
    rows += [("patient", name, a or "", b or "") for name, (a, b) in diff.patients.items()]
    rows += [("other picture", name, "", "") for name in diff.pictures]
    rows += [("other encoding, same pixels", name, "", "") for name in diff.recoded]
    rows += [("sentinel", name, "", "marked") for name in diff.sentinels_added]
    rows += [("sentinel", name, "marked", "") for name in diff.sentinels_removed]
    with_values = any(before or after for _, _, before, after in rows)
    table = plain_table("change", "case", *(("before", "after") if with_values else ()))
    for row in rows[:MOST_ROWS]:
        table.add_row(*(cell(text) for text in row[: len(table.columns)]))
    console.print(table)
    print_more(console, len(rows))


def _counts(found: CaseSetSummary) -> str:
    n = found.counts
    return f"{n.cases:,}: {n.positives:,} positive, {n.negatives:,} negative"


def _patients(found: CaseSetSummary) -> str:
    """How many, and how many images they have: 588: 1 image of 576, 2 images of 12."""
    spread = [
        f"{counted(images, 'image')} of {times:,}"
        for images, times in list(found.images_per_patient.items())[:NAMED]
    ]
    rest = len(found.images_per_patient) - NAMED
    more = f", more of {sum(list(found.images_per_patient.values())[NAMED:]):,}" if rest > 0 else ""
    if list(found.images_per_patient) == [1]:
        return f"{found.patients:,}, one image each"
    return f"{found.patients:,}: {', '.join(spread)}{more}"


def _version(case_set: CaseSet) -> str:
    return f"{spell(case_set.name)} version {case_set.version}"


def _where(found: SentinelProposal) -> Table:
    """Where the proposed cases pile up: the values with the largest share of their positives."""
    positives = [case for case in found.case_set.cases if case.label == 1]
    of_all = Counter(pair for case in positives for pair in case.attributes.items())
    proposed = Counter(pair for one in found.cases for pair in one.case.attributes.items())
    shares = {pair: times / of_all[pair] for pair, times in proposed.items()}
    table = plain_table("attribute", "value", "proposed", "of positives", "share", numbers=3)
    for pair in sorted(shares, key=lambda pair: (-shares[pair], pair))[:MOST_VALUES]:
        numbers = f"{proposed[pair]:,}", f"{of_all[pair]:,}", f"{shares[pair]:.1%}"
        table.add_row(cell(pair[0]), cell(pair[1]), *numbers)
    return table
