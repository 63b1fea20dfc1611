"""`casegate hook`: what git is asked to refuse; for pre-commit, for git's own hooks and for CI."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.shared import refusing_in_one_line

if TYPE_CHECKING:
    from pipeline.ci.hooks.revision import Rule


@click.group()
def hook() -> None:
    """Checks of a change to what judges, before it becomes a commit.

    Each reads what is staged, not what lies in the working tree; with --from-ref and --to-ref, each
    commit in between.
    """


def _options(command: Callable[..., int]) -> click.Command:
    wrapped: Any = refusing_in_one_line(command)
    for option in (
        click.option(
            "--to-ref",
            envvar="PRE_COMMIT_TO_REF",
            metavar="COMMIT",
            help="The newest commit to look at.",
        ),
        click.option(
            "--from-ref",
            envvar="PRE_COMMIT_FROM_REF",
            metavar="COMMIT",
            help="Look at the commits that this one has not.  [default: at what is staged]",
        ),
        click.option(
            "--baselines",
            default="baselines",
            show_default=True,
            metavar="DIR",
            help="The folder with the baselines, in the checkout.",
        ),
    ):
        wrapped = option(wrapped)
    return wrapped


@hook.command()
@_options
def policy(baselines: str, from_ref: str | None, to_ref: str | None) -> int:
    """A changed policy keeps its schema, and each of its checks can be passed."""
    from pipeline.ci.hooks.rules import policies

    return _held([policies], baselines, from_ref, to_ref)


@hook.command(name="case-set")
@_options
def case_set(baselines: str, from_ref: str | None, to_ref: str | None) -> int:
    """A changed case set is what its hashes say, and amends the version before it."""
    from pipeline.ci.hooks.rules import case_sets

    return _held([case_sets], baselines, from_ref, to_ref)


@hook.command(name="no-pixels")
@_options
def no_pixels(baselines: str, from_ref: str | None, to_ref: str | None) -> int:
    """No picture, array or archive lies under the baselines, whatever it is called."""
    from pipeline.ci.hooks.rules import no_pixels

    return _held([no_pixels], baselines, from_ref, to_ref)


@hook.command(name="baselines-alone")
@click.option(
    "--ledger",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A ledger that has to hold the entry of each approval and amendment.",
)
@_options
def baselines_alone(
    ledger: Path | None, baselines: str, from_ref: str | None, to_ref: str | None
) -> int:
    """What judges changes in a commit of its own, and golden only by approval.

    Of commits that are made already, the message has to name who approved.
    """
    from pipeline.ci.hooks.rules import alone, recorded_in

    rules = [alone, recorded_in(ledger)] if ledger else [alone]
    return _held(rules, baselines, from_ref, to_ref)


@hook.command(name="all")
@_options
def everything(baselines: str, from_ref: str | None, to_ref: str | None) -> int:
    """All of the above, as CI asks for it of the commits of a change."""
    from pipeline.ci.hooks.rules import alone, case_sets, no_pixels, policies

    return _held([policies, case_sets, no_pixels, alone], baselines, from_ref, to_ref)


@hook.command()
@click.argument("message", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--baselines", default="baselines", show_default=True, metavar="DIR")
@refusing_in_one_line
def approver(message: Path, baselines: str) -> int:
    """The message in FILE names who approved the staged change of baselines."""
    from pipeline.ci.hooks.rules import named_approver

    return _held([named_approver], baselines, None, None, message=message)


def _held(
    rules: "Sequence[Rule]",
    baselines: str,
    from_ref: str | None,
    to_ref: str | None,
    *,
    message: Path | None = None,
) -> int:
    """Says each thing that does not hold on a line of its own; returns the exit code."""
    from components.records.text import one_line
    from pipeline.ci.hooks.revision import check_revisions

    code = 0
    done = check_revisions(
        rules, Path.cwd(), baselines=baselines, old=from_ref, new=to_ref, message=message
    )
    for revision, fault in done:
        where = f"commit {revision.name[:12]}: " if revision.name else ""
        click.echo(f"{where}{one_line(str(fault))}", err=True)
        code = max(code, fault.exit_code)
    return code
