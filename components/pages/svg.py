"""Pictures as inline SVG: no library, no network, readable by a screen reader.

Colours and line styles are classes of page.css, so that light, dark and print each have their
own, and the strict content policy of the page needs no exception.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup, escape

from components.decision import Verdict


def element(tag: str, *children: str, **attributes: str | float) -> Markup:
    """One SVG element; text and attributes are escaped, `_` at an end or inside becomes `-`."""
    words = "".join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _value(value))
        for name, value in attributes.items()
    )
    inner = Markup("").join(escape(child) for child in children)
    return Markup(f"<{tag}{words}>{inner}</{tag}>")  # noqa: S704 - every part is escaped above


def drawing(
    size: tuple[float, float],
    name: str,
    title: str,
    text: str,
    *children: str,
    role: str = "img",
    **attributes: str,
) -> Markup:
    """A picture with its title and a description for whoever cannot see it.

    Args:
      size: width and height in its own units.
      name: unique within the page.
      role: "group" where something inside is a link.
    """
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", text, id=f"{name}-text"),
        *children,
        viewBox=f"0 0 {size[0]} {size[1]}",
        role=role,
        aria_labelledby=f"{name}-title {name}-text",
        **attributes,
    )


def mark(verdict: Verdict, x: float, y: float, size: float = 6) -> Markup:
    """The sign of a verdict: a disc, a cross or a triangle, so that colour is not all there is."""
    if verdict is Verdict.PASS:
        return element("circle", cx=x, cy=y, r=size * 0.85, class_="mark pass")
    if verdict is Verdict.FAIL:
        arm = size * 0.85
        path = f"M{_value(x - arm)} {_value(y - arm)}l{_value(2 * arm)} {_value(2 * arm)}"
        path += f"m0 {_value(-2 * arm)}l{_value(-2 * arm)} {_value(2 * arm)}"
        return element("path", d=path, class_="mark cross fail")
    points = [(x, y - size), (x + size, y + 0.8 * size), (x - size, y + 0.8 * size)]
    return polygon(points, "mark inconclusive")


def sign(verdict: Verdict) -> Markup:
    """The sign of a verdict, to stand before its word."""
    return element("svg", mark(verdict, 8, 8), viewBox="0 0 16 16", aria_hidden="true")


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=css)


def polyline(points: Iterable[tuple[float, float]], css: str) -> Markup:
    return element("polyline", points=_points(points), class_=css)


def polygon(points: Iterable[tuple[float, float]], css: str) -> Markup:
    return element("polygon", points=_points(points), class_=css)


def whisker(left: float, right: float, y: float, css: str) -> list[Markup]:
    """An interval as a line with its two ends."""
    ends = [line(x, y - 5, x, y + 5, css) for x in (left, right)]
    return [line(left, y, right, y, css), *ends]


def label(x: float, y: float, text: str, css: str) -> Markup:
    return element("text", text, x=x, y=y, class_=css)


@dataclass(frozen=True)
class Scale:
    """Maps values from `low` to `high` onto a length from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, *, wanted: int = 4) -> list[float]:
    """About `wanted` round values from `low` to `high`, low < high."""
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{_value(x)},{_value(y)}" for x, y in points)


def _value(value: str | float) -> str:
    """Numbers with at most two decimals, the same in every locale."""
    if isinstance(value, str):
        return value
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
