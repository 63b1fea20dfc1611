"""`casegate lineage export` and `check`: evidence that stands alone, and whether it does."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.shared import refusing_in_one_line, workspace_option

if TYPE_CHECKING:
    from components.bundle.trace_graph import TraceGraph
    from pipeline.evidence.bundle.export import Exported


@click.command()
@click.argument("name", metavar="VERSION|RUN")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="BUNDLE.zip",
    help="The archive to write.",
)
@click.option(
    "--destination", metavar="DIR", help="serving/MODEL, where the version stands in several."
)
@click.option(
    "--without-training-manifest",
    is_flag=True,
    help="Leaves the list of training cases out: its root stays, so a case can still be proven.",
)
@click.option("--with-model", is_flag=True, help="Takes the model's files in.")
@workspace_option(exists=True)
@refusing_in_one_line
def export(
    name: str,
    out: Path,
    destination: str | None,
    without_training_manifest: bool,
    with_model: bool,
    workspace: Path,
) -> int:
    """Writes everything a release rests on into one archive, for somebody who has nothing else.

    Model card, report, decision, policy, case set, scores, run record, lineage as PROV-JSON and
    OpenLineage events, CycloneDX bill of materials, the ledger up to here, signatures, and a
    manifest with the hash of every file. The same release gives the same bytes.
    """
    from pipeline.evidence.bundle.card_files import cards
    from pipeline.evidence.bundle.export import BundleRequest
    from pipeline.evidence.bundle.export import export as write
    from pipeline.evidence.subject import Evidence

    wanted = BundleRequest(
        training_manifest=not without_training_manifest,
        model=with_model,
        cards=cards,
        drawings=drawings(),
    )
    with Evidence(workspace) as evidence:
        found = write(evidence, evidence.subject(name, destination=destination), out, wanted)
    click.echo(_words(found))
    return 0


@click.command()
@click.argument("bundle", metavar="BUNDLE.zip", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--key",
    "keys",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A public key you trust; the signers have to be among these. Repeatable.",
)
@click.option("--holds", metavar="HASH", help="A ledger entry's hash that was noted elsewhere.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(("text", "json", "csv")),
    default="text",
    show_default=True,
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Writes the answer to this file."
)
@refusing_in_one_line
def check(
    bundle: Path, keys: tuple[Path, ...], holds: str | None, format_: str, out: Path | None
) -> int:
    """Checks a bundle on its own: every hash, the decision taken again, the signatures.

    Needs neither workspace nor data. Exit code 0: sound, and signed by the keys you gave; 3:
    nothing contradicts anything, but nobody you named vouches for it; 4: names the first
    difference.
    """
    from pipeline.commands.lineage_shared import give
    from pipeline.evidence.bundle.check import check as check_bundle

    answer = check_bundle(bundle, keys=keys, holds=holds, drawings=drawings())
    give(answer, format_=format_, table=None, out=out)
    return answer.exit_code


def drawings() -> "Mapping[str, Callable[[TraceGraph], str]]":
    """The pictures in a bundle, by file name."""
    from pipeline.evidence.trace.drawings import as_text
    from pipeline.evidence.trace.svg import as_svg

    return {"trace.svg": as_svg, "trace.txt": as_text}


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
