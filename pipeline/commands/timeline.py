"""`casegate timeline`: what was released when and why, as text, JSON or a page."""

import dataclasses
import json
import os
from pathlib import Path
from urllib.parse import quote

import click

from pipeline.commands.shared import echo_utf8, refusing_in_one_line, workspace_option


@click.command()
@workspace_option(exists=True)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    show_default=True,
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Writes to this file instead of standard output.",
)
@refusing_in_one_line
def timeline(workspace: Path, format_: str, output: Path | None) -> int:
    """What was released when and why, what was not, what moved and who approved."""
    from components.records.files import write_atomically
    from pipeline.governance.show_ledger import sentence
    from pipeline.settings.workspace import Workspace
    from pipeline.site.timeline.page import timeline_page
    from pipeline.site.timeline.steps import as_text, steps

    place = Workspace(workspace.resolve())
    found = steps(place, sentence)
    if format_ == "json":
        text = json.dumps(
            [dataclasses.asdict(step) for step in found], indent=2, ensure_ascii=False
        )
    elif format_ == "html":
        beside = output.resolve().parent if output else Path.cwd()
        above = Path(os.path.relpath(place.root, beside))
        text = timeline_page(
            found, workspace=place.root.name, link=lambda path: quote((above / path).as_posix())
        )
    else:
        text = as_text(found)
    if output is None:
        (click.echo if format_ == "text" else echo_utf8)(text.rstrip("\n"))
    else:
        write_atomically(output, f"{text.rstrip()}\n".encode())
        click.echo(f"{len(found)} steps: {output}")
    return 0
