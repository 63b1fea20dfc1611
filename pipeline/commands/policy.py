"""`casegate policy`: whether the acceptance criteria can be met at all, before anything is run."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from components.baselines.names import GOLDEN
from pipeline.commands import options
from pipeline.commands.ending import echo_json, group
from pipeline.settings.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.governance.show_policy import Preflight


@group()
def policy() -> None:
    """The acceptance criteria, written before the result."""


def _share(context: click.Context, option: click.Parameter, value: float | None) -> float | None:
    if value is not None and not 0 < value < 1:  # so that NaN is refused too
        raise click.BadParameter(f"got {value}, wanted a share above 0 and below 1")
    return value


@policy.command()
@click.argument("path", metavar="POLICY", type=options.FILE)
@options.case_set()
@click.option(
    "--discordant",
    type=float,
    callback=_share,
    metavar="SHARE",
    help="Of the cases, that equally good models call differently.  [default: the policy's]",
)
@options.form()
@options.workspace(exists=False)
def check(path: Path, case_set: str, discordant: float | None, form: str, workspace: Path) -> int:
    """What each check of POLICY can prove on a case set, and how often it will pass.

    Exit code 2 where a check can never pass: not of an unchanged model, nor of one that is always
    right.
    """
    from components.baselines.case_set import load_case_set
    from components.baselines.golden import load_golden
    from components.gate.chances import chances
    from components.gate.policy import load_policy
    from components.gate.preflight import preflight, refuse_hopeless
    from pipeline.governance.show_policy import Preflight
    from pipeline.settings.baselines import find_case_set

    rules = load_policy(path)
    place = find_case_set(case_set, Workspace(workspace.resolve()))
    cases, beside = load_case_set(place), place.parent / GOLDEN
    golden = load_golden(beside).scores if beside.is_file() else None
    outlooks = preflight(rules, cases)
    share = rules.expected_discordance if discordant is None else discordant
    found = chances(outlooks, rules, cases, golden=golden, discordance=share)
    _show(Preflight(rules, cases, share, list(zip(outlooks, found))), form)
    refuse_hopeless(rules, cases, path=path)
    return 0


def _show(found: "Preflight", form: str) -> None:
    if form == "json":
        echo_json(found.as_json())
        return
    from components.report.terminal import page_text
    from pipeline.governance.show_policy import show_preflight

    terminal = sys.stdout.isatty()
    click.echo(page_text(lambda page: show_preflight(page, found), terminal=terminal), nl=False)
