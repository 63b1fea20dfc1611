"""The steps of a workspace in a terminal."""

from collections.abc import Iterator, Sequence

from pipeline.governance.show_ledger import printable
from pipeline.site.timeline.steps import TimelineStep


def as_text(steps: Sequence[TimelineStep]) -> str:
    """A line for each step, what a candidate reached below it, and why it was not released."""
    return "\n".join(line for number, step in enumerate(steps, 1) for line in _lines(number, step))


def _lines(number: int, step: TimelineStep) -> Iterator[str]:
    words = f": {printable(step.words)}" if step.words else ""
    trigger = f" [{step.trigger}]" if step.trigger else ""
    yield f"{number:>3}  {step.at[:16].replace('T', ' ')}  {step.title}{trigger}{words}"
    if step.why:
        yield f"     why: {printable(step.why)}"
    if step.data:
        yield f"     data: {printable(step.data)}"
    if step.figures:
        yield "     " + ", ".join(
            f"{name} {one.estimate:.3f} ({one.lower:.3f} to {one.upper:.3f})"
            for name, one in step.figures.items()
        )
    for reason in step.reasons:
        yield f"     - {printable(reason)}"
