"""`casegate hook`: what git is asked to refuse; for pre-commit, for git's own hooks and for CI."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands import options
from pipeline.commands.ending import group

if TYPE_CHECKING:
    from pipeline.ci.hooks.revision import Rule


@group()
def hook() -> None:
    """Checks of a change to what judges, before it becomes a commit.

    Each reads what is staged, not what lies in the working tree; with --from-ref and --to-ref, each
    commit in between.
    """


_revisions = options.stacked(
    click.option(
        "--baselines",
        default="baselines",
        show_default=True,
        metavar="DIR",
        help="The folder with the baselines, in the checkout.",
    ),
    click.option(
        "--from-ref",
        "old",
        envvar="PRE_COMMIT_FROM_REF",
        metavar="COMMIT",
        help="Look at the commits that this one has not.  [default: at what is staged]",
    ),
    click.option(
        "--to-ref",
        "new",
        envvar="PRE_COMMIT_TO_REF",
        metavar="COMMIT",
        help="The newest commit to look at.",
    ),
)


@hook.command()
@_revisions
def policy(**revisions: Any) -> int:
    """A changed policy keeps its schema, and each of its checks can be passed."""
    from pipeline.ci.hooks.rules import policies

    return _check([policies], **revisions)


@hook.command(name="case-set")
@_revisions
def case_set(**revisions: Any) -> int:
    """A changed case set is what its hashes say, and amends the version before it."""
    from pipeline.ci.hooks.rules import case_sets

    return _check([case_sets], **revisions)


@hook.command(name="no-pixels")
@_revisions
def no_pixels(**revisions: Any) -> int:
    """No picture, array or archive lies under the baselines, whatever it is called."""
    from pipeline.ci.hooks.rules import no_pixels

    return _check([no_pixels], **revisions)


@hook.command(name="baselines-alone")
@options.file("--ledger", "A ledger that has to hold the entry of each approval and amendment.")
@_revisions
def baselines_alone(ledger: Path | None, **revisions: Any) -> int:
    """What judges changes in a commit of its own, and golden only by approval.

    Of commits that are made already, the message has to name who approved.
    """
    from pipeline.ci.hooks.rules import alone, recorded_in

    rules = [alone, recorded_in(ledger)] if ledger else [alone]
    return _check(rules, **revisions)


@hook.command(name="all")
@_revisions
def everything(**revisions: Any) -> int:
    """All of the above, as CI asks for it of the commits of a change."""
    from pipeline.ci.hooks.rules import alone, case_sets, no_pixels, policies

    return _check([policies, case_sets, no_pixels, alone], **revisions)


@hook.command()
@click.argument("message", metavar="FILE", type=options.FILE)
@click.option("--baselines", default="baselines", show_default=True, metavar="DIR")
def approver(message: Path, baselines: str) -> int:
    """The message in FILE names who approved the staged change of baselines."""
    from pipeline.ci.hooks.rules import named_approver

    return _check([named_approver], baselines=baselines, message=message)


def _check(rules: "Sequence[Rule]", **revisions: Any) -> int:
    """Prints each fault on a line of its own; returns the exit code."""
    from components.records.text import one_line
    from pipeline.ci.hooks.revision import check_revisions

    code = 0
    for revision, fault in check_revisions(rules, Path.cwd(), **revisions):
        where = f"commit {revision.name[:12]}: " if revision.name else ""
        click.echo(f"{where}{one_line(str(fault))}", err=True)
        code = max(code, fault.exit_code)
    return code
