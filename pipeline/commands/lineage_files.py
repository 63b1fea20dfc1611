"""`casegate lineage trace`, `card`, `prove`, `export` and `check`: evidence to hand on."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands import options
from pipeline.commands.answers import FORMATS, give, print_or_write
from pipeline.commands.ending import command

if TYPE_CHECKING:
    from components.bundle.trace_graph import TraceGraph
    from pipeline.evidence.bundle.export import Exported

DRAWINGS = ("text", "json", "dot", "mermaid", "svg")


@command()
@click.argument("name", metavar="VERSION|RUN")
@options.destination()
@options.workspace(exists=True)
@options.form(*DRAWINGS)
@options.file("--out", "Writes it to this file.")
def trace(name: str, destination: str | None, workspace: Path, form: str, out: Path | None) -> int:
    """Follows a release back: push, blessing, decision, scores, model, training, examples, data.

    With the case set, policy, golden and champion that judged it, the code and the environment.
    What came from the cache names the execution and the run that made it.
    """
    from pipeline.evidence.subject import Evidence
    from pipeline.evidence.trace.trace import trace as follow

    with Evidence(workspace) as evidence:
        graph = follow(evidence, evidence.subject(name, destination=destination))
    print_or_write(draw(graph, form), out, for_people=form == "text")
    return 0


def draw(graph: "TraceGraph", form: str) -> str:
    """The graph in one of DRAWINGS."""
    from pipeline.evidence.trace import drawings
    from pipeline.evidence.trace.svg import as_svg

    if form == "json":
        return json.dumps(graph.document(), indent=2, allow_nan=False) + "\n"
    if form == "svg":
        return as_svg(graph) + "\n"
    draw_as = {"dot": drawings.as_dot, "mermaid": drawings.as_mermaid, "text": drawings.as_text}
    return draw_as[form](graph)


@command()
@click.argument("name", metavar="VERSION|RUN")
@options.destination()
@options.workspace(exists=True)
@options.form("md", "html")
@options.file("--out", "Writes it to this file.")
def card(name: str, destination: str | None, workspace: Path, form: str, out: Path | None) -> int:
    """The model card: use, data, performance by slice, limits, versions, approvals.

    Every figure is from the record. What only people know, such as the intended use, they state in
    card.yaml beside the policy; what nobody stated says so.
    """
    from components.card.card import card_html, card_markdown
    from pipeline.evidence.card.card import card_of
    from pipeline.evidence.subject import Evidence

    with Evidence(workspace) as evidence:
        made = card_of(evidence, evidence.subject(name, destination=destination))
    text = card_html(made) if form == "html" else card_markdown(made)
    print_or_write(text, out)
    return 0


@command()
@click.argument("name", metavar="[VERSION|RUN]", required=False)
@options.file("--image", "The picture to prove in or out.", exists=True)
@click.option("--case", metavar="ID", help="The case whose picture to prove in or out.")
@options.file("--out", "Writes the proof to this file.")
@options.file("--check", "Checks a proof; needs no workspace.", exists=True)
@click.option("--root", metavar="HEX", help="With --check: the recorded Merkle root.")
@click.option(
    "--cases",
    type=click.IntRange(min=0),
    metavar="N",
    help="With --check: the recorded number of training cases.",
)
@options.destination()
@options.form(*FORMATS)
@options.workspace(exists=False)
def prove(
    check: Path | None, destination: str | None, form: str, workspace: Path, **asked: Any
) -> int:
    """Proves that an image is, or is not, in the training data of a release.

    The proof is a small file. With --check, whoever knows the Merkle root and the number of cases
    from elsewhere (the run's record, a signed statement) checks it without any of the data.

    \b
    casegate lineage prove 12 --image chest.png --out proof.json
    casegate lineage prove --check proof.json --root 6d34... --cases 4000
    """
    from components.lineage.proof import save_proof
    from components.records.errors import UsageError
    from pipeline.evidence.questions.proving import check as check_file
    from pipeline.evidence.questions.proving import prove_for
    from pipeline.evidence.subject import Evidence

    given = {name: value for name, value in asked.items() if value is not None}
    if check is not None:
        if given.keys() - {"root", "cases"}:
            raise UsageError("--check takes --root, --cases and --format alone")
        return give(check_file(check, root=asked["root"], cases=asked["cases"]), form=form)
    if given.keys() - {"out"} not in ({"name", "image"}, {"name", "case"}):
        raise UsageError(
            "wanted VERSION|RUN with one of --image and --case, or --check FILE with --root"
        )
    with Evidence(workspace) as evidence:
        subject = evidence.subject(given["name"], destination=destination)
        proof, answer = prove_for(evidence, subject, image=asked["image"], case_id=asked["case"])
    if "out" in given:
        save_proof(proof, given["out"])
    return give(answer, form=form)


@command()
@click.argument("name", metavar="VERSION|RUN")
@options.file("--out", "The archive to write.", metavar="BUNDLE.zip", required=True)
@options.destination()
@click.option(
    "--without-training-manifest",
    "training_manifest",
    flag_value=False,
    default=True,
    help="Leaves the list of training cases out: its root stays, so a case can still be proven.",
)
@click.option("--with-model", "model", is_flag=True, help="Takes the model's files in.")
@options.workspace(exists=True)
def export(name: str, out: Path, destination: str | None, workspace: Path, **parts: bool) -> int:
    """Writes everything a release rests on into one archive, for somebody who has nothing else.

    Model card, report, decision, policy, case set, scores, run record, lineage as PROV-JSON and
    OpenLineage events, CycloneDX bill of materials, the ledger up to here, signatures, and a
    manifest with the hash of every file. The same release gives the same bytes.
    """
    from components.records.files import is_standard_output
    from pipeline.evidence.bundle.export import export as write
    from pipeline.evidence.card.card import card_files
    from pipeline.evidence.subject import Evidence

    with Evidence(workspace) as evidence:
        subject = evidence.subject(name, destination=destination)
        found = write(evidence, subject, out, cards=card_files(evidence, subject), **parts)
    click.echo(_words(found), err=is_standard_output(out))
    return 0


@command()
@click.argument("bundle", metavar="BUNDLE.zip", type=options.FILE)
@click.option(
    "--key",
    "keys",
    multiple=True,
    type=options.FILE,
    help="A public key you trust; the signers have to be among these. Repeatable.",
)
@click.option("--holds", metavar="HASH", help="A ledger entry's hash that was noted elsewhere.")
@options.form(*FORMATS)
@options.file("--out", "Writes the answer to this file.")
def check(
    bundle: Path, keys: tuple[Path, ...], holds: str | None, form: str, out: Path | None
) -> int:
    """Checks a bundle on its own: every hash, the decision taken again, the signatures.

    Needs neither workspace nor data. Exit code 0: sound, and signed by the keys you gave; 3:
    nothing contradicts anything, but nobody you named vouches for it; 4: names the first
    difference.
    """
    from pipeline.evidence.bundle.check import check as check_bundle

    return give(check_bundle(bundle, keys=keys, holds=holds), form=form, out=out)


def _words(found: "Exported") -> str:
    about = found.about
    total = sum(found.sizes.values())
    parts = [
        f"{found.path}: {about.subject}, {len(found.sizes)} files, {_size(total)} unpacked, "
        f"{_size(found.path.stat().st_size)} packed"
    ]
    if about.training_bytes is not None:
        parts.append(f"of which the training manifest {_size(about.training_bytes)}")
    parts += found.absent
    parts.append(f"note its last ledger entry elsewhere: {about.ledger_head}")
    return "\n".join(parts)


def _size(count: int) -> str:
    return f"{count} bytes" if count < 1024 else f"{count / 2**20:.1f} MiB"
