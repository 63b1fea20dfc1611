"""`casegate serving`: what serves a released model outside casegate, and what it relies on."""

from pathlib import Path

import click

from pipeline.commands import options
from pipeline.commands.ending import echo_json, group
from pipeline.settings.workspace import Workspace


@group()
def serving() -> None:
    """What TensorFlow Serving and other servers need of a model."""


@serving.command()
@click.argument("model", metavar="DIR", type=options.EXISTING_FOLDER)
@options.form()
def check(model: Path, form: str) -> int:
    """Loads the SavedModel in DIR as TensorFlow Serving does, and holds it to the serving contract.

    Its warm-up requests are replayed, if it has any, and each signature answers a picture that is
    nobody's. Exit code 1 says in one line what is broken.
    """
    from dataclasses import asdict

    from components.scoring.contract import check_contract

    kept = check_contract(model)
    if form == "json":
        echo_json(asdict(kept))
        return 0
    click.echo(f"{model}: keeps the serving contract: {', '.join(kept.signatures)} answered")
    click.echo(f"loaded by {kept.loader}")
    click.echo(
        f"{kept.warm_up_requests} warm-up requests replayed"
        if kept.warm_up_requests
        else "no warm-up requests: it can be served, slowly at first, but not released anew"
    )
    return 0


@serving.command()
@options.folder(
    "--out", "Where to write them; those of an earlier release are replaced.", required=True
)
@options.config("YAML file of settings; those of `serving` and `signing` count.")
@options.settings()
@options.workspace(exists=True)
def config(out: Path, config: Path | None, settings: tuple[str, ...], workspace: Path) -> int:
    """Writes files that have TensorFlow Serving serve what is released now, and nothing else.

    For the server itself, docker compose, Kubernetes and KServe. The release is verified first.
    """
    from pipeline.serving.deployment.files import write_deployment
    from pipeline.serving.vouched import vouch
    from pipeline.settings.config import load_config

    release = vouch(load_config(config, settings), Workspace(workspace.resolve()))
    for path in write_deployment(release, out):
        click.echo(path)
    return 0
