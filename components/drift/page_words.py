"""The plain words of a drift report, the same on the page and in a terminal."""

from collections.abc import Sequence

from components.drift.findings import MOVED, NOT_ENOUGH, STEADY, ObservedRate, Shift

MEANING = {
    MOVED: "What is served has moved",
    STEADY: "No shift that matters",
    NOT_ENOUGH: "Not enough data to tell",
}
MEASURES = {"jensen_shannon": "Jensen-Shannon", "l_infinity": "L-infinity"}
KINDS = {"quality": "image quality"}  # the others are called so
_ORDER = {MOVED: 0, NOT_ENOUGH: 2}
_OWN = "reference_"  # begins the name of a rate of the reference


def moved_first(shifts: tuple[Shift, ...]) -> tuple[Shift, ...]:
    """What moved, furthest beyond its limit first; then the rest; last what is not known."""
    return tuple(sorted(shifts, key=lambda shift: (_ORDER.get(shift.state, 1), -_excess(shift))))


def _excess(shift: Shift) -> float:
    if shift.value is None:
        return 0.0
    return shift.value / shift.limit if shift.limit > 0 else float("inf")


def rate_pairs(
    rates: Sequence[ObservedRate],
) -> list[tuple[str, ObservedRate, ObservedRate | None]]:
    """Each rate of what is served that is known, with the model's own beside it."""
    own = {rate.name.removeprefix(_OWN): rate for rate in rates if rate.name.startswith(_OWN)}
    return [
        (rate.name, rate, own.get(rate.name))
        for rate in rates
        if not rate.name.startswith(_OWN) and rate.estimate is not None
    ]


def interval(rate: ObservedRate | None) -> str:
    """Such as `41.4 to 48.4 %`; `-` where there is none."""
    if rate is None or rate.lower is None or rate.upper is None:
        return "-"
    return f"{100 * rate.lower:.1f} to {100 * rate.upper:.1f}\u00a0%"


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def feature(name: str) -> str:
    """Such as `standard deviation`, or `standard deviation in device=Cirrus_2`."""
    plain, within, place = name.partition(" in ")
    return plain.replace("_", " ") + within + place


def measure(name: str) -> str:
    return MEASURES.get(name, feature(name))


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def share(value: float | None) -> str:
    """A proportion in percent, with as many digits as a reader needs."""
    if value is None:
        return "-"
    return f"{100 * value:.3g}\u00a0%" if value < 0.9995 else f"{100 * value:.0f}\u00a0%"


def p_value(value: float | None) -> str:
    if value is None:
        return "-"
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"


def time_words(time: str | None) -> str:
    return "-" if time is None else time[:16].replace("T", " ") + " UTC"
