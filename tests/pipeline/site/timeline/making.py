"""Steps made by hand."""

from typing import Any

from pipeline.site.timeline.steps import Margin, TimelineFigure, TimelineStep


def judged(state: str, estimate: float, **changed: Any) -> TimelineStep:
    """A run that reached this sensitivity, with golden at .95 and a margin of .05."""
    return TimelineStep(
        **{
            "at": "2026-01-05T03:00:00.000Z",
            "kind": "run",
            "title": state,
            "words": "as it was",
            "state": state,
            "run_id": "run-1",
            "trigger": "schedule",
            "figures": {"sensitivity": TimelineFigure(estimate, estimate - 0.02, estimate + 0.01)},
            "margins": {"sensitivity": Margin(0.95, 0.90)},
            "report": "runs/run-1/report.html",
            **changed,
        }
    )
