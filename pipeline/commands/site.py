"""`casegate site`: what a hospital does by itself, on its own data."""

from pathlib import Path
from typing import Any

import click

from pipeline.commands import options
from pipeline.commands.ending import group
from pipeline.settings.workspace import Workspace


@group()
def site() -> None:
    """A hospital's part in a model of several: its data and its cases stay where they are.

    `casegate cases lock` and `casegate policy` make what judges here; nothing else is needed.
    """


@site.command()
@options.config()
@options.data("As `casegate run` takes it: this site's own.")
@options.workspace(exists=False)
@options.settings()
def join(workspace: Path, **given: Any) -> int:
    """Trains with other hospitals in a run whose training.strategy is federated, to its end.

    The site's data are admitted by its own rules first. Weights, counts and hashes leave it.
    """
    from rich.console import Console

    from pipeline.run.joining import join as join_training
    from pipeline.run.show_run import RunProgress, own_stream
    from pipeline.settings.config import load_config

    config = load_config(*options.with_data(**given))
    stream = own_stream(1)
    console = Console(file=stream, width=None if stream.isatty() else 120)
    with RunProgress(console).display() as progress:
        join_training(config, workspace, listener=progress)
    click.echo(f"took part; what left this site is in {workspace / 'runs'}")
    return 0


@site.command()
@click.argument("request", type=options.FOLDER)
@options.case_set()
@options.file("--policy", "The acceptance criteria.  [default: policy.yaml beside the case set]")
@click.option(
    "--champion",
    type=click.Path(path_type=Path),
    metavar="SCORES|MODEL",
    help="The model that is in use here, if any.",
)
@click.option("--images", metavar="SOURCE", help="Where the case set's images are.")
@options.file("--coordinator", "Public key that requests are signed with.", required=True)
@options.file("--key", "Private key of this site; by default that of CASEGATE_KEY.")
@options.folder("--inbox", "Where the signed verdict goes, under the run's id.", required=True)
@options.workspace(exists=False)
def judge(
    request: Path,
    coordinator: Path,
    key: Path | None,
    inbox: Path,
    workspace: Path,
    champion: Path | None,
    case_set: str,
    policy: Path | None,
    images: str | None,
) -> int:
    """Judges a coordinator's candidate on this site's own cases; the exit code is the verdict.

    REQUEST is a folder of the coordinator's outbox: a SavedModel and a signed request. What goes
    back is one small signed file; the scores, the report and the whole decision stay here.
    """
    from components.attestation.keys import VARIABLE, load_public, load_signers
    from components.records.errors import ConfigError
    from pipeline.run.score_gate import GateRequest
    from pipeline.run.show_gate import as_text
    from pipeline.run.site_gate import judge_request

    signers = load_signers([key] if key else None)
    if len(signers) != 1:
        raise ConfigError(
            f"got {len(signers)} private keys, wanted this site's one: say --key FILE, or set "
            f"{VARIABLE}"
        )
    own = GateRequest(
        case_set=case_set,
        models={"champion": champion} if champion else {},
        policy=policy,
        images=images,
        workspace=Workspace(workspace.resolve()),
    )
    answer = judge_request(
        request, own, coordinator=load_public(coordinator), signer=signers[0], inbox=inbox
    )
    click.echo(as_text(answer.gated), nl=False)
    click.echo(f"kept here: {answer.folder}")
    click.echo(f"sent: {answer.sent}, the verdict and {answer.figures} figures")
    return answer.gated.decision.exit_code
