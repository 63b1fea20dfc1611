"""`casegate pacs`: between an archive of radiographs and the released model."""

from pathlib import Path

import click

from pipeline.commands import options
from pipeline.commands.ending import group, print_answer


@group()
def pacs() -> None:
    """Takes radiographs from an archive, and brings reports of the released model back.

    The reports are of software that is not a medical device.
    """


_config = options.file("--config", "YAML file of settings: schemas/pacs.json.", required=True)


@pacs.command()
@_config
def serve(config: Path) -> int:
    """Serves until Ctrl+C or SIGTERM; several may run on one queue."""
    from components.records.clock import utc_now
    from pipeline.pacs.serve import serve as start
    from pipeline.pacs.settings import load_pacs_config

    start(load_pacs_config(config), lambda words: click.echo(f"{utc_now()} {words}"))
    return 0


@pacs.command()
@_config
@click.option("--again", metavar="KEY|all", help="Tries again what was given up.")
@click.option("--drop", metavar="KEY|all", help="Gives it up for good, and removes its file.")
@options.form()
def status(config: Path, again: str | None, drop: str | None, form: str) -> int:
    """What waits, what was sent, what was given up and why; names nobody.

    Exits 1 where something was given up, or nothing can be vouched for.
    """
    from pipeline.pacs.settings import load_pacs_config
    from pipeline.pacs.status import look, revive, show

    settings = load_pacs_config(config)
    for key, tried in ((again, True), (drop, False)):
        if key is not None:
            revive(settings, key, again=tried)
    found = look(settings)
    print_answer(form, lambda: found, lambda console: show(console, found))
    return int(bool(found["dead"] or found["why_none"]))
