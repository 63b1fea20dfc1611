"""`casegate privacy`: what a promise of differential privacy is worth."""

from pathlib import Path

import click

from components.decision import Verdict
from pipeline.commands import options
from pipeline.commands.ending import group


@group()
def privacy() -> None:
    """Promises of differential privacy (training.privacy) and how they are tried."""


@privacy.command()
@click.option(
    "--data",
    default="phantom:n=300,seed=1",
    show_default=True,
    metavar="SOURCE",
    help="Whose training images the canaries are mixed into; any show how training is built.",
)
@options.config("YAML file with the promise and the network; without it those of --set.")
@options.settings()
@click.option(
    "--canaries",
    type=click.IntRange(min=20),
    default=5000,
    show_default=True,
    help="Made-up members that are trained on or left out by a coin each.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
def audit(
    data: str, config: Path | None, settings: tuple[str, ...], canaries: int, seed: int
) -> int:
    """Trains with canaries, guesses which ones, and says which epsilon the guesses rule out.

    Ends with 1 where that is above the promise, and with 3 where so few guesses could not tell.
    """
    import os

    os.environ["TF_USE_LEGACY_KERAS"] = "0"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from components.cases.sources import open_source
    from components.gate.decide import EXIT_CODES
    from pipeline.model.privacy_audit import ALPHA, audit, read_training
    from pipeline.settings.config import load_config

    given = load_config(config, settings)
    images = read_training(open_source(data, given.data.reading), given.model.image_size)
    found = audit(given.model, given.training, *images, canaries=canaries, seed=seed)
    for right, guesses in found.correct:
        click.echo(f"{right} of {guesses} guesses right")
    click.echo(
        f"epsilon is at least {found.lower_bound:.2f} (by an error rate of {ALPHA:g}); promised "
        f"is {found.epsilon:g} at delta {found.delta:g}, over {found.steps} steps"
    )
    if found.broken:
        verdict, words = Verdict.FAIL, "the promise is broken: the training is not what it says"
    elif not found.telling:
        verdict, words = (
            Verdict.INCONCLUSIVE,
            (
                f"{found.canaries} canaries could rule out no more than {found.largest:.2f}; "
                "wanted more of them, or a smaller promise"
            ),
        )
    else:
        verdict, words = Verdict.PASS, "nothing speaks against the promise"
    click.echo(f"{verdict.value}: {words}")
    return EXIT_CODES[verdict]
