"""What a retraining came to, as a person reads it at its end."""

import click

from components.report.words import blocking, explain
from pipeline.unattended.retraining import Retrained

WORDS = {
    "released": "released",
    "passed": "passed, and not released: serving.release is false",
    "already_released": "the candidate is what is released already",
    "blocked": "not released: checks failed",
    "inconclusive": "not released: the cases do not decide it",
    "failed": "failed",
}


def show_retrained(retrained: Retrained) -> None:
    """The state, the checks that stand in the way, and where everything is."""
    attempt, outcome = retrained.attempt, retrained.outcome
    click.echo(f"\n{_headline(retrained)}")
    if outcome and attempt.state != "nothing_new":
        for check in blocking(outcome.decision):
            click.echo(f"{check.verdict.value} {explain(check)}")
    served = f"version {attempt.version}" if attempt.version is not None else "nothing is released"
    places = [("served", served), ("data", attempt.data)]
    places += [("run", attempt.run_id)] if attempt.run_id else []
    places += [("report", attempt.report)] if attempt.report else []
    places += [("attempt", attempt.attempt_id)]
    for name, place in places:
        click.echo(f"{name:<9}{place}")
    for delivery in retrained.told:
        click.echo(f"{'told':<9}{delivery.channel}: {delivery.state}")
    if retrained.pruned and retrained.pruned.files:
        mebibytes = retrained.pruned.bytes / 2**20
        click.echo(f"{'pruned':<9}{retrained.pruned.files} files, {mebibytes:.1f} MiB")


def _headline(retrained: Retrained) -> str:
    attempt, outcome = retrained.attempt, retrained.outcome
    if outcome is None:
        return WORDS[attempt.state]
    verdict = outcome.decision.verdict.value
    if attempt.state == "nothing_new":
        return f"nothing new since run {attempt.run_id}, whose verdict was {verdict}"
    return f"{verdict}  {WORDS[attempt.state]}"
