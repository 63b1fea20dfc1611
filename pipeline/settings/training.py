"""The settings of training: on what, and under which promises."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.settings.sections import Flag, Positive, Section


@dataclass(frozen=True)
class TrainingConfig(Section):
    """On what the network is trained; what is released computes alike, whatever trained it."""

    strategy: Literal["one", "mirrored", "multi_worker"] = "one"
    """one, one device; mirrored, every GPU of this machine; multi_worker, the machines that
    TF_CONFIG names. Several divide each batch of `model.batch_size` among them."""
    jit_compile: Flag = False
    """Whether XLA compiles the steps of training; with strategy one alone."""
    mixed_precision: Flag = False
    """Whether the layers but the last compute in float16 meanwhile; weights stay float32."""
    wait_minutes: Positive = 10
    """How long the machines of multi_worker wait for each other's next step."""

    def deciding(self) -> dict[str, Any]:
        """What can change what is trained, which waiting cannot."""
        return {k: v for k, v in dataclasses.asdict(self).items() if k != "wait_minutes"}

    def __post_init__(self) -> None:
        if self.jit_compile and self.strategy != "one":
            raise ValueError(
                f"jit_compile: got true beside strategy {self.strategy}, wanted false, as XLA "
                "cannot reach the variables of other devices; turn one of them off"
            )
