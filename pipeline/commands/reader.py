"""`casegate reader`: a page that reads radiographs where there is no server."""

from pathlib import Path

import click

from pipeline.commands import options
from pipeline.commands.ending import group
from pipeline.settings.workspace import Workspace


@group()
def reader() -> None:
    """A page that reads a radiograph on the device that shows it."""


@reader.command()
@options.folder("--out", "Where to write the page: a new or empty folder.", required=True)
@options.folder(
    "--artefact",
    "A TF.js artefact that nobody vouches for, in place of the released one.",
    exists=True,
)
@options.config("YAML file of settings; those of `serving` and `signing` count.")
@options.settings()
@options.workspace(exists=False)
def build(
    out: Path,
    artefact: Path | None,
    config: Path | None,
    settings: tuple[str, ...],
    workspace: Path,
) -> int:
    """Writes the page of the TF.js artefact that is released now; the release is verified first.

    The page is a folder of files, for any web server with HTTPS or for a memory stick. After one
    visit it opens without a network. What is shown to it never leaves the device.
    """
    from pipeline.reader.build import build as write
    from pipeline.reader.build import load_artefact
    from pipeline.reader.released import released_artefact
    from pipeline.settings.config import load_config

    if artefact is not None:
        found = load_artefact(artefact, artefact.resolve().name)
    else:
        found = released_artefact(load_config(config, settings), Workspace(workspace.resolve()))
    for path in write(found, out):
        click.echo(path)
    return 0
