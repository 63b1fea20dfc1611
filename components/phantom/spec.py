"""The options of `phantom:key=value,...`, checked one by one before any image is drawn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from components.phantom.detector import DEVICES, DORADO
from components.phantom.findings import AETIOLOGIES
from components.phantom.sites import SITES
from components.records.errors import SourceError, suggestion

CASE_SETS = ("locked", "development")


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


_Reader = Callable[[str, str], float | str]


def _whole(low: int, high: int) -> _Reader:
    def read(where: str, text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise SourceError(f"{where}: got '{text}', wanted a whole number from {low} to {high}")
        return int(text)

    return read


def _number(low: float, high: float) -> _Reader:
    def read(where: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise SourceError(f"{where}: got '{text}', wanted a number from {low:g} to {high:g}")
        return value

    return read


def _one_of(words: Sequence[str]) -> _Reader:
    def read(where: str, text: str) -> str:
        if text not in words:
            raise SourceError(f"{where}: unknown '{text}'{suggestion(text, words)}")
        return text

    return read


def _option(default: float | str, read: _Reader) -> Any:
    return field(default=default, metadata={"read": read})


@dataclass(frozen=True)
class PhantomOptions:
    """What may differ between the training data of two phantoms.

    Attributes:
      n: training and tuning cases together.
      seed: another seed, other patients.
      size: pixels along each edge.
      positives: share of patients with a finding.
      label_noise: share of labels flipped at random; at 0.5 labels say nothing of the image.
      leave_out: a device or an aetiology that is replaced by the others; "" for none.
      exposure: relative detector exposure; above 1 darker, below 1 brighter and noisier.
      season: "winter" brings more and younger patients with interstitial lines, "summer" fewer
        and older ones with consolidation; "" neither. Images are as good as ever.
      vendor: share of the images that a new device, Dorado, takes.
      fault: a device whose detector is broken; "" for none.
      fault_share: share of that device's images that show it.
      mark: share of the images with a finding that carry a bright mark in a corner: a shortcut.
      cases: which case set the test split is: "locked", or "development" to look at freely.
      site: whose patients these are, the case set's too; "" for the phantom's four sites together.
    """

    n: int = _option(4000, _whole(20, 100_000_000))
    seed: int = _option(7, _whole(0, 2**32 - 1))
    size: int = _option(64, _whole(32, 512))
    positives: float = _option(0.5, _number(0.0, 1.0))
    label_noise: float = _option(0.0, _number(0.0, 1.0))
    leave_out: str = _option("", _one_of((*DEVICES, *AETIOLOGIES)))
    exposure: float = _option(1.0, _number(0.1, 10.0))
    season: str = _option("", _one_of(tuple(SEASONS)))
    vendor: float = _option(0.0, _number(0.0, 1.0))
    fault: str = _option("", _one_of((*DEVICES, DORADO)))
    fault_share: float = _option(1.0, _number(0.0, 1.0))
    mark: float = _option(0.0, _number(0.0, 1.0))
    cases: str = _option("locked", _one_of(CASE_SETS))
    site: str = _option("", _one_of(tuple(SITES)))

    @classmethod
    def parse(cls, spec: str) -> "PhantomOptions":
        """The options of a spec such as "phantom" or "phantom:n=100000,seed=3".

        Raises:
          SourceError: another source's spec, an unknown or repeated option, a value out of range.
        """
        name, colon, text = spec.partition(":")
        if name != "phantom":
            raise SourceError(f"{spec}: got source '{name}', wanted 'phantom' or 'phantom:n=4000'")
        readers = {option.name: option.metadata["read"] for option in fields(cls)}
        values: dict[str, Any] = {}
        for part in text.split(",") if colon else []:
            key, equals, value = part.partition("=")
            if key not in readers:
                raise SourceError(f"{spec}: unknown option '{key}'{suggestion(key, readers)}")
            if not equals or key in values:
                raise SourceError(f"{spec}: got '{part}', wanted {key}=value, once")
            values[key] = readers[key](f"{spec}: {key}", value)
        if "fault_share" in values and "fault" not in values:
            raise SourceError(f"{spec}: fault_share without fault; wanted fault=DEVICE too")
        return cls(**values)

    def spec(self) -> str:
        """The shortest spec of these options: sorted, without defaults."""
        given = sorted(vars(self).items() - vars(PhantomOptions()).items())
        text = ",".join(f"{key}={str(value).removesuffix('.0')}" for key, value in given)
        return f"phantom:{text}" if text else "phantom"
