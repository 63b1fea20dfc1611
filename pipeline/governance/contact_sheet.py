"""What `casegate cases inspect` shows: tables on a terminal, and pictures on a page.

The page has the pictures as the network gets them: by the preprocessing of training and serving,
at the network's size. It fetches nothing and has no script.
"""

import base64
import os
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from components.cases.images import encode_png
from components.cases.inspection import CASE, LEFT_OUT, REFUSED, Inspection, Seen
from components.pages.page import page_of, style_of
from components.report.terminal import MOST_ROWS, cell, plain_table, print_line, print_more

FOLDER = Path(__file__).parent
ORDER = (CASE, REFUSED, LEFT_OUT)


def show_inspection(console: Console, found: Inspection, *, paths: bool) -> None:
    """What there is, how it will be read, and what would be refused and why.

    Args:
      paths: also names files, which may hold patients' names.
    """
    print_line(console, found.spec, "bold")
    for note in found.notes:
        print_line(console, f"  {note}")
    table = plain_table("becomes", "what it is", "how it is read", "files", numbers=1)
    for becomes, what, how, number in rows(found):
        table.add_row(becomes, cell(what), cell(how), f"{number:,}")
    console.print(table)
    if found.refused:
        print_line(console, "refused:")
        table = plain_table("case", "why", *(["file"] if paths else []))
        for seen in found.refused[:MOST_ROWS]:
            shown = (seen.name, seen.reason, *([seen.path] if paths else []))
            table.add_row(*map(cell, shown))
        console.print(table)
        print_more(console, len(found.refused))


def rows(found: Inspection) -> list[tuple[str, str, str, int]]:
    """The groups in the order in which a person reads them, the largest first."""
    listed = [(*group, number) for group, number in found.groups.items()]
    return sorted(listed, key=lambda row: (ORDER.index(row[0]), -row[3], row))


def contact_sheet(found: Inspection, *, size: int) -> str:
    """The page.

    Args:
      size: side of the network's input, in pixels.
    """
    return page_of(
        FOLDER / "contact_sheet.html.j2",
        style_of(FOLDER / "contact_sheet.css"),
        found=found,
        rows=rows(found),
        sheets=list(_sheets(found, size)),
        listed=MOST_ROWS,
        size=size,
    )


def _sheets(found: Inspection, size: int) -> Iterator[Mapping[str, Any]]:
    def group(seen: Seen) -> tuple[str, str]:
        return seen.what, seen.how

    for (what, how), several in groupby(sorted(found.pictures, key=group), key=group):
        shown = [(seen.name, _as_seen(seen.image, size)) for seen in several if seen.image]
        yield {"what": what, "how": how, "pictures": shown}


def _as_seen(image: bytes, size: int) -> str:
    """The network's input as a picture of a page."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipeline.model.preprocessing import decoded

    pixels = np.asarray(decoded(image, size))[..., 0]
    png = encode_png(np.round(pixels * 255).astype(np.uint8))
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
