"""The options of `phantom:key=value,...`, checked one by one before any image is drawn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

from components.phantom.detector import DEVICES, DORADO
from components.phantom.findings import AETIOLOGIES
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
      cases: which case set the test split is: "locked", or "development" to look at freely.
    """

    n: int = 4000
    seed: int = 7
    size: int = 64
    positives: float = 0.5
    label_noise: float = 0.0
    leave_out: str = ""
    exposure: float = 1.0
    season: str = ""
    vendor: float = 0.0
    fault: str = ""
    fault_share: float = 1.0
    cases: str = "locked"

    @classmethod
    def parse(cls, spec: str) -> "PhantomOptions":
        """The options of a spec such as "phantom" or "phantom:n=100000,seed=3".

        Raises:
          SourceError: another source's spec, an unknown or repeated option, a value out of range.
        """
        name, colon, text = spec.partition(":")
        if name != "phantom":
            raise SourceError(f"{spec}: got source '{name}', wanted 'phantom' or 'phantom:n=4000'")
        values: dict[str, float | str] = {}
        for part in text.split(",") if colon else []:
            key, equals, value = part.partition("=")
            if key not in _READERS:
                raise SourceError(f"{spec}: unknown option '{key}'{suggestion(key, _READERS)}")
            if not equals or key in values:
                raise SourceError(f"{spec}: got '{part}', wanted {key}=value, once")
            values[key] = _READERS[key](f"{spec}: {key}", value)
        if "fault_share" in values and "fault" not in values:
            raise SourceError(f"{spec}: fault_share without fault; wanted fault=DEVICE too")
        return cls(**values)  # type: ignore[arg-type]  # each reader returns its field's type

    def spec(self) -> str:
        """The shortest spec of these options: sorted, without defaults."""
        given = {
            option.name: getattr(self, option.name)
            for option in fields(self)
            if getattr(self, option.name) != option.default
        }
        typed = {k: repr(v).removesuffix(".0") if type(v) is float else v for k, v in given.items()}
        text = ",".join(f"{key}={typed[key]}" for key in sorted(typed))
        return f"phantom:{text}" if text else "phantom"


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


_READERS: dict[str, _Reader] = {
    "n": _whole(20, 100_000_000),
    "seed": _whole(0, 2**32 - 1),
    "size": _whole(32, 512),
    "positives": _number(0.0, 1.0),
    "label_noise": _number(0.0, 1.0),
    "leave_out": _one_of((*DEVICES, *AETIOLOGIES)),
    "exposure": _number(0.1, 10.0),
    "season": _one_of(tuple(SEASONS)),
    "vendor": _number(0.0, 1.0),
    "fault": _one_of((*DEVICES, DORADO)),
    "fault_share": _number(0.0, 1.0),
    "cases": _one_of(CASE_SETS),
}
