"""How a season changes who comes to be imaged, and with what."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Season:
    """Shares of the patients, in hundredths; both add up to 100.

    Attributes:
      positives: the share of patients with a finding is multiplied by it, up to 1.
      aetiologies: of the patients with a finding.
      ages: in the order of the age bands.
    """

    positives: float
    aetiologies: Mapping[str, int]
    ages: tuple[int, ...]


SEASONS = {
    "winter": Season(
        positives=1.4,
        aetiologies={"consolidation": 20, "interstitial": 70, "effusion": 10},
        ages=(58, 24, 11, 7),
    ),
    "summer": Season(
        positives=0.7,
        aetiologies={"consolidation": 55, "interstitial": 15, "effusion": 30},
        ages=(5, 12, 28, 55),
    ),
}
