"""`casegate gate`: the regression gate on scores that exist already, without any pipeline."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands import options
from pipeline.commands.ending import command, echo_utf8

if TYPE_CHECKING:
    from pipeline.run.score_gate import Gated

FORMS = ("text", "json", "junit", "sarif", "github", "markdown", "html")


@command()
@options.case_set()
@click.option(
    "--candidate",
    type=click.Path(path_type=Path),
    required=True,
    metavar="SCORES|SAVEDMODEL",
    help="The model to judge.",
)
@click.option(
    "--champion",
    type=click.Path(path_type=Path),
    metavar="SCORES|SAVEDMODEL",
    help="The model now released, if any.",
)
@click.option(
    "--golden",
    type=click.Path(path_type=Path),
    metavar="SCORES|SAVEDMODEL",
    help="The approved model.  [default: golden.json beside the case set]",
)
@click.option(
    "--policy",
    type=options.FILE,
    metavar="FILE",
    help="The acceptance criteria.  [default: policy.yaml beside the case set]",
)
@click.option(
    "--operating-point",
    "points",
    multiple=True,
    metavar="[NAME=]VALUE",
    help="Of score files that state none; NAME is candidate, champion or golden. Repeatable.",
)
@click.option(
    "--images",
    "--source",
    "images",
    metavar="SOURCE",
    help="The case set's images: to score a SavedModel, and for the pictures in HTML.",
)
@options.form(*FORMS)
@click.option(
    "--output",
    type=options.FILE,
    metavar="FILE",
    help="Where to write it; without this, to the screen.",
)
@click.option(
    "--workspace",
    type=options.FOLDER,
    metavar="DIR",
    help="Counts the look in its ledger, and keeps the decision under runs/.",
)
@click.option(
    "--ledger",
    type=options.FILE,
    metavar="FILE",
    help="As --workspace, in this ledger and in runs/ beside it.",
)
@click.option("--run-id", metavar="ID", help="Names the decision.  [default: the time]")
@click.option("--created", metavar="TIME", help="ISO 8601 in UTC.  [default: now]")
def gate(
    case_set: str,
    candidate: Path,
    champion: Path | None,
    golden: Path | None,
    policy: Path | None,
    points: tuple[str, ...],
    images: str | None,
    form: str,
    output: Path | None,
    workspace: Path | None,
    ledger: Path | None,
    run_id: str | None,
    created: str | None,
) -> int:
    """Judges a candidate's scores by the policy; the exit code is the verdict.

    SCORES is a CSV or Parquet file with the columns case_id and score; label, where there is one,
    has to agree with the case set, and operating_point states the model's own. A scores.json or
    golden.json of the pipeline will do as well.
    """
    from components.records.errors import UsageError
    from pipeline.run.score_gate import GateRequest
    from pipeline.run.score_gate import gate as judge
    from pipeline.settings.workspace import Workspace

    if workspace and ledger:
        raise UsageError("--workspace and --ledger: give one; a workspace has its own ledger")
    place = Workspace((workspace or Path("workspace")).resolve())
    given = {"candidate": candidate, "champion": champion, "golden": golden}
    gated = judge(
        GateRequest(
            case_set=case_set,
            models={name: path for name, path in given.items() if path is not None},
            policy=policy,
            points=points,
            images=images,
            workspace=place,
            ledger=place.ledger if workspace else ledger and ledger.resolve(),
            run_id=run_id,
            created=created,
        )
    )
    _show(gated, form, output)
    return gated.decision.exit_code


def _show(gated: "Gated", form: str, output: Path | None) -> None:
    from pipeline.run.show_gate import append_job_summary, as_text, rendered, write_output

    if form == "text" and output is None:
        click.echo(as_text(gated, terminal=sys.stdout.isatty()), nl=False)
        return
    text = rendered(gated, form)
    if output:
        write_output(output, text)
    if form == "github":  # only what a step prints becomes an annotation
        if fault := append_job_summary(gated):
            click.echo(fault, err=True)
        echo_utf8(text)
    if output:
        click.echo(f"{gated.decision.verdict.value}: {output}")
    elif form != "github":
        echo_utf8(text)
