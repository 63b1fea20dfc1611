"""The casegate command. TensorFlow is imported only inside the commands that need it."""

import json
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click

from components.errors import CasegateError


def refusing_in_one_line(command: Callable[..., int]) -> Callable[..., None]:
    """Ends the process with the command's exit code; an error becomes one line on stderr."""

    @wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        try:
            code = command(*arguments, **options)
        except CasegateError as error:
            click.echo(f"{type(error).__name__}: {error}", err=True)
            code = error.exit_code
        except Exception as error:
            click.echo(f"internal error: {_story(error)}", err=True)
            code = CasegateError.exit_code
        sys.exit(code)

    return wrapped


def _story(error: Exception) -> str:
    """The error in one line; its traceback in a file, for whoever mends it."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="casegate-", suffix=".log", delete=False, encoding="utf-8"
    ) as file:
        traceback.print_exception(error, file=file)
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}; the traceback is in {file.name}"


class OneLineGroup(click.Group):
    """Usage errors in one line and with exit code 2, an interrupt with 130 as shells expect."""

    def main(self, *arguments: Any, **options: Any) -> NoReturn:
        try:
            code = super().main(*arguments, **{**options, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            code = error.exit_code
        except click.ClickException as error:
            words = " ".join(error.format_message().split())
            where = (
                error.ctx.command_path
                if isinstance(error, click.UsageError) and error.ctx
                else "casegate"
            )
            click.echo(f"{where}: {words} See '{where} --help'.", err=True)
            code = error.exit_code
        except (click.Abort, KeyboardInterrupt):
            click.echo("interrupted: nothing was released", err=True)
            code = 130
        sys.exit(code or 0)


@click.group(
    name="casegate", cls=OneLineGroup, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="casegate")
def main() -> None:
    """Releases medical-imaging classifiers; refuses one that is worse than before.

    Exit codes: 0 released or passed, 1 gate failed, 2 usage or configuration, 3 inconclusive,
    4 integrity, 5 nothing evaluated, 70 internal error.
    """


@main.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file of settings; without it the one shipped for the data, if any.",
)
@click.option(
    "--data",
    metavar="SOURCE",
    help="phantom[:n=2000,...], a MedMNIST .npz, medmnist:NAME, or a folder.",
)
@click.option(
    "--workspace",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("workspace"),
    show_default=True,
    help="Where runs, releases and metadata are kept.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Overrides one setting; may be repeated.",
)
@click.option(
    "--skip-bad-cases",
    type=click.IntRange(min=0),
    metavar="N",
    help="Tolerates up to N unusable cases, and lists them.",
)
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@refusing_in_one_line
def run(
    config: Path | None,
    data: str | None,
    workspace: Path,
    settings: tuple[str, ...],
    skip_bad_cases: int | None,
    format_: str,
) -> int:
    """Trains, judges and, where the verdict is PASS, releases."""
    from rich.console import Console

    from pipeline.config import load_config, shipped_config
    from pipeline.display import Progress, own_stream, show_outcome
    from pipeline.runner import run as run_pipeline

    overrides = list(settings)
    if data is not None:
        overrides.append(f"data.source={json.dumps(data)}")
    if skip_bad_cases is not None:
        overrides.append(f"data.skip_bad_cases={skip_bad_cases}")
    resolved = load_config(config or shipped_config(data), overrides)
    as_json = format_ == "json"
    stream = own_stream(2 if as_json else 1)
    console = Console(file=stream, width=None if stream.isatty() else 120)
    with Progress(console).shown() as progress:
        outcome = run_pipeline(resolved, workspace, listener=progress)
    if as_json:
        click.echo(json.dumps(outcome.as_json(), indent=2, sort_keys=True))
    else:
        show_outcome(console, outcome)
    return outcome.exit_code


@main.group()
def baseline() -> None:
    """The golden scores that every candidate is compared with."""


@baseline.command()
@click.option(
    "--workspace",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path("workspace"),
    show_default=True,
)
@click.option("--run", "run_id", metavar="ID", help="Default: the newest run with a decision.")
@click.option("--by", required=True, metavar="NAME", help="Who approves.")
@click.option("--reason", required=True, metavar="TEXT")
@refusing_in_one_line
def bootstrap(workspace: Path, run_id: str | None, by: str, reason: str) -> int:
    """Approves a run's candidate as the first golden, by name.

    Refused where golden scores exist already, or where the candidate failed.
    """
    from pipeline.approval import bootstrap_golden

    path = bootstrap_golden(workspace, run_id=run_id, by=by, reason=reason)
    click.echo(f"golden scores approved by {by}: {path}")
    click.echo("run again to judge and release the candidate against them")
    return 0


@main.group()
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
