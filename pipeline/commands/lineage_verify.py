"""`casegate lineage verify`: is it all still as it was recorded."""

from typing import TYPE_CHECKING

import click

from pipeline.commands.lineage_shared import answered

if TYPE_CHECKING:
    from pipeline.evidence.answer import Answer
    from pipeline.evidence.subject import Evidence


@click.command()
@click.argument("name", metavar="[VERSION|RUN]", required=False)
@click.option("--all", "all_", is_flag=True, help="Every run and release of the workspace.")
@answered
def verify(evidence: "Evidence", name: str | None, all_: bool) -> "Answer":
    """Recomputes every hash: models, scores, decisions, ledger, case sets, training data.

    Signatures and ML Metadata's rows are held against the records too. Without a name, what is
    serving now is verified. Names the first difference, and exits 4.
    """
    from components.records.errors import ConfigError
    from pipeline.evidence.verify.verify import verify

    if name is not None and all_:
        raise ConfigError(f"--all: leave it out to verify {name} alone, or leave out {name}")
    if all_:
        return verify(evidence, None)
    if name is not None:
        return verify(evidence, [evidence.subject(name)])
    return verify(
        evidence,
        [
            evidence.subject(str(r.version), destination=r.destination)
            for r in evidence.serving().values()
        ],
    )
