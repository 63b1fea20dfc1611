"""`casegate timeline`: what was released when and why, as text, JSON or a page."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

from pipeline.commands import options
from pipeline.commands.answers import print_or_write
from pipeline.commands.ending import command
from pipeline.settings.workspace import Workspace


@command()
@options.workspace(exists=True)
@options.form("text", "json", "html")
@options.file("--output", "Writes to this file instead of standard output.")
def timeline(workspace: Path, form: str, output: Path | None) -> int:
    """What was released when and why, what was not, what moved and who approved."""
    from pipeline.governance.show_ledger import sentence
    from pipeline.site.timeline.page import timeline_page
    from pipeline.site.timeline.steps import as_text, steps

    place = Workspace(workspace.resolve())
    found = steps(place, sentence)
    if form == "json":
        text = json.dumps([asdict(step) for step in found], indent=2, ensure_ascii=False)
    elif form == "html":
        beside = output.resolve().parent if output else Path.cwd()
        above = Path(os.path.relpath(place.root, beside))
        text = timeline_page(
            found, workspace=place.root.name, link=lambda path: quote((above / path).as_posix())
        )
    else:
        text = as_text(found)
    text = f"{text.rstrip()}\n"
    done = f"{len(found)} steps"
    print_or_write(text, output, for_people=form == "text", option="--output", done=done)
    return 0
