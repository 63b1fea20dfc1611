"""`casegate lineage card`: the model card, filled from the record."""

from pathlib import Path

import click

from pipeline.commands.shared import echo_utf8, refusing_in_one_line, workspace_option


@click.command()
@click.argument("name", metavar="VERSION|RUN")
@click.option(
    "--destination", metavar="DIR", help="serving/MODEL, where the version stands in several."
)
@workspace_option(exists=True)
@click.option(
    "--format", "format_", type=click.Choice(["md", "html"]), default="md", show_default=True
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Writes it to this file."
)
@refusing_in_one_line
def card(
    name: str, destination: str | None, workspace: Path, format_: str, out: Path | None
) -> int:
    """The model card: use, data, performance by slice, limits, versions, approvals.

    Every figure is from the record. What only people know, such as the intended use, they state in
    card.yaml beside the policy; what nobody stated says so.
    """
    from components.card.card import card_html, card_markdown
    from pipeline.commands.lineage_shared import write_out
    from pipeline.evidence.card.card import card_of
    from pipeline.evidence.subject import Evidence

    with Evidence(workspace) as evidence:
        made = card_of(evidence, evidence.subject(name, destination=destination))
    text = card_html(made) if format_ == "html" else card_markdown(made)
    if out is None:
        echo_utf8(text)
    else:
        write_out(out, text.encode())
    return 0
