"""A data source that needs no data: synthetic chest radiographs, drawn case by case on demand.

Every case follows from a seed and its row alone, so any shard can be read anywhere, in any order.
The case set ("test") has a seed of its own that no option reaches: its lock holds whatever the
model is trained on. `cases=development` puts another one, as fixed, in its place, so that looks at
the locked one are not spent on every commit. Two seeds share no patient, so spans of training data
are phantoms of different seeds.
"""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.phantom.arithmetic import random_stream
from components.phantom.detector import DEVICES, DORADO
from components.phantom.findings import AETIOLOGIES
from components.phantom.image import AGE_BANDS, Picture, render
from components.phantom.spec import SEASONS, PhantomOptions
from components.records.case import NEGATIVE, POSITIVE, SPLITS, Case, Shard
from components.records.errors import SourceError, suggestion

GENERATOR_VERSION = 1
CASE_SET_CASES = 2000
# Beyond what the seed option takes, so never anyone's training data.
CASE_SET_SEED = 2**32 + 1
DEVELOPMENT_SEED = 2**32 + 2

_TRAIN_SHARE = 0.7
_BATCH_PIXELS = 32 * 64 * 64  # drawn at a time: more no longer pays

# Thirteen images of ten patients, again and again: three in ten come back for a second image.
_PATIENT_OF_ROW = (0, 1, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9)
_PATIENTS = 10

# Tenths of each site's images per device, in the order of DEVICES.
_DEVICE_SHARES = {
    "Northgate": (6, 3, 1),
    "Harbour": (2, 6, 2),
    "Lakeside": (3, 3, 4),
    "Hillcrest": (4, 4, 2),
}


@dataclass(frozen=True)
class CaseDraft:
    """A case without its image."""

    picture: Picture
    label: int
    site: str
    sex: str


# The test splits by the option `cases`: what each is called, and its options.
_CASE_SETS = {
    "locked": ("phantom", PhantomOptions(n=CASE_SET_CASES, seed=CASE_SET_SEED)),
    "development": (
        "phantom-development",
        PhantomOptions(n=CASE_SET_CASES, seed=DEVELOPMENT_SEED),
    ),
}


@dataclass(frozen=True)
class PhantomSource:
    """Synthetic paediatric chest radiographs with consolidation, interstitial lines or effusion.

    Attributes of each case: site, device, age_band, sex, view, aetiology ("none" without a
    finding) and origin ("synthetic"). The aetiology says what was drawn, so under `label_noise`
    it may contradict the label.
    """

    spec: str
    options: PhantomOptions
    synthetic: bool = True

    @property
    def name(self) -> str:
        """`phantom`, or `phantom-development`: whichever case set is judged on."""
        return _CASE_SETS[self.options.cases][0]

    @classmethod
    def parse(cls, spec: str) -> "PhantomSource":
        """The source of a spec; its `spec` is the canonical one. Raises SourceError."""
        options = PhantomOptions.parse(spec)
        return cls(options.spec(), options)

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the spec, the generator's version and its source, this package."""
        digest = hashlib.sha256(f"{self.spec}\n{GENERATOR_VERSION}\n".encode())
        for part in sorted(Path(__file__).parent.glob("*.py")):
            digest.update(hashlib.sha256(part.read_bytes()).digest())
        return digest.hexdigest()

    def shards(self, split: str, *, cases_per_shard: int = 512) -> Sequence[Shard]:
        """Shards of a split, in order. Rows of "train" come first, those of "tune" follow."""
        if cases_per_shard < 1:
            raise SourceError(f"{self.spec}: got {cases_per_shard} cases a shard, wanted 1 or more")
        rows = self._rows(split)
        return [
            Shard(split, start, min(start + cases_per_shard, rows.stop))
            for start in range(rows.start, rows.stop, cases_per_shard)
        ]

    def read(self, shard: Shard) -> Iterator[Case]:
        """The shard's cases in order, drawn a batch at a time."""
        rows = self._rows(shard.split)
        if not rows.start <= shard.start <= shard.stop <= rows.stop:
            raise SourceError(
                f"{self.spec}: got rows {shard.start} to {shard.stop} of '{shard.split}', "
                f"wanted rows within {rows.start} to {rows.stop}"
            )
        options = _CASE_SETS[self.options.cases][1] if shard.split == "test" else self.options
        _keep_freed_memory()
        batch = max(1, _BATCH_PIXELS // options.size**2)
        for start in range(shard.start, shard.stop, batch):
            stop = min(start + batch, shard.stop)
            drafts = [draft(options, row) for row in range(start, stop)]
            images = render([drawn.picture for drawn in drafts], options.size)
            for drawn, image in zip(drafts, images):
                yield self._case(shard.split, drawn, image)

    def _rows(self, split: str) -> range:
        if split not in SPLITS:
            raise SourceError(f"{self.spec}: unknown split '{split}'{suggestion(split, SPLITS)}")
        if split == "test":
            return range(CASE_SET_CASES)
        patients = patient_of(self.options.n - 1) + 1
        cut = first_row_of(int(patients * _TRAIN_SHARE))
        return range(cut) if split == "train" else range(cut, self.options.n)

    def _case(self, split: str, drawn: CaseDraft, image: npt.NDArray[np.uint8]) -> Case:
        picture = drawn.picture
        if split == "test":
            case_id, patients = f"{self.name}-case-{picture.row:06d}", f"{self.name}-patient"
        else:
            case_id, patients = f"ph-{picture.seed}-{picture.row:07d}", f"ph-{picture.seed}-patient"
        attributes = {
            "site": drawn.site,
            "device": picture.device,
            "age_band": picture.age_band,
            "sex": drawn.sex,
            "view": picture.view,
            "aetiology": picture.aetiology,
            "origin": "synthetic",
        }
        patient_id = f"{patients}-{picture.patient:07d}"
        return Case(case_id, patient_id, drawn.label, _png(image), attributes)


def _keep_freed_memory() -> None:
    """Has the C library recycle the batch's arrays instead of returning each to the system.

    glibc raises its threshold for that to the largest block it has seen freed. Drawing is a third
    faster for it; elsewhere it changes nothing.
    """
    np.empty(2_000_000)


def _png(image: npt.NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG", compress_level=1)
    return file.getvalue()


def patient_of(row: int) -> int:
    block, place = divmod(row, len(_PATIENT_OF_ROW))
    return block * _PATIENTS + _PATIENT_OF_ROW[place]


def first_row_of(patient: int) -> int:
    block, place = divmod(patient, _PATIENTS)
    return block * len(_PATIENT_OF_ROW) + _PATIENT_OF_ROW.index(place)


def draft(options: PhantomOptions, row: int) -> CaseDraft:
    """Draws who is imaged (once per patient) and how (once per image)."""
    patient = patient_of(row)
    person = random_stream(options.seed, patient, "person").random(5)
    visit = random_stream(options.seed, row, "visit").random(5)
    aetiologies = [kind for kind in AETIOLOGIES if kind != options.leave_out]
    positives, age = options.positives, _pick(AGE_BANDS, person[3])
    aetiology = _pick(aetiologies, person[1])
    if options.season:
        season = SEASONS[options.season]
        positives *= season.positives
        age = _pick_by_share(dict(zip(AGE_BANDS, season.ages)), person[3])
        aetiology = _pick_by_share({k: season.aetiologies[k] for k in aetiologies}, person[1])
    ill = person[0] < positives
    site = _pick(list(_DEVICE_SHARES), person[2])
    device = _device(options, site, visit)
    lying = 0.7 if age in AGE_BANDS[:2] else 0.2  # small children are imaged lying, from in front
    picture = Picture(
        seed=options.seed,
        patient=patient,
        row=row,
        age_band=age,
        view="AP" if visit[0] < lying else "PA",
        device=device,
        aetiology=aetiology if ill else "none",
        exposure=options.exposure,
        broken=device == options.fault and bool(visit[4] < options.fault_share),
    )
    label = POSITIVE if ill else NEGATIVE
    if visit[2] < options.label_noise:
        label = POSITIVE + NEGATIVE - label
    sex = "female" if person[4] < 0.48 else "male"
    return CaseDraft(picture, label, site, sex)


def _device(options: PhantomOptions, site: str, visit: npt.NDArray[np.float64]) -> str:
    if visit[3] < options.vendor:
        return DORADO
    shares = dict(zip(DEVICES, _DEVICE_SHARES[site]))
    shares.pop(options.leave_out, None)
    return _pick_by_share(shares, visit[1])


def _pick(choices: Sequence[str], draw: float) -> str:
    return choices[int(draw * len(choices))]


def _pick_by_share(shares: Mapping[str, int], draw: float) -> str:
    return _pick([choice for choice, share in shares.items() for _ in range(share)], draw)
