"""`casegate lineage trace`: what led to a release, back to its training examples."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.commands.shared import echo_utf8, refusing_in_one_line, workspace_option

if TYPE_CHECKING:
    from components.bundle.trace_graph import TraceGraph

FORMATS = ("text", "json", "dot", "mermaid", "svg")


@click.command()
@click.argument("name", metavar="VERSION|RUN")
@click.option(
    "--destination", metavar="DIR", help="serving/MODEL, where the version stands in several."
)
@workspace_option(exists=True)
@click.option("--format", "format_", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Writes it to this file."
)
@refusing_in_one_line
def trace(
    name: str, destination: str | None, workspace: Path, format_: str, out: Path | None
) -> int:
    """Follows a release back: push, blessing, decision, scores, model, training, examples, data.

    With the case set, policy, golden and champion that judged it, the code and the environment.
    What came from the cache names the execution and the run that made it.
    """
    from pipeline.commands.lineage_shared import write_out
    from pipeline.evidence.subject import Evidence
    from pipeline.evidence.trace.trace import trace as follow

    with Evidence(workspace) as evidence:
        graph = follow(evidence, evidence.subject(name, destination=destination))
    drawn = draw(graph, format_)
    if out is None and format_ == "text":
        click.echo(drawn, nl=False)
    elif out is None:
        echo_utf8(drawn)
    else:
        write_out(out, drawn.encode())
    return 0


def draw(graph: "TraceGraph", format_: str) -> str:
    """The graph in one of FORMATS; each is imported only where it is asked for."""
    if format_ == "json":
        import json

        return json.dumps(graph.document(), indent=2, allow_nan=False) + "\n"
    if format_ == "dot":
        from pipeline.evidence.trace.drawings import as_dot

        return as_dot(graph)
    if format_ == "mermaid":
        from pipeline.evidence.trace.drawings import as_mermaid

        return as_mermaid(graph)
    if format_ == "svg":
        from pipeline.evidence.trace.svg import as_svg

        return as_svg(graph) + "\n"
    from pipeline.evidence.trace.drawings import as_text

    return as_text(graph)
