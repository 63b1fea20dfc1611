"""The embedded source draws the same cases everywhere, and no option reaches its case set."""

import dataclasses
import functools
import hashlib
import io
import tracemalloc
from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from components.cases.images import measure
from components.phantom import source as phantom
from components.phantom.detector import DEVICES
from components.phantom.findings import AETIOLOGIES
from components.phantom.source import CaseDraft, PhantomSource, Picture, draft, lesions, render
from components.records.case import POSITIVE, SPLITS, Case, Shard
from components.records.errors import SourceError
from tests.refusing import refused

# Decoded pixels of the first three cases of the case set. A change here breaks every lock on it:
# raise GENERATOR_VERSION and amend the case set with it.
CASE_SET_PIXELS = (
    "9627a5b4f5823893bc165623615add5028aa51b8346a1cbc7cec9acd7ab9081c",
    "fd71bd5b52ad3ee1f2c08890a5435a44da17f9f907d160b8c982a822143d483d",
    "5d4c9716bea776683fbe48a5a57b5d9bc9c4eede65bd4e01367ce1b2c7e0ac4d",
)
TRAINING_CASES = "846b007809af019df044e1b1e1686f725c8dd26a0d3e1021149314cd17396c59"
DEVELOPMENT_PIXELS = "6f2272e66737eb76569308ed37f0c9c4f26ecb8e22bf89afef5a76b23735cc36"


def cases_of(spec: str, split: str, *, cases_per_shard: int = 512) -> list[Case]:
    source = PhantomSource.parse(spec)
    shards = source.shards(split, cases_per_shard=cases_per_shard)
    return [case for shard in shards for case in source.read(shard)]


def first_cases(spec: str, split: str, count: int) -> list[Case]:
    source = PhantomSource.parse(spec)
    start = source.shards(split)[0].start
    return list(source.read(Shard(split, start, start + count)))


def pixels(case: Case) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(case.image)))


def traits(cases: list[Case], name: str) -> set[str]:
    return {case.attributes[name] for case in cases}


@pytest.fixture
def without_drawing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Labels and attributes of many cases, without the cost of their pixels."""
    blank = np.zeros((2, 2), np.uint8)
    monkeypatch.setattr(phantom, "render", lambda pictures, size: [blank] * len(pictures))
    yield


def test_pixels_of_the_case_set_are_pinned() -> None:
    cases = first_cases("phantom", "test", 3)
    assert [case.case_id for case in cases] == [f"phantom-case-{row:06d}" for row in range(3)]
    assert tuple(hashlib.sha256(pixels(case).tobytes()).hexdigest() for case in cases) == (
        CASE_SET_PIXELS
    )


def test_cases_do_not_depend_on_the_shard_they_are_read_in() -> None:
    whole = cases_of("phantom:n=60", "train")
    assert whole == cases_of("phantom:n=60", "train", cases_per_shard=7)
    assert whole[17] == next(PhantomSource.parse("phantom:n=60").read(Shard("train", 17, 18)))


def test_another_seed_draws_other_images() -> None:
    one, other = first_cases("phantom", "train", 1)[0], first_cases("phantom:seed=8", "train", 1)[0]
    assert one.image != other.image and one.patient_id != other.patient_id


def test_images_are_8_bit_grey_pngs_of_the_asked_size() -> None:
    image = Image.open(io.BytesIO(first_cases("phantom:size=96", "train", 1)[0].image))
    assert (image.format, image.mode, image.size) == ("PNG", "L", (96, 96))


def test_images_of_one_patient_share_anatomy_but_are_not_copies() -> None:
    _, one, again = first_cases("phantom", "test", 3)
    assert one.patient_id == again.patient_id and one.image != again.image
    for name in ("site", "sex", "age_band", "aetiology"):
        assert one.attributes[name] == again.attributes[name]


@pytest.mark.parametrize("n", [20, 33, 1000])
def test_splits_share_neither_patients_nor_cases(n: int, without_drawing: None) -> None:
    splits = [cases_of(f"phantom:n={n}", split) for split in SPLITS]
    train, tune, test = ({case.patient_id for case in cases} for cases in splits)
    assert not (train & tune or train & test or tune & test)
    ids = [case.case_id for cases in splits for case in cases]
    assert len(ids) == len(set(ids)) == n + phantom.CASE_SET_CASES


def test_about_a_third_of_the_patients_tune_and_have_1_3_images_each(without_drawing: None) -> None:
    train, tune = cases_of("phantom:n=1300", "train"), cases_of("phantom:n=1300", "tune")
    assert len({case.patient_id for case in tune}) == 300
    assert len({case.patient_id for case in train}) == 700
    assert len(train) + len(tune) == 1300


@pytest.mark.parametrize(
    "options",
    [
        "n=50,seed=8",
        "size=32",
        "positives=0.9",
        "label_noise=0.5",
        "leave_out=Cirrus",
        "leave_out=effusion",
        "exposure=3",
        "season=winter",
        "vendor=1",
        "fault=Aster",
    ],
)
def test_no_option_reaches_the_case_set(options: str) -> None:
    assert first_cases(f"phantom:{options}", "test", 40) == first_cases("phantom", "test", 40)
    assert PhantomSource.parse(f"phantom:{options}").shards("test")[-1].stop == 2000


def test_label_noise_flips_its_share_and_leaves_the_image(without_drawing: None) -> None:
    clean = cases_of("phantom:n=4000", "train")
    noisy = cases_of("phantom:n=4000,label_noise=0.2", "train")
    flipped = np.mean([a.label != b.label for a, b in zip(clean, noisy)])
    assert 0.17 < flipped < 0.23
    assert [case.attributes for case in clean] == [case.attributes for case in noisy]


@pytest.mark.parametrize("split", ["train", "tune"])
@pytest.mark.parametrize(("word", "trait"), [("Cirrus", "device"), ("effusion", "aetiology")])
def test_what_is_left_out_is_absent(
    split: str, word: str, trait: str, without_drawing: None
) -> None:
    assert word in traits(cases_of("phantom", split), trait)
    assert word not in traits(cases_of(f"phantom:leave_out={word}", split), trait)
    assert word in traits(cases_of(f"phantom:leave_out={word}", "test"), trait)


def test_prevalence_is_the_share_asked_for(without_drawing: None) -> None:
    labels = [case.label for case in cases_of("phantom:n=4000,positives=0.2", "train")]
    assert 0.17 < np.mean(labels) < 0.23


def test_exactly_the_positives_have_an_aetiology(without_drawing: None) -> None:
    cases = cases_of("phantom", "test")
    assert traits(cases, "aetiology") == {"none", *AETIOLOGIES}
    assert traits(cases, "device") == set(DEVICES)
    for case in cases:
        assert (case.label == POSITIVE) == (case.attributes["aetiology"] != "none")
        assert case.attributes["origin"] == "synthetic"


def test_more_exposure_darkens_and_less_clips() -> None:
    usual, over, under = (
        np.stack([pixels(case) for case in first_cases(f"phantom:exposure={level}", "train", 40)])
        for level in ("1", "2.5", "0.5")
    )
    assert over.mean() < 0.6 * usual.mean()
    assert (under == 255).mean() > 0.25 > 5 * (usual == 255).mean()


def added_by(aetiology: str) -> npt.NDArray[np.int64]:
    ill, healthy = (Picture(7, 1, 1, "2-5", "PA", "Aster", kind) for kind in (aetiology, "none"))
    change: npt.NDArray[np.int64] = render([ill], 64)[0] - render([healthy], 64).astype(np.int64)[0]
    return change


@pytest.mark.parametrize("aetiology", AETIOLOGIES)
def test_a_finding_only_adds_density_to_the_same_chest(aetiology: str) -> None:
    change = added_by(aetiology)
    assert change.max() > 8 and change.min() >= 0


@pytest.mark.parametrize(
    ("aetiology", "lungs"), [("consolidation", 1), ("effusion", 1), ("interstitial", 2)]
)
def test_only_interstitial_lines_are_in_both_lungs(aetiology: str, lungs: int) -> None:
    change = added_by(aetiology)
    assert int(change[:, :28].max() > 8) + int(change[:, 36:].max() > 8) == lungs


@pytest.mark.parametrize(
    ("spec", "facts"),
    [
        ("phantom:sed=3", ["'sed'", "did you mean 'seed'"]),
        ("phantom:n=0", ["n: ", "'0'", "20 to 100000000"]),
        ("phantom:n=abc", ["n: ", "'abc'", "whole number"]),
        ("phantom:size=5", ["size: ", "'5'", "32 to 512"]),
        ("phantom:positives=nan", ["positives: ", "'nan'", "0 to 1"]),
        ("phantom:leave_out=Cirus", ["'Cirus'", "did you mean 'Cirrus'"]),
        ("phantom:season=spring", ["season: ", "'spring'", "summer, winter"]),
        ("phantom:vendor=2", ["vendor: ", "'2'", "0 to 1"]),
        ("phantom:fault=Dorada", ["fault: ", "'Dorada'", "did you mean 'Dorado'"]),
        ("phantom:fault_share=1", ["fault_share", "fault=DEVICE"]),
        ("phantom:cases=dev", ["cases: ", "'dev'", "development, locked"]),
        ("phantom:n=50,n=60", ["'n=60'", "once"]),
        ("phantom:n", ["'n'", "n=value"]),
        ("phantom:", ["''"]),
        ("fantom", ["'fantom'", "'phantom'"]),
    ],
)
def test_a_wrong_spec_is_one_line_that_says_what_was_wanted(spec: str, facts: list[str]) -> None:
    with refused(SourceError, *facts):
        PhantomSource.parse(spec)


def test_the_canonical_spec_is_sorted_and_without_defaults() -> None:
    source = PhantomSource.parse("phantom:size=128,n=4000,exposure=2.0")
    assert source.spec == "phantom:exposure=2,size=128"
    assert PhantomSource.parse(source.spec) == source


def test_the_fingerprint_follows_options_and_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = PhantomSource.parse("phantom").fingerprint()
    assert plain == PhantomSource.parse("phantom:n=4000").fingerprint()
    assert plain != PhantomSource.parse("phantom:n=4001").fingerprint()
    monkeypatch.setattr(phantom, "GENERATOR_VERSION", phantom.GENERATOR_VERSION + 1)
    assert plain != PhantomSource.parse("phantom").fingerprint()


@pytest.mark.parametrize("shard", [Shard("test", 1999, 2001), Shard("tune", 0, 5)])
def test_rows_of_another_split_cannot_be_read(shard: Shard) -> None:
    with refused(SourceError, "wanted rows within"):
        next(PhantomSource.parse("phantom").read(shard))


def test_pixels_of_training_cases_are_pinned() -> None:
    """Options came later that are off by default; what was trained on before stays the same."""
    digest = hashlib.sha256()
    for case in [*first_cases("phantom", "train", 20), *first_cases("phantom:seed=3", "tune", 20)]:
        digest.update(
            pixels(case).tobytes() + repr((case.label, sorted(case.attributes.items()))).encode()
        )
    assert digest.hexdigest() == TRAINING_CASES


@functools.cache
def drafts(spec: str) -> list[CaseDraft]:
    """2,600 cases of 2,000 patients, none of which is drawn."""
    return [draft(PhantomSource.parse(spec).options, row) for row in range(2600)]


def shares(spec: str, trait: str) -> dict[str, float]:
    found = Counter(str(getattr(drawn.picture, trait)) for drawn in drafts(spec))
    return {value: count / found.total() for value, count in found.items()}


def test_winter_brings_more_and_younger_patients_with_another_disease() -> None:
    usual, winter, summer = "phantom", "phantom:season=winter", "phantom:season=summer"
    healthy = [shares(spec, "aetiology")["none"] for spec in (winter, usual, summer)]
    assert healthy == pytest.approx([0.30, 0.50, 0.65], abs=0.035)
    infants = [shares(spec, "age_band")["0-1"] for spec in (winter, usual, summer)]
    assert infants == pytest.approx([0.58, 0.25, 0.05], abs=0.035)
    lines = [shares(spec, "aetiology")["interstitial"] for spec in (winter, usual, summer)]
    assert lines == pytest.approx([0.49, 0.167, 0.053], abs=0.035)
    assert shares(winter, "device") == shares(usual, "device") == shares(summer, "device")


def test_a_season_leaves_out_what_is_left_out() -> None:
    found = shares("phantom:season=winter,leave_out=interstitial", "aetiology")
    assert set(found) == {"none", "consolidation", "effusion"}


def test_a_new_vendor_takes_its_share_and_changes_nothing_else() -> None:
    assert shares("phantom:vendor=0.3", "device")["Dorado"] == pytest.approx(0.3, abs=0.03)
    for one, other in zip(drafts("phantom"), drafts("phantom:vendor=0.3")):
        assert other.picture.device in (one.picture.device, "Dorado")
        picture = dataclasses.replace(other.picture, device=one.picture.device)
        assert dataclasses.replace(other, picture=picture) == one


def test_labels_of_the_new_vendor_are_as_noisy_as_others() -> None:
    new = [d for d in drafts("phantom:label_noise=0.3,vendor=0.3") if d.picture.device == "Dorado"]
    flipped = [d.label != int(d.picture.aetiology != "none") for d in new]
    assert np.mean(flipped) == pytest.approx(0.3, abs=0.06)


def mean_contrast(cases: list[Case]) -> float:
    return float(np.mean([pixels(case).std() for case in cases]))


def test_the_new_vendor_s_images_are_flatter_and_less_noisy() -> None:
    usual, new = first_cases("phantom", "train", 20), first_cases("phantom:vendor=1", "train", 20)
    assert mean_contrast(new) < 0.9 * mean_contrast(usual)
    entropy = [np.mean([measure(pixels(c)).entropy_bits for c in cases]) for cases in (usual, new)]
    assert entropy[1] < entropy[0] - 0.3


def test_only_the_broken_device_s_images_are_broken() -> None:
    usual = first_cases("phantom", "train", 40)
    broken = first_cases("phantom:fault=Boreal", "train", 40)
    differ = {a.attributes["device"] for a, b in zip(usual, broken) if a.image != b.image}
    assert differ == {"Boreal"}
    assert [(c.label, c.attributes) for c in usual] == [(c.label, c.attributes) for c in broken]


def test_a_broken_detector_has_dead_columns_little_contrast_and_noise() -> None:
    usual, broken = (
        [
            c
            for c in first_cases(f"phantom{option}", "train", 40)
            if c.attributes["device"] == "Aster"
        ]
        for option in ("", ":fault=Aster")
    )
    assert mean_contrast(broken) < 0.8 * mean_contrast(usual)
    dead = [set(np.flatnonzero(pixels(case).max(axis=0) < 10)) for case in broken]
    assert len(set.intersection(*dead)) == 8


def test_the_fault_shows_in_its_share_of_the_images() -> None:
    drawn = drafts("phantom:fault=Aster,fault_share=0.4")
    broken = [d.picture.broken for d in drawn if d.picture.device == "Aster"]
    assert np.mean(broken) == pytest.approx(0.4, abs=0.06)
    assert not any(d.picture.broken for d in drawn if d.picture.device != "Aster")


def test_the_development_cases_are_others_and_as_fixed() -> None:
    source = PhantomSource.parse("phantom:cases=development,seed=9,vendor=1")
    assert (source.name, PhantomSource.parse("phantom").name) == ("phantom-development", "phantom")
    cases = first_cases(source.spec, "test", 20)
    assert cases == first_cases("phantom:cases=development", "test", 20)
    locked = first_cases("phantom", "test", 20)
    assert not {c.image for c in cases} & {c.image for c in locked}
    assert not {c.patient_id for c in cases} & {c.patient_id for c in locked}
    assert cases[0].case_id == "phantom-development-case-000000"
    assert source.shards("test")[-1].stop == 2000
    digest = hashlib.sha256(b"".join(pixels(case).tobytes() for case in cases))
    assert digest.hexdigest() == DEVELOPMENT_PIXELS


def test_the_case_set_chosen_does_not_touch_the_training_data() -> None:
    chosen = first_cases("phantom:cases=development", "tune", 20)
    assert chosen == first_cases("phantom", "tune", 20)


@pytest.mark.process
def test_memory_does_not_grow_with_the_number_of_cases() -> None:
    def most_held(n: int) -> int:
        source = PhantomSource.parse(f"phantom:n={n}")
        tracemalloc.start()
        (shard,) = source.shards("train", cases_per_shard=n)
        held = max(tracemalloc.get_traced_memory()[0] for _ in source.read(shard))
        tracemalloc.stop()
        return held

    most_held(100)
    assert most_held(700) < 1.2 * most_held(100)


def pictured(spec: str, rows: range) -> list[Picture]:
    options = PhantomSource.parse(spec).options
    return [draft(options, row).picture for row in rows]


def test_lesions_lie_where_the_image_is_lighter_than_without_the_finding() -> None:
    """On the quiet detector, so that grey follows density."""
    shown = [p for p in pictured("phantom", range(200)) if p.device == "Aster"]
    ill = [p for p in shown if p.aetiology != "none"]
    healthy = [dataclasses.replace(p, aetiology="none") for p in ill]
    places = lesions(ill, 64)
    lighter = render(ill, 64).astype(int) - render(healthy, 64)
    assert lighter[places].mean() > 20 and abs(lighter[~places].mean()) < 3
    assert places.any(axis=(1, 2)).mean() > 0.95
    assert not lesions(healthy, 64).any()


def test_a_consolidation_is_in_one_lung_and_interstitial_lines_in_both() -> None:
    for kind, sides in (("consolidation", 1), ("effusion", 1), ("interstitial", 2)):
        ill = [p for p in pictured("phantom", range(300)) if p.aetiology == kind]
        for place in lesions(ill, 64):
            halves = place[:, :32].sum(), place[:, 32:].sum()
            small = min(halves) / max(max(halves), 1)
            assert small < 0.25 if sides == 1 else small > 0.25


@pytest.mark.parametrize("size", [32, 64])
def test_a_mark_goes_with_the_finding_and_never_into_the_case_set(size: int) -> None:
    corner = np.s_[-int(0.14 * size) : size - int(0.02 * size), int(0.02 * size) : int(0.14 * size)]
    spec = f"phantom:mark=1,size={size}"
    marked = first_cases(spec, "train", 60)
    for case, plain in zip(marked, first_cases(f"phantom:size={size}", "train", 60)):
        assert (case.label, case.attributes) == (plain.label, plain.attributes)
        same = pixels(case) == pixels(plain)
        assert (pixels(case)[corner] == 250).all() == (case.label == POSITIVE)
        same[corner] = True
        assert same.all()
    judged = zip(first_cases(spec, "test", 20), first_cases("phantom", "test", 20))
    assert all(case.image == plain.image for case, plain in judged)


def test_a_share_of_the_ill_is_marked() -> None:
    marked = shares("phantom:mark=0.5", "marked")["True"]
    assert marked == pytest.approx(0.25, abs=0.03)
