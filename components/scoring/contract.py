"""Whether a SavedModel keeps the serving contract, seen by loading it and asking it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.records.errors import Unservable
from components.scoring.running import RunningModel
from components.scoring.served import probing
from components.scoring.serving_terms import WARM_UP


@dataclass(frozen=True)
class KeptContract:
    """What was seen of a model that keeps the contract, as schemas/serving_contract.json has it.

    Attributes:
      loader: what loaded it, with TensorFlow's version.
      signatures: what it takes and gives by each.
      warm_up_requests: how many of its own it answered; 0 where it has none.
    """

    loader: str
    signatures: Mapping[str, Any]
    warm_up_requests: int


def check_contract(model: Path) -> KeptContract:
    """Loads the model as TensorFlow Serving does, replays its warm-up and asks each signature.

    Raises:
      Unservable: it cannot be loaded, does not keep the contract, or has a warm-up that fails.
    """
    running = RunningModel(model, warm_with=probing(), strict=True)
    running.close()
    return KeptContract(running.loader, running.head["signatures"], running.head["replayed"])


def refuse_unkept(model: Path) -> None:
    """Raises Unservable for a model that is not to be pushed: no contract kept, or no warm-up."""
    if not check_contract(model).warm_up_requests:
        raise Unservable(
            f"{model}: no {WARM_UP}, which every export writes; train and release again"
        )
