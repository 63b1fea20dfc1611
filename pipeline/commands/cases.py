"""`casegate cases`: the locked case set, from its first version to its next."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from components.baselines.names import CASE_SET
from pipeline.commands import options
from pipeline.commands.ending import console, group, print_answer, progress_bar
from pipeline.settings.workspace import Workspace

if TYPE_CHECKING:
    from components.cases.reading import Reading

LABELS = {"0": 0, "1": 1, "negative": 0, "positive": 1}


@group()
def cases() -> None:
    """The locked case set.

    NAME is a baseline's name, shipped or in the workspace; FILE is a case_set.json or its folder.
    """


@cases.command()
@click.argument("source")
@options.folder("--to", "The baseline's folder, e.g. baselines/chest.", required=True)
@options.person("Who locks it.")
@options.reading()
def lock(source: str, to: Path, by: str, reason: str, reading: "Reading") -> int:
    """Locks the test split of SOURCE: ids, labels, attributes and content hashes."""
    from components.cases.lock import lock_source
    from components.cases.sources import open_source
    from pipeline.governance.persons import require_text

    by, reason = require_text(by, "--by"), require_text(reason, "--reason")
    opened = open_source(source, reading)
    case_set = lock_source(opened, to / CASE_SET, author=by, reason=reason, reading=reading)
    for line in opened.read_as.lines:
        click.echo(line)
    click.echo(f"{to / CASE_SET}: {len(case_set.cases)} cases, root {case_set.merkle_root}")
    return 0


@cases.command()
@click.argument("source", metavar="FILE|FOLDER")
@options.file("--output", "Also writes a page with pictures as the model will see them.")
@click.option("--paths", is_flag=True, help="Names files, too; they may hold patients' names.")
@options.config("YAML file of settings: how DICOM is read, and the network's size.")
@options.settings()
@options.form()
def inspect(
    source: str,
    output: Path | None,
    paths: bool,
    config: Path | None,
    settings: tuple[str, ...],
    form: str,
) -> int:
    """What FILE or FOLDER is, how it will be read, and what would be refused and why.

    Any data source will do. Nothing is trained, locked or kept.
    """
    from components.cases.inspection import inspect_source
    from components.records.files import write_output, writing_to
    from pipeline.governance.contact_sheet import contact_sheet, show_inspection
    from pipeline.settings.config import load_config

    chosen = load_config(config, settings)
    with progress_bar() as progress:
        found = inspect_source(
            source, chosen.data.reading, lambda done, of: progress("reading", done, of)
        )
    if output is not None:
        page = contact_sheet(found, size=chosen.model.image_size)
        with writing_to(f"--output {output}"):
            write_output(output, page.encode())
    return print_answer(
        form,
        lambda: found.as_json(paths=paths),
        lambda page: show_inspection(page, found, paths=paths),
    )


@cases.command()
@click.argument("case_set", metavar="NAME|FILE")
@click.option("--source", metavar="SOURCE", help="Default: the source the lock names.")
@options.folder(
    "--model",
    "Also try this model on the images, as TensorFlow Serving would run it.",
    metavar="SAVEDMODEL",
)
@options.workspace(exists=False)
@options.reading()
def verify(
    case_set: str, source: str | None, model: Path | None, workspace: Path, reading: "Reading"
) -> int:
    """Reads every image again and compares it with the lock; exit code 4 names what differs.

    With --model, exit code 1 says that the model cannot be served, and why.
    """
    from pipeline.governance.case_sets import verify_case_set

    place = Workspace(workspace.resolve())
    found = verify_case_set(case_set, place, source, model=model, reading=reading)
    locked = found.case_set
    click.echo(
        f"{locked.name} version {locked.version}: {len(locked.cases)} cases read again from "
        f"{found.source}, all as locked; root {locked.merkle_root}"
    )
    if found.served:
        click.echo(
            f"{model}: can be served: {found.served.loader} answered {found.served.cases} cases in "
            f"batches and {found.served.alone} one by one"
        )
    return 0


@cases.command()
@click.argument("case_set", metavar="NAME|FILE")
@options.workspace(exists=False)
@options.form()
def show(case_set: str, workspace: Path, form: str) -> int:
    """Who locked which cases and why, and the cases in numbers. NAME@2 shows version 2."""
    from components.baselines.summary import summarise
    from pipeline.governance.case_sets import described
    from pipeline.governance.show_cases import show_case_set
    from pipeline.settings.baselines import read_case_set

    found = read_case_set(case_set, Workspace(workspace.resolve()))
    return print_answer(
        form,
        lambda: {**described(found), **summarise(found).as_json()},
        lambda page: show_case_set(page, found),
    )


@cases.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@options.workspace(exists=False)
@options.form()
def diff(before: str, after: str, workspace: Path, form: str) -> int:
    """What changed from A to B, each a NAME, a FILE or, with its version, NAME@2."""
    from components.baselines.amend import diff_case_sets
    from pipeline.governance.case_sets import described
    from pipeline.governance.show_cases import show_diff
    from pipeline.settings.baselines import read_case_set

    place = Workspace(workspace.resolve())
    a, b = read_case_set(before, place), read_case_set(after, place)
    found = diff_case_sets(a, b)
    return print_answer(
        form,
        lambda: {"before": described(a), "after": described(b), "changes": found.as_json()},
        lambda page: show_diff(page, a, b, found),
    )


def _relabelling(
    context: click.Context, option: click.Parameter, words: tuple[str, ...]
) -> list[tuple[str, int]]:
    """ID=LABEL, cut at the last =, since an id may hold one."""
    found = []
    for word in words:
        case_id, _, label = word.rpartition("=")
        if not case_id or label not in LABELS:
            raise click.BadParameter(
                f"got {word!r}, wanted ID=LABEL with one of {', '.join(LABELS)}", context, option
            )
        found.append((case_id, LABELS[label]))
    return found


@cases.command()
@click.argument("case_set", metavar="NAME|FILE")
@options.person("Who amends it.")
@click.option("--retire", multiple=True, metavar="ID", help="Leave the case out from now on.")
@click.option(
    "--relabel",
    multiple=True,
    metavar="ID=LABEL",
    callback=_relabelling,
    help="LABEL is positive or negative, 1 or 0.",
)
@click.option("--sentinel", multiple=True, metavar="ID", help="Mark it never to be missed.")
@click.option("--unsentinel", multiple=True, metavar="ID", help="Take that mark away.")
@click.option("--add", multiple=True, metavar="ID", help="A test case of --source.")
@click.option("--source", metavar="SOURCE", help="Where the added cases are.")
@options.folder(
    "--golden-model",
    "Golden's model, to score added cases. Default: found by its hash in the workspace.",
    exists=True,
    metavar="SAVEDMODEL",
)
@options.workspace(exists=False)
def amend(case_set: str, workspace: Path, **asked: Any) -> int:
    """Makes the next version of a case set, with golden scored on it.

    Every option but --by, --reason, --source and --golden-model may be given several times. The
    old version stays under history/, and the ledger of the workspace records the change.
    """
    from pipeline.governance.amendment import AmendmentRequest, amend
    from pipeline.governance.show_cases import show_amended

    done = amend(workspace, AmendmentRequest(case_set=case_set, **asked))
    show_amended(console(), done)
    return 0


@cases.command("propose-sentinels")
@click.argument("case_set", metavar="NAME|FILE")
@options.workspace(exists=True)
@click.option(
    "--least",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="How many past models must have missed a case.",
)
@options.form()
def propose(case_set: str, workspace: Path, least: int, form: str) -> int:
    """Positives that past models missed and that champion and golden get right."""
    from pipeline.governance.case_sets import typed
    from pipeline.governance.sentinels import propose_sentinels
    from pipeline.governance.show_cases import show_proposal

    found = propose_sentinels(case_set, workspace, least=least)
    command = f"casegate cases amend {typed(case_set)} --workspace {typed(str(workspace))}"
    return print_answer(
        form,
        found.as_json,
        lambda page: show_proposal(page, found, least=least, command=command),
    )


@cases.command()
@click.option(
    "--data",
    required=True,
    metavar="SOURCE",
    help="Whose training and tuning cases, e.g. phantom:n=400,seed=3,season=winter.",
)
@options.folder("--out", "A new folder, e.g. data/phantom/span-0001.", required=True)
@options.reading()
def draw(data: str, out: Path, reading: "Reading") -> int:
    """Writes SOURCE's training and tuning cases as images with a manifest.csv.

    The folder takes its name when it is complete, as a span has to arrive.
    """
    from components.cases.draw import draw as write
    from components.cases.sources import open_source

    source = open_source(data, reading)
    with progress_bar() as progress:
        drawn = write(source, out, progress=lambda done, of: progress("drawing", done, of))
    click.echo(
        f"{out}: {drawn.cases:,} cases of {drawn.patients:,} patients, {drawn.positives:,} "
        f"positive, from {source.spec}"
    )
    return 0
