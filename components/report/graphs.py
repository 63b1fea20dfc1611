"""Draws the curves of curves.py."""

from collections.abc import Sequence

from markupsafe import Markup

from components.pages.svg import Scale, drawing, element, label, line, polyline
from components.report.curves import Curve
from components.report.words import number
from components.statistics.intervals import wilson

SIZE = 360
LEFT, RIGHT, TOP, BOTTOM = 46, SIZE - 10, 10, SIZE - 42
BARS = 48  # height of the spread of the scores below the calibration curve
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def model_mark(model: str, x: float, y: float) -> Markup:
    """A model's sign: a disc for the candidate, a square for the champion, a diamond for golden."""
    css = f"dot {model}"
    if model == "candidate":
        return element("circle", cx=x, cy=y, r=6, class_=css)
    if model == "champion":
        return element("rect", x=x - 5.5, y=y - 5.5, width=11, height=11, class_=css)
    points = (
        f"{x:.2f},{y - 7.5:.2f} {x + 7.5:.2f},{y:.2f} {x:.2f},{y + 7.5:.2f} {x - 7.5:.2f},{y:.2f}"
    )
    return element("polygon", points=points, class_=css)


def legend(model: str) -> Markup:
    """A piece of a model's line with its sign."""
    parts = (line(2, 9, 38, 9, f"curve {model}"), model_mark(model, 20, 9))
    return element("svg", *parts, viewBox="0 0 40 18", class_="legend", aria_hidden="true")


def roc_graph(found: Sequence[Curve]) -> Markup:
    """All models' ROC curves, the baselines below the candidate, each with its operating point."""
    across, up = Scale(0, 1, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
    parts = _frame("1 - specificity (false alarms)", "sensitivity (found)")
    parts.append(line(across(0), up(0), across(1), up(1), "chance"))
    for curve in reversed(found):
        points = zip(map(across, curve.false_positives), map(up, curve.sensitivity))
        parts.append(polyline(points, f"curve {curve.model}"))
    for curve in reversed(found):
        x, y = curve.at
        parts.append(model_mark(curve.model, across(x), up(y)))
    text = "; ".join(
        f"{curve.model}: area {number(curve.auc)}, at its operating point sensitivity "
        f"{number(curve.at[1])} and specificity {number(1 - curve.at[0])}"
        for curve in found
    )
    return drawing((SIZE, SIZE), "roc", "ROC curves", f"{text}.", *parts)


def calibration_graph(found: Sequence[Curve], alpha: float) -> Markup:
    """Share of positives by mean score; empty where the candidate's scores are no probabilities."""
    shown = [curve for curve in found if curve.calibration is not None]
    if not shown or shown[0] is not found[0]:
        return Markup("")
    across, up = Scale(0, 1, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
    parts = _frame("mean score in the bin", "share that is positive")
    parts.append(line(across(0), up(0), across(1), up(1), "chance"))
    parts += _score_bars(shown[0])
    parts += _whiskers(shown[0], alpha, across, up)
    for curve in reversed(shown):
        points = bins(curve)
        drawn = [(across(x), up(y)) for x, y, _ in points]
        parts.append(polyline(drawn, f"curve {curve.model}"))
        if curve is shown[0]:
            dots = (element("circle", cx=x, cy=y, r=3.5, class_="dot candidate") for x, y in drawn)
            parts += dots
    text = "; ".join(
        f"mean score {number(x)}: {number(y)} of {n} are positive" for x, y, n in bins(shown[0])
    )
    title = f"Calibration of the {shown[0].model}"
    return drawing((SIZE, SIZE + BARS), "calibration", title, f"{text}.", *parts)


def bins(curve: Curve) -> list[tuple[float, float, int]]:
    """The calibration curve: mean score, share of positives and number of cases of each bin."""
    found = curve.calibration
    if found is None:
        return []
    return [
        (float(x), float(y), int(n))
        for x, y, n in zip(found.mean_score, found.observed_share, found.n)
    ]


def _whiskers(curve: Curve, alpha: float, across: Scale, up: Scale) -> list[Markup]:
    parts = []
    for x, y, n in bins(curve):
        bounds = wilson(round(y * n), n, alpha=alpha)
        low, high = up(float(bounds.lower)), up(float(bounds.upper))
        parts.append(line(across(x), low, across(x), high, f"whisker {curve.model}"))
    return parts


def _score_bars(curve: Curve) -> list[Markup]:
    """How the scores spread, as bars below the axis."""
    base, most = SIZE + BARS - 2, max(curve.histogram)
    width = (RIGHT - LEFT) / len(curve.histogram)
    name = f"{curve.model}'s scores: at most {most:,} cases in a bar"
    parts = [label(LEFT, base - BARS + 14, name, "tick")]
    for place, count in enumerate(curve.histogram):
        height = count / most * (BARS - 20)
        x = LEFT + place * width + 0.5
        bar = {"x": x, "y": base - height, "width": width - 1, "height": height}
        parts.append(element("rect", **bar, class_="bar"))
    return parts


def _frame(x_name: str, y_name: str) -> list[Markup]:
    across, up = Scale(0, 1, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
    parts = []
    for value in TICKS:
        parts.append(line(across(value), TOP, across(value), BOTTOM, "grid"))
        parts.append(line(LEFT, up(value), RIGHT, up(value), "grid"))
        parts.append(label(across(value), BOTTOM + 15, f"{value:g}", "tick middle"))
        parts.append(label(LEFT - 6, up(value) + 4, f"{value:g}", "tick end"))
    middle = (TOP + BOTTOM) / 2
    parts.append(label((LEFT + RIGHT) / 2, BOTTOM + 34, x_name, "name middle"))
    turned = f"rotate(-90 11 {middle:g})"
    parts.append(element("text", y_name, x=11, y=middle, transform=turned, class_="name middle"))
    return parts
