"""The phantom's sites: hospitals that differ as hospitals do, for training that no data leave.

Each has patients, training, tuning and locked cases of its own. What differs is written down here,
so that what a site gains or loses in a federation can be held against its cause.
"""

from collections.abc import Mapping
from dataclasses import dataclass

# Seeds of a person end below 2**32 and those of the case sets right above: no two sites share one.
_SEEDS_APART = 2**40


@dataclass(frozen=True)
class Hospital:
    """How a site differs from the phantom without one.

    Attributes:
      number: 1 or more; keeps its patients apart.
      devices: tenths of its images, by device.
      aetiologies: tenths of its patients with a finding.
      positives: the share of patients with a finding is multiplied by it.
      label_noise: share of its training and tuning labels that are wrong; the locked cases' are
        right everywhere.
    """

    number: int
    devices: Mapping[str, int]
    aetiologies: Mapping[str, int]
    positives: float = 1.0
    label_noise: float = 0.0

    def seed(self, seed: int) -> int:
        """Another seed for each site, below 2**64."""
        return self.number * _SEEDS_APART + seed


def _mix(consolidation: int, interstitial: int, effusion: int) -> Mapping[str, int]:
    return {"consolidation": consolidation, "interstitial": interstitial, "effusion": effusion}


SITES = {
    "A": Hospital(1, {"Aster": 8, "Boreal": 2}, _mix(4, 3, 3)),
    "B": Hospital(2, {"Aster": 1, "Boreal": 9}, _mix(6, 1, 3), positives=0.4),
    "C": Hospital(3, {"Boreal": 2, "Cirrus": 8}, _mix(2, 7, 1), positives=1.2),
    "D": Hospital(4, {"Aster": 3, "Boreal": 4, "Cirrus": 3}, _mix(4, 3, 3), label_noise=0.2),
    "E": Hospital(5, {"Aster": 1, "Boreal": 1, "Dorado": 8}, _mix(3, 2, 5), positives=0.7),
}
