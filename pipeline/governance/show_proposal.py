"""What `casegate cases propose-sentinels` prints for a person."""

from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.records.text import spell
from pipeline.governance.case_sets import typed
from pipeline.governance.sentinels import SentinelProposal
from pipeline.settings.tables import (
    MOST_ROWS,
    cell,
    many,
    plain_table,
    print_facts,
    print_line,
    print_more,
)

MOST_VALUES = 10


def show_proposal(console: Console, found: SentinelProposal, *, least: int, command: str) -> None:
    """The cases, by how many models missed them, and how to mark them.

    Args:
      command: amends this case set, up to its options.
    """
    version = f"{spell(found.case_set.name)} version {found.case_set.version}"
    print_line(
        console, f"{version}: {many(len(found.cases), 'case')} proposed as sentinels", "bold"
    )
    looked = f"{many(found.runs, 'run')}, {many(found.models, 'past model')}"
    facts = {
        "looked at": looked,
        "missed by": f"{least} or more of them",
        "right now": " and ".join(found.present),
    }
    if found.marked:
        facts["already"] = f"{many(found.marked, 'such case')} marked"
    if found.skipped:
        left_out = (f"{many(n, 'run')}: {why}" for why, n in found.skipped.items())
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
