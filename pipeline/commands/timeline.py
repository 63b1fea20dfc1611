"""`casegate timeline`: what was released when and why, as text, JSON or a page."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

import click

from pipeline.commands import options
from pipeline.commands.ending import command, echo_utf8
from pipeline.settings.workspace import Workspace


@command()
@options.workspace(exists=True)
@options.form("text", "json", "html")
@options.file("--output", "Writes to this file instead of standard output.")
def timeline(workspace: Path, form: str, output: Path | None) -> int:
    """What was released when and why, what was not, what moved and who approved."""
    from components.records.files import write_atomically
    from pipeline.governance.show_ledger import sentence
    from pipeline.site.timeline.page import timeline_page
    from pipeline.site.timeline.steps import as_text, steps

    place = Workspace(workspace.resolve())
    found = steps(place, sentence)
    if form == "json":
        text = json.dumps([asdict(step) for step in found], indent=2, ensure_ascii=False)
    elif form == "html":
        beside = output.resolve().parent if output else Path.cwd()
        above = Path(os.path.relpath(place.root, beside))
        text = timeline_page(
            found, workspace=place.root.name, link=lambda path: quote((above / path).as_posix())
        )
    else:
        text = as_text(found)
    if output is None:
        (click.echo if form == "text" else echo_utf8)(text.rstrip("\n"))
    else:
        write_atomically(output, f"{text.rstrip()}\n".encode())
        click.echo(f"{len(found)} steps: {output}")
    return 0
