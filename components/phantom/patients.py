"""Draws who is imaged, with what, where and on which device, before any image is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.phantom.arithmetic import random_stream
from components.phantom.detector import DEVICES, DORADO
from components.phantom.findings import AETIOLOGIES
from components.phantom.image import AGE_BANDS, Picture
from components.phantom.seasons import SEASONS
from components.phantom.spec import PhantomOptions
from components.records.case import NEGATIVE, POSITIVE

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
