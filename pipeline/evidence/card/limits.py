"""The limits of a model that its own record shows: derived, never invented."""

from collections.abc import Iterator

from components.card import CardSection
from pipeline.evidence.card.data import TrainedOn
from pipeline.evidence.card.stated import TEXTS, Stated
from pipeline.evidence.judged import JudgedRun
from pipeline.evidence.questions.performance import SliceFigure, attributes_of

FEW = 30  # cases of a class, below which a group's figures say little
WIDE = 0.2  # an interval as wide as this leaves the figure open
ORIGIN, SYNTHETIC = "origin", "synthetic"


def limits_section(
    found: JudgedRun, rows: list[SliceFigure], trained: TrainedOn | None, words: Stated
) -> CardSection:
    """What people stated, then what the figures and the data show."""
    stated = f"{TEXTS['limitations']}: {words.text('limitations')}"
    return CardSection("Limits", texts=(stated, *_of_figures(rows), *_of_groups(found, trained)))


def _of_figures(rows: list[SliceFigure]) -> Iterator[str]:
    shares = [row for row in rows if row.metric in ("sensitivity", "specificity")]
    none = [f"{r.slice} ({r.metric})" for r in shares if r.n == 0]
    few = [f"{r.slice} ({r.metric}: {r.n})" for r in shares if 0 < r.n < FEW]
    wide = [
        f"{r.slice} ({r.metric})"
        for r in rows
        if r.lower is not None and r.upper is not None and r.upper - r.lower > WIDE
    ]
    if none:
        yield f"Not judged, for there is no such case: {'; '.join(none)}."
    if few:
        yield f"Judged on fewer than {FEW}: {'; '.join(few)}."
    if wide:
        yield f"Intervals wider than {WIDE}: {'; '.join(wide)}."


def _of_groups(found: JudgedRun, trained: TrainedOn | None) -> Iterator[str]:
    """Groups that one of the two kinds of data lacks, as far as it records the attribute."""
    if trained is None:
        yield "Whether each group was trained on is not known: the run recorded no training data."
        return
    judged = {(name, v) for name in attributes_of(found) for v in found.cases.values(name)}
    names = {name for name, _ in judged} & {name for name, _ in trained.groups}
    unseen = sorted(f"{n}={v}" for n, v in judged - trained.groups.keys() if n in names)
    unjudged = sorted(f"{n}={v}" for n, v in trained.groups.keys() - judged if n in names)
    if unseen:
        yield f"In the case set and not in the training data: {', '.join(unseen)}."
    if unjudged:
        yield f"In the training data and not in the case set: {', '.join(unjudged)}."
    if untold := sorted({name for name, _ in judged} - names):
        yield f"The training data do not record {', '.join(untold)}."
    if untold := sorted({name for name, _ in trained.groups} - names):
        yield f"The case set does not record {', '.join(untold)}, so no such group was judged."


def synthetic(found: JudgedRun, trained: TrainedOn | None) -> Iterator[str]:
    """What has to be read first of data that no scanner took."""
    cases = found.case_set.cases
    judged = sum(case.attributes.get(ORIGIN) == SYNTHETIC for case in cases)
    if judged == len(cases):
        yield "Every case of the case set is synthetic: these figures say nothing about patients."
    elif judged:
        yield f"{judged} of the {len(cases)} cases of the case set are synthetic."
    learned = trained.groups[ORIGIN, SYNTHETIC] if trained else 0
    if trained and learned:
        total = sum(trained.splits.values())
        yield f"{learned} of {total} training and tuning cases are synthetic."
