"""A data source that needs no data: synthetic chest radiographs, drawn case by case on demand.

Every case follows from a seed and its row alone, so any shard can be read anywhere, in any order.
The case set ("test") has a seed of its own that no option but its own two reaches: its lock holds
whatever the model is trained on. `cases=development` puts another one, as fixed, in its place, so
that looks at the locked one are not spent on every commit; `site=A` puts that site's. Two seeds
share no patient, so spans of training data are phantoms of different seeds.

Coordinates: x to the image's right (the patient's left) and y downwards, both in [-1, 1].
Density: 0 is air, 1 the densest bone; the detector makes grey values of it. Arrays are (b, h, w);
what depends on the row alone is (b, h, 1) and on the column alone (b, 1, w), which is why a tilt
leans each row and lifts each column instead of rotating the plane.
"""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.phantom.arithmetic import (
    Array,
    Draws,
    falloff,
    per_case,
    random_stream,
    smooth_texture,
    step,
    tubes,
)
from components.phantom.detector import DEVICES, DORADO, IMAGE_DRAWS, Picture, detect
from components.phantom.findings import AETIOLOGIES, FINDING_DRAWS, Thorax, add_findings, add_mimics
from components.phantom.sites import SITES
from components.phantom.spec import SEASONS, PhantomOptions
from components.records.case import (
    NEGATIVE,
    NOTHING_READ,
    POSITIVE,
    SPLITS,
    Case,
    ReadAs,
    Shard,
)
from components.records.errors import SourceError, suggestion

# Lung height, heart half-width, mediastinum half-width (an infant's thymus), slope of the ribs.
_BODY_OF_AGE = {
    "0-1": (0.86, 0.32, 0.17, 0.10),
    "2-5": (0.93, 0.30, 0.13, 0.16),
    "6-11": (1.00, 0.28, 0.11, 0.22),
    "12-17": (1.06, 0.27, 0.10, 0.27),
}
AGE_BANDS = tuple(_BODY_OF_AGE)

# Values are drawn by position: inserting a name changes every case, and the generator's version.
_PATIENT_DRAWS = (
    "width", "height", "heart_width", "heart_x", "thymus", "dome_right", "dome_left",
    "rib_spacing", "rib_phase", "rib_density", "vessels", "hilum", "hilum_prominent", "aeration",
    "gas", "gas_x", *FINDING_DRAWS,
)  # fmt: skip


@dataclass(frozen=True)
class _Chest(Thorax):
    """Landmarks that the healthy chest needs beside them."""

    level: Array  # (b, 1, w): how far the tilt lowers each column
    middle: Array  # (b, h, w): signed distance from the midline
    spine: Array  # (b, h, w): signed distance from the spine
    wall: Array  # (b, h, w): distance inwards from the chest wall
    solid: Array  # (b, h, w): 1 in heart and mediastinum, 0 outside


def render(pictures: Sequence[Picture], size: int) -> npt.NDArray[np.uint8]:
    """Grey images of shape (b, size, size); each depends on its own picture alone."""
    patient, image, thorax, ribs, streams = _anatomy(pictures, size)
    density = _healthy_chest(patient, thorax, ribs)
    add_findings(density, [p.aetiology for p in pictures], patient, thorax)
    add_mimics(density, patient, image, thorax)
    return detect(density, pictures, image, streams)


def lesions(pictures: Sequence[Picture], size: int) -> npt.NDArray[np.bool_]:
    """Where each picture shows its finding, (b, size, size); nowhere without one.

    That is where the finding adds VISIBLE or more to the density.
    """
    patient, _, thorax, _, _ = _anatomy(pictures, size)
    density = np.zeros((len(pictures), size, size))
    add_findings(density, [p.aetiology for p in pictures], patient, thorax)
    return density >= VISIBLE


def _anatomy(
    pictures: Sequence[Picture], size: int
) -> tuple[Draws, Draws, _Chest, Array, list[np.random.Generator]]:
    """The draws of patients and images, the chests, their ribs' slopes, and the images' streams."""
    patient_streams = [random_stream(p.seed, p.patient, "anatomy") for p in pictures]
    image_streams = [random_stream(p.seed, p.row, "image") for p in pictures]
    patient = Draws(_PATIENT_DRAWS, patient_streams)
    image = Draws(IMAGE_DRAWS, image_streams)
    body = [per_case(column) for column in zip(*(_BODY_OF_AGE[p.age_band] for p in pictures))]
    body[1] *= per_case([1.12 if p.view == "AP" else 1.0 for p in pictures])
    lattice = np.stack([stream.random((8, 8)) for stream in patient_streams])
    texture = smooth_texture(lattice, size)
    return patient, image, _thorax(patient, image, body, texture), body[3], image_streams


def _thorax(patient: Draws, image: Draws, body: Sequence[Array], texture: Array) -> _Chest:
    """Lays out chest wall, diaphragm, heart, and the lungs between them."""
    size = texture.shape[1]
    axis = (2.0 * np.arange(size, dtype=np.float64) + 1.0) / size - 1.0
    scale = image.uniform("scale", 0.96, 1.12)
    x = (axis[None, None, :] - image.centred("shift_x", 0.07)) * scale
    y = (axis[None, :, None] - image.centred("shift_y", 0.06)) * scale
    tilt = image.centred("tilt", 0.10)
    level, aside = tilt * x, np.abs(x)
    middle = x + tilt * y

    height = body[0] * patient.uniform("height", 0.94, 1.06)
    upward = np.maximum(0.25 - y, 0.0) / (0.95 * height)
    half_width = patient.uniform("width", 0.95, 1.05) * (0.80 - 0.46 * upward * upward)
    wall = half_width - np.abs(middle)
    right = patient.uniform("dome_right", 0.34, 0.42)
    left = patient.uniform("dome_left", 0.42, 0.49)
    from_dome, from_apex = aside - 0.36, aside - 0.30
    dome = np.where(x < 0, right, left) * height + 1.3 * from_dome * from_dome + level
    apex = -0.72 * height + 2.2 * from_apex * from_apex + level

    # A child turned sideways shows the spine beside the midline of heart and lungs.
    spine = middle + image.centred("turn", 0.07)
    solid = _heart_and_mediastinum(patient, body, x, y, spine)
    lung = step(np.minimum(np.minimum(wall, dome - y), y - apex) * 14.0 + 0.5)
    lung *= 1.0 - 0.92 * solid
    hilum = falloff(np.maximum(aside - 0.17, 0.0) + 0.6 * np.abs(y + 0.02), 0.16)
    fan = (y + 0.02) * (1.4 / (aside + 0.10)) + 5.0 * texture
    vessels = tubes(fan, 0.40) * (0.2 + 0.8 * texture)
    return _Chest(x, y, dome, lung, texture, vessels, hilum, level, middle, spine, wall, solid)


def _heart_and_mediastinum(
    patient: Draws, body: Sequence[Array], x: Array, y: Array, spine: Array
) -> Array:
    """1 in a leaning ellipse and in a band along the spine, 0 outside."""
    width = body[1] * patient.uniform("heart_width", 0.92, 1.10)
    centre = patient.uniform("heart_x", 0.08, 0.14) + 0.3 * (y - 0.20)
    across = x * (1.0 / width) - centre / width
    along = (y - 0.20) / 0.34
    heart = (1.0 - along * along - across * across) * 1.8
    band = body[2] * patient.uniform("thymus", 0.9, 1.2) - np.abs(spine)
    return step(np.maximum(heart, band * 10.0 + 0.5))


def _healthy_chest(patient: Draws, thorax: _Chest, slope: Array) -> Array:
    """Density of soft tissue, heart, lungs with their vessels, and bones."""
    x, y = thorax.x, thorax.y
    skin = 0.93 + 0.45 * step((-0.25 - y) * 2.0)
    shoulder = -1.12 + 0.38 * step((np.abs(x) - 0.16) * 2.6) + thorax.level
    torso = step(np.minimum(skin - np.abs(thorax.middle), y - shoulder) * 12.0)
    gas_x = patient.uniform("gas_x", 0.28, 0.42)
    gas = falloff(np.abs(x - gas_x) + 1.6 * np.abs(y - thorax.dome - 0.16), 0.07)
    stomach = np.where(patient.chance("gas", 0.5), 0.25, 0.0) * gas
    tissue = 0.54 + 0.07 * thorax.solid - stomach + _skeleton(patient, thorax, slope)

    prominent = np.where(patient.chance("hilum_prominent", 0.2), 0.10, 0.0)
    roots = patient.uniform("hilum", 0.05, 0.11) + prominent
    vessels = patient.uniform("vessels", 0.05, 0.13) * (0.25 + 1.1 * thorax.hilum) * thorax.vessels
    air = patient.uniform("aeration", 0.36, 0.41) - roots * thorax.hilum - vessels
    return torso * tissue - thorax.lung * air


def _skeleton(patient: Draws, thorax: _Chest, slope: Array) -> Array:
    """Density of spine, ribs and clavicles."""
    y, aside = thorax.y, np.abs(thorax.x)
    spine = falloff(thorax.spine * thorax.spine, 0.007) * (0.11 - 0.05 * tubes(y * 6.5, 0.4))
    spacing = patient.uniform("rib_spacing", 0.150, 0.175)
    phase = patient.uniform("rib_phase")
    strength = patient.uniform("rib_density", 0.08, 0.13)
    arch = aside - 0.30
    behind = (thorax.level + (0.60 + 2.0 * slope) * arch * arch) / spacing - phase
    before = (thorax.level - (0.35 + slope) * aside) / spacing - 1.7 * phase
    rows = y / spacing
    cage = strength * step((0.85 - y) * 4.0) * step((y + 0.80) * 5.0) * step(aside * 5.0 - 0.3)
    ribs = tubes(rows - behind, 0.62) + tubes(rows - before, 0.55) * (0.5 * step(aside * 4.0 - 1.2))
    # Seen on edge at the chest wall, a rib is denser than face on.
    seen = (0.5 + 0.5 * falloff(thorax.wall, 0.10)) * step(thorax.wall * 12.0 + 1.0)
    collar = thorax.level - 0.50 - 0.34 * aside + 0.2 * aside * aside
    length = 0.13 * step((aside - 0.06) * 14.0) * step((0.95 - aside) * 5.0)
    clavicle = length * np.maximum(1.0 - np.abs(y - collar) * 22.0, 0.0)
    return spine + clavicle + seen * (cage * ribs)


GENERATOR_VERSION = 1
VISIBLE = 0.05  # of density: a twentieth of the grey scale
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
    read_as: ReadAs = NOTHING_READ

    @property
    def name(self) -> str:
        """`phantom`, `phantom-A`, `phantom-development`, ...: whichever case set is judged on."""
        name, site = _CASE_SETS[self.options.cases][0], self.options.site
        return f"{name}-{site}" if site else name

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
        options = self.drawn_by(shard.split)
        # glibc recycles freed blocks up to the largest one it has seen freed, so freeing one of
        # this size keeps it from returning each batch: a third faster; no change elsewhere.
        np.empty(2_000_000)
        batch = max(1, _BATCH_PIXELS // options.size**2)
        for start in range(shard.start, shard.stop, batch):
            stop = min(start + batch, shard.stop)
            drafts = [draft(options, row) for row in range(start, stop)]
            images = render([drawn.picture for drawn in drafts], options.size)
            for drawn, image in zip(drafts, images):
                yield self._case(shard.split, drawn, image)

    def lesions(self, case_ids: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Where these cases of the case set show their finding, (n, size, size), as `lesions`."""
        options, first = self.drawn_by("test"), len(f"{self.name}-case-")
        return lesions([draft(options, int(id_[first:])).picture for id_ in case_ids], options.size)

    def drawn_by(self, split: str) -> PhantomOptions:
        """The options that the split's cases are drawn by, with what its site brings."""
        options = _CASE_SETS[self.options.cases][1] if split == "test" else self.options
        if not self.options.site:
            return options
        site = SITES[self.options.site]
        noise = 0.0 if split == "test" else max(options.label_noise, site.label_noise)
        seed = site.seed(options.seed)
        return replace(options, site=self.options.site, seed=seed, label_noise=noise)

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
            site = f"{self.options.site}-" if self.options.site else ""
            drawn_by = f"ph-{site}{self.options.seed}"
            case_id, patients = f"{drawn_by}-{picture.row:07d}", f"{drawn_by}-patient"
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
    visit = random_stream(options.seed, row, "visit").random(6)
    aetiologies = [kind for kind in AETIOLOGIES if kind != options.leave_out]
    positives, age = options.positives, _pick(AGE_BANDS, person[3])
    aetiology = _pick(aetiologies, person[1])
    if options.site:
        shift = SITES[options.site]
        positives *= shift.positives
        aetiology = _pick_by_share({k: shift.aetiologies[k] for k in aetiologies}, person[1])
    if options.season:
        season = SEASONS[options.season]
        positives *= season.positives
        age = _pick_by_share(dict(zip(AGE_BANDS, season.ages)), person[3])
        aetiology = _pick_by_share({k: season.aetiologies[k] for k in aetiologies}, person[1])
    ill = person[0] < positives
    site = options.site or _pick(list(_DEVICE_SHARES), person[2])
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
        marked=bool(ill and visit[5] < options.mark),
    )
    label = POSITIVE if ill else NEGATIVE
    if visit[2] < options.label_noise:
        label = POSITIVE + NEGATIVE - label
    sex = "female" if person[4] < 0.48 else "male"
    return CaseDraft(picture, label, site, sex)


def _device(options: PhantomOptions, site: str, visit: npt.NDArray[np.float64]) -> str:
    if visit[3] < options.vendor:
        return DORADO
    shares = dict(SITES[site].devices if site in SITES else zip(DEVICES, _DEVICE_SHARES[site]))
    shares.pop(options.leave_out, None)
    return _pick_by_share(shares, visit[1])


def _pick(choices: Sequence[str], draw: float) -> str:
    return choices[int(draw * len(choices))]


def _pick_by_share(shares: Mapping[str, int], draw: float) -> str:
    return _pick([choice for choice, share in shares.items() for _ in range(share)], draw)
