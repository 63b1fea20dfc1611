"""`casegate cases`: the locked case set."""

from pathlib import Path

import click

from pipeline.commands.shared import refusing_in_one_line


@click.group()
def cases() -> None:
    """The locked case set."""


@cases.command()
@click.argument("source")
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="The baseline's folder, e.g. baselines/chest.",
)
@click.option("--by", required=True, metavar="NAME", help="Who locks it.")
@click.option("--reason", required=True, metavar="TEXT")
@refusing_in_one_line
def lock(source: str, to: Path, by: str, reason: str) -> int:
    """Locks the test split of SOURCE: ids, labels, attributes and content hashes."""
    from components.cases.lock import lock_source
    from components.cases.sources import open_source

    case_set = lock_source(open_source(source), to / "case_set.json", author=by, reason=reason)
    click.echo(f"{to / 'case_set.json'}: {len(case_set.cases)} cases, root {case_set.merkle_root}")
    return 0
