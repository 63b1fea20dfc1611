"""The casegate command. TensorFlow is imported only inside the commands that need it."""

import click

from pipeline.commands.audit import audit
from pipeline.commands.backbones import backbones
from pipeline.commands.baseline import baseline
from pipeline.commands.board import board
from pipeline.commands.cases import cases
from pipeline.commands.ci import ci
from pipeline.commands.ending import group
from pipeline.commands.explain import explain
from pipeline.commands.feedback import feedback
from pipeline.commands.gate import gate
from pipeline.commands.hooks import hook
from pipeline.commands.keys import keys
from pipeline.commands.ledger import ledger
from pipeline.commands.lineage import lineage
from pipeline.commands.monitor import monitor
from pipeline.commands.notify import notify
from pipeline.commands.overrule import rollback, waive
from pipeline.commands.pacs import pacs
from pipeline.commands.policy import policy
from pipeline.commands.privacy import privacy
from pipeline.commands.prune import prune
from pipeline.commands.reader import reader
from pipeline.commands.run import retrain, run
from pipeline.commands.schedule import schedule
from pipeline.commands.serve import serve
from pipeline.commands.serving import serving
from pipeline.commands.site import site
from pipeline.commands.store import store
from pipeline.commands.timeline import timeline
from pipeline.commands.worker import worker


@group(name="casegate", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="casegate")
def main() -> None:
    """Releases medical-imaging classifiers; refuses one that is worse than before.

    Exit codes: 0 released or passed, 1 gate failed, 2 usage or configuration, 3 inconclusive,
    4 integrity, 5 nothing evaluated, 70 internal error.
    """


for command in (
    run,
    ci,
    hook,
    retrain,
    schedule,
    notify,
    monitor,
    explain,
    serve,
    feedback,
    pacs,
    prune,
    privacy,
    backbones,
    gate,
    policy,
    baseline,
    cases,
    waive,
    rollback,
    ledger,
    lineage,
    audit,
    serving,
    reader,
    keys,
    store,
    timeline,
    board,
    worker,
    site,
):
    main.add_command(command)
