"""What `casegate feedback promote` prints for a person."""

from collections import Counter

from rich.console import Console
from rich.text import Text

from pipeline.feedback.promote import Promoted
from pipeline.settings.tables import MOST_ROWS, cell, many, plain_table, print_facts, print_line


def show_promoted(console: Console, done: Promoted) -> None:
    """What went where, what was left out and why, and what to type next."""
    title = "would be promoted" if done.dry_run else "promoted"
    sides = done.sides
    print_line(console, f"{title}: {many(len(sides.training), 'case')} to training", "bold")
    facts = {
        "settled": f"{many(done.settled, 'case')}, {done.sent_before:,} of them sent before",
        "span": f"{done.span or 'none'}",
        "proposed": f"{many(len(sides.proposed), 'case')} for the case set, "
        f"{sum(case.missed for case in sides.proposed):,} of them as sentinels",
        "left out": f"{many(len(sides.left_out), 'case')}",
    }
    if done.cut_short.finished:
        facts["finished"] = f"{', '.join(done.cut_short.finished)}, which had been cut short"
    if done.cut_short.taken_back:
        facts["taken back"] = f"{', '.join(done.cut_short.taken_back)}, which had been cut short"
    if done.cut_short.waiting:
        facts["cut short"] = f"{', '.join(done.cut_short.waiting)}; promote to settle that first"
    print_facts(console, facts)
    _left_out(console, done)
    if done.proposal:
        print_line(console, f"proposal: {done.proposal.folder}.json")
        print_line(console, "next, after looking at each image, by whoever answers for the set:")
        for command in done.proposal.next:
            # Printed without wrapping, so that it can be copied.
            console.print(Text(command), soft_wrap=True)


def _left_out(console: Console, done: Promoted) -> None:
    if not done.sides.left_out:
        return
    table = plain_table("left out", "why")
    for one in done.sides.left_out[:MOST_ROWS]:
        table.add_row(cell(one.case_id), cell(one.why))
    console.print(table)
    more = Counter(one.why for one in done.sides.left_out[MOST_ROWS:])
    for why, count in more.most_common(5):
        print_line(console, f"  and {count:,} more: {why}", "dim")
