"""The worklist of feedback as a page: each case's picture, and where its score came from.

It fetches nothing and has no script. The model that gave a score is the one that is asked why.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from components.feedback.agreement import Open
from components.pages import heat
from components.pages.page import page_of, style_of
from components.records.errors import SourceError
from components.release.serving import find_version, versions
from components.report.evidence import mapped, thumbnail
from pipeline.feedback.images import find_images
from pipeline.feedback.report import BIAS, Report
from pipeline.feedback.served import FeedbackPlaces, ServedCases
from pipeline.run.explain import ask_maps

FOLDER = Path(__file__).parent
SHOWN = 100  # cases, the worst first
NO_PICTURE = "the picture was not found"
NO_MODEL = "the model that gave the score is not released here"
NO_MAP = "the model gives no map of it"


def worklist_page(
    report: Report, places: FeedbackPlaces, served: ServedCases, *, released: Path, runs: Path
) -> str:
    """The page.

    Args:
      released: `serving/<model>`, with a folder a version.
      runs: the folder of runs, each with its `decision.json`.

    Raises:
      IntegrityError: a version that was asked is not a model that passed here.
    """
    whole = report.agreement.worklist
    work = whole[:SHOWN]
    pictures = _pictures(work, places, served)
    models = _models(released, runs, {one.case.predicted.model for one in work})
    maps: dict[str, np.ndarray] = {}
    for name, model in models.items():
        ids = [one.case.case_id for one in work if one.case.predicted.model == name]
        maps |= ask_maps(model, {id_: pictures[id_] for id_ in ids if id_ in pictures})
    rows = []
    for one in work:
        image, shown = pictures.get(one.case.case_id), maps.get(one.case.case_id)
        known = NO_MAP if one.case.predicted.model in models else NO_MODEL
        rows.append(
            {
                "one": one,
                "picture": thumbnail(image) if image else None,
                "map": mapped(image, shown) if image and shown is not None else None,
                "words": heat.NOTHING if shown is not None and not shown.any() else "",
                "without": known if image else NO_PICTURE,
            }
        )
    style = style_of(FOLDER / "worklist_page.css")
    template = FOLDER / "worklist_page.html.j2"
    return page_of(template, style, rows=rows, total=len(whole), heat=heat, bias=BIAS)


def _pictures(
    work: Sequence[Open], places: FeedbackPlaces, served: ServedCases
) -> dict[str, bytes]:
    """By case, as the model got it, where it was given with an opinion or lies where the log says.

    It is known by its pixels, never by its name.
    """
    where: dict[str, Path | None] = {}
    for case in (one.case for one in work):
        if case.pixels_sha256:
            try:
                line = served.find(case.case_id)
            except SourceError:  # there is no log any more
                line = None
            where[case.pixels_sha256] = served.folder / line.image if line and line.image else None
    found = find_images(where, places.images, None)
    return {
        one.case.case_id: found[one.case.pixels_sha256].content
        for one in work
        if one.case.pixels_sha256 in found
    }


def _models(released: Path, runs: Path, asked: set[str]) -> Mapping[str, Path]:
    """The folders of the released models, by hash and by version, as a log names them."""
    found: dict[str, Path] = {}
    for number in versions(released) if asked else ():
        one = find_version(released, number, runs)
        found |= {one.sha256: one.path, f"version {number}": one.path}
    return {name: path for name, path in found.items() if name in asked}
