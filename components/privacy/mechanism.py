"""What a private training promises: epsilon, of the noise and the draws that it was made with.

The gate computes it anew from what the record says of the training, and believes no epsilon.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version

ADJACENCY = "one unit added or removed"
SAMPLING = "poisson"
ACCOUNTANT = "PLD"
# Outside of these nothing is worth accounting for, which would take minutes.
NOISE_MULTIPLIERS = (0.05, 1e6)
MOST_STEPS = 10_000_000
# What is made of patients' data, and no noise was added to.
NOT_PRIVATE = (
    "how many units there are, which the rate and the steps tell",
    "the operating point and every figure of the tuning cases",
    "statistics of the data, by which drift is seen",
    "pages with pictures or cases",
    "what was chosen after looking at the training data, such as the settings",
)


@dataclass(frozen=True)
class Mechanism:
    """Steps, each of which adds Gaussian noise to a sum over units that were drawn for it.

    Attributes:
      noise_multiplier: standard deviation of the noise, as a multiple of the most that one unit
        can add to the sum.
      rate: with which each unit is drawn for a step, independently of all others, in (0, 1].
      steps: how many there were, at least 1.
    """

    noise_multiplier: float
    rate: float
    steps: int

    def __post_init__(self) -> None:
        least, most = NOISE_MULTIPLIERS
        if not (least <= self.noise_multiplier <= most and 0 < self.rate <= 1):
            raise ValueError(f"got {self}, wanted noise from {least} to {most}, a rate in (0, 1]")
        if not 1 <= self.steps <= MOST_STEPS:
            raise ValueError(f"got {self}, wanted 1 to {MOST_STEPS} steps")


def epsilon(mechanism: Mechanism, delta: float) -> float:
    """The epsilon that it keeps at `delta`, in (0, 1); inf where it keeps none.

    Source: privacy loss distributions as dp-accounting composes them (Koskela, Jälkö and Honkela,
    2020, AISTATS; Doroshenko and others, 2022, PoPETs 4), each unit added or removed.
    """
    from dp_accounting.pld import PLDAccountant

    accountant = PLDAccountant()
    accountant.compose(_event(mechanism.noise_multiplier, mechanism.rate, mechanism.steps))
    return float(accountant.get_epsilon(delta))


@lru_cache(maxsize=8)
def least_noise(*, rate: float, steps: int, wanted: float, delta: float) -> float:
    """The smallest noise multiplier whose epsilon is at most `wanted`.

    Args:
      rate, steps: as in `Mechanism`.
      wanted: epsilon, above 0.
    """
    from dp_accounting.mechanism_calibration import calibrate_dp_mechanism
    from dp_accounting.pld import PLDAccountant

    return float(
        calibrate_dp_mechanism(
            PLDAccountant, lambda noise: _event(noise, rate, steps), wanted, delta
        )
    )


def accountant_version() -> str:
    """Of the library that accounts, such as `dp-accounting 0.6.0`."""
    return f"dp-accounting {version('dp-accounting')}"


def _event(noise_multiplier: float, rate: float, steps: int) -> object:
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent

    drawn = PoissonSampledDpEvent(rate, GaussianDpEvent(noise_multiplier))
    return SelfComposedDpEvent(drawn, steps)
