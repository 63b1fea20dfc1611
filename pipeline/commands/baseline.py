"""`casegate baseline`: the golden scores, which move only by a named person's approval."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands import options
from pipeline.commands.ending import group

if TYPE_CHECKING:
    from components.baselines.case_set import CaseSet
    from components.baselines.golden import Golden, GoldenProposal
    from components.baselines.scores import CaseScores
    from pipeline.governance.approval import Approved
    from pipeline.governance.golden_record import GoldenRecord, GoldenStep


@group()
def baseline() -> None:
    """The golden scores that every candidate is compared with."""


_folder = click.option(
    "--baseline",
    "folder",
    type=options.EXISTING_FOLDER,
    metavar="DIR",
    help="The baseline's folder; default: the one that judged the newest run.",
)


@baseline.command()
@options.workspace(exists=True)
@click.option("--run", "run_id", metavar="ID", help="Default: the newest run with a decision.")
@options.person("Who approves.")
def bootstrap(workspace: Path, **approval: Any) -> int:
    """Approves a run's candidate as the first golden, by name.

    Refused where golden scores exist already, or where the candidate failed.
    """
    from pipeline.governance.approval import bootstrap_golden

    then = "run again to judge and release the candidate against them"
    return _show_approved(bootstrap_golden(workspace, **approval), then)


@baseline.command()
@options.workspace(exists=True)
@click.option("--run", "run_id", required=True, metavar="ID", help="The run that passed.")
@click.option("--by", metavar="NAME", help="Who proposes; default: the login name.")
def propose(workspace: Path, run_id: str, by: str | None) -> int:
    """Puts the candidate of a run that passed up for approval as golden.

    Golden stays what it is until `casegate baseline approve`.
    """
    from pipeline.governance.approval import propose_golden
    from pipeline.governance.golden_record import golden_record
    from pipeline.settings.workspace import Workspace

    path, proposal = propose_golden(workspace, run_id=run_id, by=by)
    shown = golden_record(Workspace(workspace.resolve()), path.parent)
    cases = shown.case_set
    click.echo(f"proposed by {proposal.by}: the candidate of run {run_id}: {path}")
    if shown.golden:
        click.echo("golden now:")
        _show_scores(shown.golden.scores, cases)
    click.echo("proposed:")
    _show_proposed(proposal, cases)
    click.echo("next: casegate baseline approve --by NAME --reason TEXT")
    return 0


@baseline.command()
@options.workspace(exists=True)
@options.person("Who approves.")
def approve(workspace: Path, by: str, reason: str) -> int:
    """Makes the proposal golden, by name; the golden before it is kept in history/."""
    from pipeline.governance.approval import approve_golden

    then = "every later candidate is compared with them; commit the baseline's folder"
    return _show_approved(approve_golden(workspace, by=by, reason=reason), then)


@baseline.command()
@options.workspace(exists=False)
@_folder
def show(workspace: Path, folder: Path | None) -> int:
    """Prints what golden is now, who approved it, and what waits for approval."""
    shown = _read(workspace, folder)
    cases, proposal = shown.case_set, shown.proposal
    _line("baseline", str(shown.baseline))
    _line("case set", f"{cases.name} version {cases.version}, {len(cases.cases)} cases")
    if shown.golden:
        _show_approval(shown.golden)
        _show_scores(shown.golden.scores, cases)
    else:
        _line("golden", "none yet; casegate baseline bootstrap approves the first")
    if proposal:
        _line("proposed", f"by {proposal.by} on {proposal.date}, from run {proposal.run_id}")
        _line("decision", proposal.decision_sha256)
        _show_proposed(proposal, cases)
    if entry := shown.unfinished:
        _line("cut short", f"the {entry.kind} by {entry.by} at {entry.at}; give it again")
    return 0


@baseline.command()
@options.workspace(exists=False)
@_folder
def history(workspace: Path, folder: Path | None) -> int:
    """Lists every approval, oldest first; exits 4 where ledger and files disagree."""
    from components.records.errors import IntegrityError

    found = _read(workspace, folder)
    where, faults = found.baseline, list(found.faults())
    for step in found.steps:
        _show_step(step, where)
    if not found.steps:
        click.echo(f"{where}: no golden yet; casegate baseline bootstrap approves the first")
    for fault in faults:
        click.echo(IntegrityError(f"{where}: {fault}").line, err=True)
    return IntegrityError.exit_code if faults else 0


def _read(root: Path, given: Path | None) -> "GoldenRecord":
    from pipeline.governance.golden_record import find_baseline, golden_record
    from pipeline.settings.workspace import Workspace

    workspace = Workspace(root.resolve())
    return golden_record(workspace, find_baseline(workspace, given))


def _show_approved(approved: "Approved", then: str) -> int:
    approval = approved.golden.approval
    if approved.finished:
        done = f"finished the approval by {approval.by} of {approval.date}, which was cut short"
        then = "nothing else was approved; give the command again for that"
    else:
        done = f"golden scores approved by {approval.by}"
    click.echo(f"{done}: {approved.path}\n{then}")
    return 0


def _show_step(step: "GoldenStep", where: Path) -> None:
    approval = step.golden.approval
    entry = f"entry {step.seq}" if step.seq is not None else "not in this ledger"
    click.echo(f"{approval.date}  {approval.by}: {approval.reason}")
    click.echo(f"  {step.file.relative_to(where)}, {entry}")
    click.echo(f"  golden {step.golden.golden_sha256[:12]}, decision {approval.decision_sha256}")
    for carried in approval.rescored:
        click.echo(f"  scored anew on {carried.date} by {carried.by}: {carried.reason}")


def _show_approval(golden: "Golden") -> None:
    approval = golden.approval
    _line("golden", f"approved by {approval.by} on {approval.date}: {approval.reason}")
    _line("decision", approval.decision_sha256 or "none")
    _line("golden hash", golden.golden_sha256)
    for carried in approval.rescored:
        _line("scored anew", f"on {carried.date} by {carried.by}: {carried.reason}")


def _show_scores(scores: "CaseScores", case_set: "CaseSet") -> None:
    from pipeline.governance.golden_record import shares_right

    _line("model", scores.model_sha256)
    _line("scores", scores.scores_sha256)
    shares = shares_right(scores, case_set)
    if shares is None:
        _line("scored on", f"another case set: {scores.scored_case_set}")
    else:
        _line("sensitivity", shares[0])
        _line("specificity", shares[1])


def _show_proposed(proposal: "GoldenProposal", case_set: "CaseSet") -> None:
    _show_scores(proposal.scores, case_set)
    if proposal.waived:
        _line("waived", ", ".join(proposal.waived))


def _line(name: str, value: str) -> None:
    click.echo(f"  {name:<12}  {value}")
