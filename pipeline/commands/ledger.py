"""`casegate ledger`: what was decided and done, and whether anybody altered the record since."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from components.records.ledger import KINDS
from pipeline.commands import options
from pipeline.commands.ending import echo_json, group
from pipeline.settings.workspace import Workspace

if TYPE_CHECKING:
    from components.records.ledger.ledger import Entry
    from pipeline.governance.ledger_check import VerifiedLedger


@group()
def ledger() -> None:
    """The hash-chained record of decisions, approvals, waivers, releases and the rest."""


@ledger.command()
@options.workspace(exists=True)
@click.option(
    "--holds",
    metavar="HASH",
    help="An entry's hash that was noted elsewhere; fails where no entry has it.",
)
def verify(workspace: Path, holds: str | None) -> int:
    """Checks the chain, the decisions it names and the versions being served.

    Names the first entry that does not fit, and exits 4. A chain cannot show that it was written
    anew from some entry on: note the last entry's hash where nobody can alter it, and give it
    later with --holds.
    """
    from pipeline.governance.ledger_check import verify_ledger

    click.echo(_summary(verify_ledger(workspace, holds=holds)))
    return 0


@ledger.command()
@options.workspace(exists=True)
@click.option("--kind", type=click.Choice(KINDS), help="Only entries of this kind.")
@options.form()
def show(workspace: Path, kind: str | None, form: str) -> int:
    """Lists the entries, oldest first, after checking the chain."""
    from components.records.ledger.ledger import Ledger

    entries = Ledger(Workspace(workspace.resolve()).ledger).entries()
    chosen = [entry for entry in entries if kind in (None, entry.kind)]
    if form == "json":
        echo_json([vars(entry) for entry in chosen])
    elif chosen:
        _show_table(chosen)
    else:
        what = f"entry of the kind {kind}" if kind else "entry"
        click.echo(f"{workspace}: the ledger has no {what}")
    return 0


def _summary(found: "VerifiedLedger") -> str:
    from components.records.text import one_line

    parts = ["the ledger has no entry yet"]
    if entries := found.content.entries:
        last, count = entries[-1], len(entries)
        parts = [
            f"{count} {'entry' if count == 1 else 'entries'}, none altered",
            f"the last: {last.kind} by {one_line(last.by)} at {last.at}, hash {last.entry_sha256}",
            f"decisions as recorded: {found.decisions}",
            f"versions as recorded: {found.versions}",
        ]
    if found.older:
        parts.append(f"versions older than the record: {found.older}")
    if found.unrecorded:
        parts.append(f"decisions not on record: {', '.join(map(one_line, found.unrecorded))}")
    if not found.content.recorded:
        parts.append("ledger.head is one entry behind, as a crash leaves it")
    if torn := len(found.content.torn):
        parts.append(
            f"{torn} bytes after it were never acknowledged; the next entry puts them aside"
        )
    return "; ".join(parts)


def _show_table(entries: list["Entry"]) -> None:
    from rich.table import Table
    from rich.text import Text

    from components.records.text import one_line
    from components.report.terminal import page_text
    from pipeline.governance.show_ledger import sentence

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("entry", justify="right")
    for name in ("at", "kind", "by"):
        table.add_column(name, no_wrap=name != "by")
    table.add_column("what", overflow="fold")
    for entry in entries:
        words = (str(entry.seq), entry.at, entry.kind, entry.by, sentence(entry))
        table.add_row(*(Text(one_line(word)) for word in words))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 160
    click.echo(page_text(lambda page: page.print(table), width=width), nl=False)
