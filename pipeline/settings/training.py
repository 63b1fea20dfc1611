"""The settings of training: on what, and under which promises."""

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pipeline.settings.federation import FederationConfig
from pipeline.settings.sections import Flag, Limits, Positive, Section


@dataclass(frozen=True)
class PrivacyConfig(Section):
    """How little the trained weights may tell of any one patient, by differential privacy."""

    epsilon: Annotated[float, Limits(gt=0, le=100)] | None = None
    """By what factor, e to its power, anybody can become surer that a patient was trained on; the
    noise of training is chosen by it. null promises nothing."""
    delta: Annotated[float, Limits(gt=0, lt=0.01)] = 1e-5
    """The chance that the promise does not hold; it should be below one in the patients."""
    clip_norm: Annotated[float, Limits(gt=0)] = 1.0
    """The longest gradient that a patient may add to a step."""
    unit: Literal["patient", "image"] = "patient"
    """Whom the promise is about: a patient with all images, or each image as if it were alone."""


@dataclass(frozen=True)
class TrainingConfig(Section):
    """On what the network is trained; what is released computes alike, whatever trained it."""

    strategy: Literal["one", "mirrored", "multi_worker", "federated"] = "one"
    """one, one device; mirrored, every GPU of this machine; multi_worker, the machines that
    TF_CONFIG names. Several divide each batch of `model.batch_size` among them. federated, the
    hospitals of `training.federation`, each of which keeps its data."""
    jit_compile: Flag = False
    """Whether XLA compiles the steps of training; with strategy one alone."""
    mixed_precision: Flag = False
    """Whether the layers but the last compute in float16 meanwhile; weights stay float32."""
    privacy: PrivacyConfig = field(default_factory=PrivacyConfig)
    wait_minutes: Positive = 10
    """How long the machines of multi_worker wait for each other's next step."""

    federation: FederationConfig = field(default_factory=FederationConfig)

    def deciding(self) -> dict[str, Any]:
        """What can change what is trained, which waiting cannot."""
        given = {k: v for k, v in dataclasses.asdict(self).items() if k != "wait_minutes"}
        return {**given, "federation": self.federation.deciding()}

    def __post_init__(self) -> None:
        if self.jit_compile and self.strategy != "one":
            raise ValueError(
                f"jit_compile: got true beside strategy {self.strategy}, wanted false, as XLA "
                "cannot reach the variables of other devices; turn one of them off"
            )
        promised = self.privacy.epsilon is not None
        if promised and (self.strategy != "one" or self.jit_compile or self.mixed_precision):
            raise ValueError(
                f"privacy: got a promise beside strategy {self.strategy}, jit_compile "
                f"{self.jit_compile} and mixed_precision {self.mixed_precision}, wanted one device "
                "and neither of the others, as nobody has shown that it holds there"
            )
        if self.mixed_precision and self.strategy == "federated":
            raise ValueError(
                "mixed_precision: got true beside strategy federated, wanted false, as sites train "
                "on different machines; turn one of them off"
            )
