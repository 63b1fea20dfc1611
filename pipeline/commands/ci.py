"""`casegate ci`: what a commit needs, found out from its changes, done, and shown to CI."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands import options
from pipeline.commands.ending import echo_json, group

if TYPE_CHECKING:
    from components.records.events import Event
    from pipeline.ci.checked import CheckedCommit

_CONFIG = options.config()
_DATA = options.data("As of `casegate run`.")
_SET = options.settings()


@group(invoke_without_command=True)
@_CONFIG
@_DATA
@_SET
@click.option(
    "--base", metavar="REV", help="What to compare with.  [default: the CI provider's word]"
)
@click.option("--head", metavar="REV", help="What has to be checked out.")
@click.option("--release", is_flag=True, help="Judges on the locked case set.")
@click.option(
    "--registry",
    metavar="DIR|URL",
    help="Folder, s3:// or gs:// with what is released.  [default: ci.registry]",
)
@options.folder("--cache", "Keeps results by content; restore it between jobs.")
@options.folder(
    "--out",
    "Gets junit.xml, casegate.sarif, summary.md, report.html, decision.json, result.json.",
    default=Path("ci-results"),
    show_default=True,
)
@options.form()
@click.pass_context
def ci(context: click.Context, /, **given: Any) -> int:
    """Checks a commit: does what its changes need, and no more.

    Documentation alone needs nothing; policy or baselines judge the released model anew; anything
    else runs the pipeline on the development case set, or with --release, a tag or the label
    `release` on the locked one. Nothing is ever released. The exit code is the verdict.
    """
    return _check(**given) if context.invoked_subcommand is None else 0


def _check(
    config: Path | None, data: str | None, settings: tuple[str, ...], form: str, **asked: Any
) -> int:
    from pipeline.ci.check import check
    from pipeline.ci.checked import CheckRequest, Steps
    from pipeline.ci.job_files import clear, write_files
    from pipeline.settings.config import load_config

    path, overrides = options.with_data(config, data, settings)
    request = CheckRequest(Path.cwd(), load_config(path, overrides), path, **asked)
    out = request.out
    clear(out)
    to_stderr = form == "json"
    steps = Steps(lambda line: click.echo(line, err=to_stderr))
    checked = check(request, steps, os.environ, lambda: _watched(2 if to_stderr else 1))
    write_files(checked, out)
    _show(checked, out, form)
    return checked.exit_code


@ci.command()
@options.workspace(exists=True)
@_CONFIG
@_DATA
@_SET
@click.option("--registry", metavar="DIR|URL", help="Where to.  [default: ci.registry]")
def publish(workspace: Path, registry: str | None, **given: Any) -> int:
    """Puts the workspace's released model and its scores into a registry, for CI to compare with.

    Where the settings name a development case set, the model is scored on it, too.
    """
    from components.records.errors import UsageError
    from pipeline.ci.publishing import publish_release
    from pipeline.settings.config import load_config

    resolved = load_config(*options.with_data(**given))
    address = registry or resolved.ci.registry
    if address is None:
        raise UsageError("--registry: got none, and ci.registry is null; name a folder or bucket")
    published, place = publish_release(resolved, workspace, address)
    click.echo(f"published version {published.version}, {published.model_sha256[:12]}: {place}")
    for root, file in sorted(published.files.items()):
        click.echo(f"  case set {root[:12]}  {file['scores']}")
    return 0


@contextlib.contextmanager
def _watched(descriptor: int) -> "Iterator[Callable[[Event], None]]":
    """Shows the run: live on a terminal, a plain line per component elsewhere."""
    from rich.console import Console

    from pipeline.run.show_run import RunProgress, own_stream

    stream = own_stream(descriptor)
    terminal = stream.isatty()
    # Whatever else the environment asks for: what is no terminal gets no escape codes.
    console = Console(
        file=stream, width=None if terminal else 120, force_terminal=terminal, highlight=False
    )
    with RunProgress(console).display() as progress:
        yield progress


def _show(checked: "CheckedCommit", out: Path, form: str) -> None:
    from components.records.text import printable
    from components.report.github import append_job_summary
    from pipeline.ci.job_files import SUMMARY, annotations, result
    from pipeline.settings.provenance import GITHUB, ci_job

    as_json = form == "json"
    if ci_job(os.environ)[0] == GITHUB:
        # Only what a step prints becomes an annotation; stdout may be somebody's JSON.
        click.echo(annotations(checked), nl=False, err=as_json)
        if fault := append_job_summary((out / SUMMARY).read_text(encoding="utf-8")):
            click.echo(f"{fault}; it is in {out / SUMMARY}", err=True)
    if as_json:
        echo_json(result(checked))
    else:
        from pipeline.ci.job_summary import as_lines

        for line in as_lines(checked, str(out)):
            click.echo(printable(line).rstrip())
    if checked.error:
        click.echo(printable(checked.error.line).rstrip(), err=True)
