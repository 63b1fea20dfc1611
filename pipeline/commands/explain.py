"""`casegate explain`: where a model's score of one image came from."""

from pathlib import Path

import click

from pipeline.commands import options
from pipeline.commands.ending import command
from pipeline.settings.workspace import Workspace


@command()
@click.argument("image", type=options.FILE)
@click.option(
    "--model",
    metavar="VERSION|DIR",
    help="A released version, or the folder of a SavedModel.  [default: the champion]",
)
@options.file("--out", "The picture, a PNG.", required=True)
@options.config("YAML file of settings; those of `serving` say where releases are.")
@options.workspace(exists=False)
@options.settings()
def explain(
    image: Path,
    model: str | None,
    out: Path,
    config: Path | None,
    workspace: Path,
    settings: tuple[str, ...],
) -> int:
    """Draws where a model's score of IMAGE, a PNG, JPEG or DICOM file, came from.

    That is not where the disease is.
    """
    from components.records.files import is_standard_output, write_output, writing_to
    from pipeline.run.explain import explain_image
    from pipeline.settings.config import load_config

    place = Workspace(workspace.resolve())
    found = explain_image(image, model, load_config(config, settings), place)
    with writing_to(f"--out {out}"):
        write_output(out, found.picture)
    click.echo(f"{found.words}: {out}", err=is_standard_output(out))
    return 0
