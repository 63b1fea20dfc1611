"""`casegate gate`: the regression gate on scores that exist already, without any pipeline."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands import options
from pipeline.commands.answers import print_or_write
from pipeline.commands.ending import command, echo_utf8
from pipeline.settings.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.run.score_gate import Gated

FORMS = ("text", "json", "junit", "sarif", "github", "markdown", "html")

_model = partial(click.option, type=click.Path(path_type=Path), metavar="SCORES|MODEL")


@command()
@options.case_set()
@_model("--candidate", required=True, help="The model to judge.")
@_model("--champion", help="The model now released, if any.")
@_model("--golden", help="The approved model.  [default: golden.json beside the case set]")
@options.file("--policy", "The acceptance criteria.  [default: policy.yaml beside the case set]")
@click.option(
    "--operating-point",
    "points",
    multiple=True,
    metavar="[NAME=]VALUE",
    help="Of files that state none; NAME is candidate, champion or golden. Repeatable.",
)
@click.option(
    "--images",
    "--source",
    "images",
    metavar="SOURCE",
    help="The case set's images: to score a model, and for the pictures in HTML.",
)
@options.form(*FORMS)
@options.file("--output", "Where to write it; without this, to the screen.")
@options.folder("--workspace", "Counts the look in its ledger, and keeps the decision under runs/.")
@options.file("--ledger", "As --workspace, in this ledger and in runs/ beside it.")
@click.option("--run-id", metavar="ID", help="Names the decision.  [default: the time]")
@click.option("--created", metavar="TIME", help="ISO 8601 in UTC.  [default: now]")
def gate(
    form: str, output: Path | None, workspace: Path | None, ledger: Path | None, **asked: Any
) -> int:
    """Judges a candidate's scores by the policy; the exit code is the verdict.

    SCORES is a CSV or Parquet file with the columns case_id and score; label, where there is one,
    has to agree with the case set, and operating_point states the model's own. A scores.json or
    golden.json of the pipeline will do as well. MODEL is the folder of a SavedModel, a .tflite
    file, or the folder of an exported artefact, which is asked in its own runtime.
    """
    from components.records.errors import UsageError
    from pipeline.run.score_gate import MODELS, GateRequest
    from pipeline.run.score_gate import gate as judge

    if workspace and ledger:
        raise UsageError("--workspace and --ledger: give one; a workspace has its own ledger")
    place = Workspace((workspace or Path("workspace")).resolve())
    given = {name: asked.pop(name) for name in MODELS}
    models = {name: path for name, path in given.items() if path is not None}
    counted = place.ledger if workspace else ledger and ledger.resolve()
    gated = judge(GateRequest(models=models, workspace=place, ledger=counted, **asked))
    _show(gated, form, output)
    return gated.decision.exit_code


def _show(gated: "Gated", form: str, output: Path | None) -> None:
    from pipeline.run.show_gate import as_text, rendered

    if form == "text" and output is None:
        click.echo(as_text(gated, terminal=sys.stdout.isatty()), nl=False)
        return
    text, done = rendered(gated, form), gated.decision.verdict.value
    if form == "github":  # only what a step prints becomes an annotation
        from components.report.github import append_job_summary

        if fault := append_job_summary(rendered(gated, "markdown")):
            click.echo(fault, err=True)
        echo_utf8(text)
    if form != "github" or output:
        print_or_write(text, output, option="--output", done=done)
