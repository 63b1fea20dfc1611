"""`casegate lineage prove`: one image in or out of the training data, for whoever has the root."""

from pathlib import Path

import click

from pipeline.commands.lineage_shared import FORMATS, give
from pipeline.commands.shared import refusing_in_one_line, workspace_option

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command()
@click.argument("name", metavar="[VERSION|RUN]", required=False)
@click.option("--image", type=_FILE, help="The picture to prove in or out.")
@click.option("--case", metavar="ID", help="The case whose picture to prove in or out.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Writes the proof to this file."
)
@click.option("--check", type=_FILE, help="Checks a proof; needs no workspace.")
@click.option("--root", metavar="HEX", help="With --check: the recorded Merkle root.")
@click.option(
    "--cases",
    type=click.IntRange(min=0),
    metavar="N",
    help="With --check: the recorded number of training cases.",
)
@click.option(
    "--destination", metavar="DIR", help="serving/MODEL, where the version stands in several."
)
@click.option("--format", "format_", type=click.Choice(FORMATS), default="text", show_default=True)
@workspace_option(exists=False)
@refusing_in_one_line
def prove(
    name: str | None,
    image: Path | None,
    case: str | None,
    out: Path | None,
    check: Path | None,
    root: str | None,
    cases: int | None,
    destination: str | None,
    format_: str,
    workspace: Path,
) -> int:
    """Proves that an image is, or is not, in the training data of a release.

    The proof is a small file. With --check, whoever knows the Merkle root and the number of cases
    from elsewhere (the run's record, a signed statement) checks it without any of the data.

    \b
    casegate lineage prove 12 --image chest.png --out proof.json
    casegate lineage prove --check proof.json --root 6d34... --cases 4000
    """
    from components.records.errors import UsageError

    if check is not None:
        if name or image or case or out:
            raise UsageError("--check takes --root, --cases and --format alone")
        from pipeline.evidence.questions.proving import check as check_file

        give(check_file(check, root=root, cases=cases), format_=format_, table=None, out=None)
        return 0
    if name is None or (image is None) == (case is None) or root or cases is not None:
        raise UsageError(
            "wanted VERSION|RUN with one of --image and --case, or --check FILE with --root"
        )
    from components.lineage.proof import save_proof
    from pipeline.evidence.questions.proving import prove_for
    from pipeline.evidence.subject import Evidence

    with Evidence(workspace) as evidence:
        subject = evidence.subject(name, destination=destination)
        proof, answer = prove_for(evidence, subject, image=image, case_id=case)
    if out is not None:
        save_proof(proof, out)
    give(answer, format_=format_, table=None, out=None)
    return 0
