"""`casegate audit`: the evidence as web pages, served on this machine or written to a folder."""

import sys
from pathlib import Path

import click

from pipeline.commands import options
from pipeline.commands.ending import group


@group()
def audit() -> None:
    """Releases, runs, lineage and ledger as web pages; read-only."""


@audit.command()
@options.workspace(exists=True)
@options.listening(8421, remote="; there is no password.")
def serve(workspace: Path, host: str, port: int, names: tuple[str, ...]) -> int:
    """Serves the pages until Ctrl+C, to this machine's browsers alone."""
    from pipeline.site.server import serve as start

    start(workspace, host=host, port=port, names=names, say=click.echo)
    return 0


@audit.command()
@options.workspace(exists=True)
@options.folder("--out", "A new folder.", metavar=None, required=True)
def build(workspace: Path, out: Path) -> int:
    """Writes the pages as files that need no server.

    Exits 4 where some evidence does not fit; its page says so, and the others are written.
    """
    from components.records.errors import IntegrityError
    from pipeline.site.places import HOME
    from pipeline.site.site import build as write

    def progress(done: int, of: int) -> None:
        if sys.stderr.isatty() and (done % 20 == 0 or done == of):
            click.echo(f"\r{done:,} of {of:,} pages", err=True, nl=done == of)

    built = write(workspace, out, progress=progress)
    click.echo(f"{built.pages:,} pages, {built.bytes / 2**20:.1f} MiB: {out / HOME}")
    for fault in built.faults:
        click.echo(f"does not fit: {fault}", err=True)
    return IntegrityError.exit_code if built.faults else 0
