"""What a retraining came to, for whoever started it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.unattended.retraining.attempt import Attempt
from pipeline.unattended.retraining.tries import ChildOutcome

if TYPE_CHECKING:
    from components.notify.delivery import Delivery
    from pipeline.unattended.retention import Pruned


@dataclass(frozen=True)
class Retrained:
    """Attributes:
    attempt: what became of it; its line in `retraining/attempts.jsonl`.
    outcome: what the run decided, or what stands where it found nothing new; None without one.
    told: a delivery for each channel on which a person was to be told.
    pruned: what the retention policy removed; None where it was not applied.
    """

    attempt: Attempt
    outcome: ChildOutcome | None
    told: "tuple[Delivery, ...]" = ()
    pruned: "Pruned | None" = None

    @property
    def state(self) -> str:
        """As pipeline/unattended/retraining/attempt.py names them."""
        return self.attempt.state

    @property
    def exit_code(self) -> int:
        """The run's own; 0 where there was nothing new."""
        assert self.attempt.exit_code is not None
        return self.attempt.exit_code

    def as_json(self) -> dict[str, Any]:
        """For machines; the decision itself is in the run's folder."""
        pruned = self.pruned
        return {
            **self.attempt.as_json(),
            "verdict": self.outcome.decision.verdict.value if self.outcome else None,
            "told": [
                {"channel": each.channel, "state": each.state, "reasons": list(each.reasons)}
                for each in self.told
            ],
            "pruned": {"files": pruned.files, "bytes": pruned.bytes} if pruned else None,
        }
