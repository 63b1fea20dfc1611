"""`casegate lineage impact`: what a bad image, package or commit reached."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.lineage_shared import answered

if TYPE_CHECKING:
    from pipeline.evidence.answer import Answer
    from pipeline.evidence.subject import Evidence


@click.command()
@click.option("--case", metavar="ID", help="A withdrawn or mislabelled case.")
@click.option(
    "--image",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A picture; it is known again however its file was encoded.",
)
@click.option("--package", metavar="NAME==VERSION", help="A version that was withdrawn.")
@click.option("--commit", metavar="SHA", help="A bad commit, or its beginning.")
@click.option(
    "--reread",
    is_flag=True,
    help="Read every training manifest from end to end, and trust no index beside it.",
)
@answered
def impact(
    evidence: "Evidence",
    *,
    case: str | None,
    image: Path | None,
    package: str | None,
    commit: str | None,
    reread: bool,
) -> "Answer":
    """Which models, runs and releases a bad image, package or commit reached.

    Says what of it is serving now. An image is looked for in all training data and in every
    version of every case set. Exit code 4 says that the answer is not complete, or that ML
    Metadata was altered.
    """
    from components.records.errors import UsageError

    if sum(word is not None for word in (case, image, package, commit)) != 1:
        raise UsageError("wanted one of --case, --image, --package and --commit")
    if reread and case is None and image is None:
        raise UsageError("--reread goes with --case or --image")
    if package is not None or commit is not None:
        from pipeline.evidence.questions.impact import impact_of_commit, impact_of_package

        if package is not None:
            return impact_of_package(evidence, package)
        return impact_of_commit(evidence, str(commit))
    from pipeline.evidence.questions.impact_image import impact_of_case, impact_of_image

    if image is not None:
        return impact_of_image(evidence, image, reread=reread)
    return impact_of_case(evidence, str(case), reread=reread)
