"""A picture of the releases on a time line: what each destination served, and what it did not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from markupsafe import Markup

from components.decision import Verdict
from components.pages.svg import Scale, element, label, line, mark
from components.records.clock import parse_time
from pipeline.evidence.show_answer import shown_words

_WIDTH, _LEFT, _RIGHT, _TOP, _LANE = 1120, 190, 24, 14, 62
_APART = 15  # between marks that would lie on each other
_LEVELS = 3


@dataclass(frozen=True)
class TimelineMoment:
    """Something that happened.

    Attributes:
      at: ISO 8601 in UTC.
      what: release, rollback, FAIL or INCONCLUSIVE; how it is drawn.
      words: what it is, for whoever cannot see where it lies.
    """

    at: str
    what: str
    words: str
    href: str | None = None


@dataclass(frozen=True)
class Lane:
    """Attributes:
    served: whether what stands in the lane serves until the next does.
    """

    name: str
    moments: tuple[TimelineMoment, ...]
    served: bool = True


def timeline(lanes: Sequence[Lane], *, until: str) -> Markup:
    """The picture; with one lane under the other.

    Args:
      until: the time at its right edge, ISO 8601 in UTC.
    """
    moments = [moment for lane in lanes for moment in lane.moments]
    first, last = min(_seconds(m.at) for m in moments), _seconds(until)
    last = max(last, max(_seconds(m.at) for m in moments), first + 60)
    across = Scale(first, last, _LEFT + 10, _WIDTH - _RIGHT)
    height = _TOP + _LANE * len(lanes) + 26
    drawn = [_lane(lane, _TOP + number * _LANE, across, last) for number, lane in enumerate(lanes)]
    count = sum(len(lane.moments) for lane in lanes if lane.served)
    text = (
        f"{count} releases and rollbacks from {min(m.at for m in moments)} to {until}; the table "
        "below has the same."
    )
    return element(
        "svg",
        element("title", "Releases on a time line", id="timeline-title"),
        element("desc", text, id="timeline-text"),
        *_axis(first, last, across, height),
        *drawn,
        viewBox=f"0 0 {_WIDTH} {height}",
        role="group",
        aria_labelledby="timeline-title timeline-text",
        class_="timeline",
    )


def _lane(lane: Lane, top: float, across: Scale, last: float) -> Markup:
    middle = top + _LANE / 2 + 6
    parts = [label(4, middle + 4, _fit(lane.name), "lane")]
    ordered = sorted(lane.moments, key=lambda moment: moment.at)
    if lane.served:
        ends = [*(_seconds(moment.at) for moment in ordered[1:]), last]
        for moment, end in zip(ordered, ends, strict=True):
            start = across(_seconds(moment.at))
            css = "now" if moment is ordered[-1] else "served"
            parts.append(
                element(
                    "rect",
                    x=start,
                    y=middle - 5,
                    width=max(across(end) - start - 1, 0.5),
                    height=10,
                    class_=css,
                )
            )
    taken = [float("-inf")] * _LEVELS
    for moment in ordered:
        x = across(_seconds(moment.at))
        level = next((n for n, before in enumerate(taken) if x - before >= _APART), None)
        level = min(range(_LEVELS), key=lambda n: taken[n]) if level is None else level
        taken[level] = x
        parts.append(_mark(moment, x, middle - _APART * level))
    return element("g", *parts)


def _mark(moment: TimelineMoment, x: float, y: float) -> Markup:
    if moment.what in (Verdict.FAIL.value, Verdict.INCONCLUSIVE.value):
        shape = mark(Verdict(moment.what), x, y, 5)
    elif moment.what == "rollback":
        shape = element("path", d=f"M{x:.1f} {y - 7:.1f}l7 7l-7 7l-7 -7z", class_="rollback")
    else:
        shape = element("circle", cx=x, cy=y, r=6, class_="released")
    words = shown_words(moment.words)
    group = element("g", element("title", words), shape)
    if moment.href is None:
        return group
    return element("a", group, href=moment.href, aria_label=words)


def _axis(first: float, last: float, across: Scale, height: float) -> list[Markup]:
    """A line and a date at up to six even times."""
    span, parts = last - first, []
    form = "%H:%M:%S" if span < 600 else "%d %b %H:%M" if span < 5 * 86400 else "%Y-%m-%d"
    for number in range(6):
        at = first + span * number / 5
        words = datetime.fromtimestamp(at, tz=timezone.utc).strftime(form)
        x = across(at)
        parts.append(line(x, _TOP, x, height - 22, "grid"))
        anchor = "end" if number == 5 else "middle" if number else "start"
        parts.append(element("text", words, x=x, y=height - 6, class_="quiet", text_anchor=anchor))
    parts.append(label(4, height - 6, "UTC", "quiet"))
    return parts


def _seconds(at: str) -> float:
    return parse_time(at).timestamp()


def _fit(name: str) -> str:
    """The end of a name, where it is too long: that is where folders differ."""
    words = shown_words(name)
    return words if len(words) <= 26 else f"…{words[-25:]}"
