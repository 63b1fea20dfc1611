"""A data source that needs no data: synthetic chest radiographs, drawn case by case on demand.

Every case follows from a seed and its row alone, so any shard can be read anywhere, in any order.
The case set ("test") has a seed of its own that no option reaches: its lock holds whatever the
model is trained on.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.cases.case import NEGATIVE, POSITIVE, SPLITS, Case, Shard
from components.cases.phantom_arithmetic import random_stream
from components.cases.phantom_detector import DEVICES
from components.cases.phantom_findings import AETIOLOGIES
from components.cases.phantom_image import AGE_BANDS, Picture, render
from components.cases.phantom_spec import PhantomOptions
from components.errors import SourceError, suggestion

GENERATOR_VERSION = 1
CASE_SET_CASES = 2000
CASE_SET_SEED = 2**32 + 1  # beyond what the seed option takes, so never anyone's training data

_CASE_SET = PhantomOptions(n=CASE_SET_CASES, seed=CASE_SET_SEED)
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
_PARTS = ("", "_arithmetic", "_detector", "_findings", "_image", "_spec")


@dataclass(frozen=True)
class PhantomSource:
    """Synthetic paediatric chest radiographs with consolidation, interstitial lines or effusion.

    Attributes of each case: site, device, age_band, sex, view, aetiology ("none" without a
    finding) and origin ("synthetic"). The aetiology says what was drawn, so under `label_noise`
    it may contradict the label.
    """

    spec: str
    options: PhantomOptions
    name: str = field(default="phantom", init=False)
    synthetic: bool = field(default=True, init=False)

    @classmethod
    def parse(cls, spec: str) -> "PhantomSource":
        """The source of a spec; its `spec` is the canonical one. Raises SourceError."""
        options = PhantomOptions.parse(spec)
        return cls(options.spec(), options)

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the spec, the generator's version and the generator's source."""
        digest = hashlib.sha256(f"{self.spec}\n{GENERATOR_VERSION}\n".encode())
        for part in _PARTS:
            source = Path(__file__).with_name(f"phantom{part}.py").read_bytes()
            digest.update(hashlib.sha256(source).digest())
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
        options = _CASE_SET if shard.split == "test" else self.options
        _keep_freed_memory()
        batch = max(1, _BATCH_PIXELS // options.size**2)
        for start in range(shard.start, shard.stop, batch):
            stop = min(start + batch, shard.stop)
            drafts = [_draft(options, row) for row in range(start, stop)]
            images = render([draft.picture for draft in drafts], options.size)
            for draft, image in zip(drafts, images):
                yield _case(options, draft, image)

    def _rows(self, split: str) -> range:
        if split not in SPLITS:
            raise SourceError(f"{self.spec}: unknown split '{split}'{suggestion(split, SPLITS)}")
        if split == "test":
            return range(CASE_SET_CASES)
        patients = _patient(self.options.n - 1) + 1
        block, place = divmod(int(patients * _TRAIN_SHARE), _PATIENTS)
        cut = block * len(_PATIENT_OF_ROW) + _PATIENT_OF_ROW.index(place)
        return range(cut) if split == "train" else range(cut, self.options.n)


@dataclass(frozen=True)
class _Draft:
    picture: Picture
    label: int
    site: str
    sex: str


def _patient(row: int) -> int:
    block, place = divmod(row, len(_PATIENT_OF_ROW))
    return block * _PATIENTS + _PATIENT_OF_ROW[place]


def _draft(options: PhantomOptions, row: int) -> _Draft:
    """Draws who is imaged (once per patient) and how (once per image)."""
    patient = _patient(row)
    person = random_stream(options.seed, patient, "person").random(5)
    visit = random_stream(options.seed, row, "visit").random(3)
    aetiologies = [kind for kind in AETIOLOGIES if kind != options.leave_out]
    ill = person[0] < options.positives
    site = _pick(list(_DEVICE_SHARES), person[2])
    age = _pick(AGE_BANDS, person[3])
    shares = dict(zip(DEVICES, _DEVICE_SHARES[site]))
    shares.pop(options.leave_out, None)
    lying = 0.7 if age in AGE_BANDS[:2] else 0.2  # small children are imaged lying, from in front
    picture = Picture(
        seed=options.seed,
        patient=patient,
        row=row,
        age_band=age,
        view="AP" if visit[0] < lying else "PA",
        device=_pick_by_share(shares, visit[1]),
        aetiology=_pick(aetiologies, person[1]) if ill else "none",
        exposure=options.exposure,
    )
    label = POSITIVE if ill else NEGATIVE
    if visit[2] < options.label_noise:
        label = POSITIVE + NEGATIVE - label
    sex = "female" if person[4] < 0.48 else "male"
    return _Draft(picture, label, site, sex)


def _pick(choices: Sequence[str], draw: float) -> str:
    return choices[int(draw * len(choices))]


def _pick_by_share(shares: dict[str, int], draw: float) -> str:
    return _pick([choice for choice, share in shares.items() for _ in range(share)], draw)


def _case(options: PhantomOptions, draft: _Draft, image: npt.NDArray[np.uint8]) -> Case:
    picture = draft.picture
    if options is _CASE_SET:
        case_id, patients = f"phantom-case-{picture.row:06d}", "phantom-patient"
    else:
        case_id, patients = f"ph-{options.seed}-{picture.row:07d}", f"ph-{options.seed}-patient"
    attributes = {
        "site": draft.site,
        "device": picture.device,
        "age_band": picture.age_band,
        "sex": draft.sex,
        "view": picture.view,
        "aetiology": picture.aetiology,
        "origin": "synthetic",
    }
    patient_id = f"{patients}-{picture.patient:07d}"
    return Case(case_id, patient_id, draft.label, _png(image), attributes)


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
