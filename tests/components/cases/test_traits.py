"""The perceptual hash against what is done to a picture, and the traits of how it was made."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.cases.images import Samples, decode, encode_png, grey_samples
from components.cases.sources import open_source
from components.cases.traits import LEAST_SIDE, perceptual_hash, traits_of
from components.records.case import Case


def textured(seed: int, side: int = 128) -> Samples:
    """A picture of broad shapes, as of nobody's chest."""
    coarse = np.random.default_rng(seed).integers(0, 256, (24, 24)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def distance(one: str, other: str) -> int:
    """Frequencies whose signs differ."""
    return (int(one[:64], 16) ^ int(other[:64], 16)).bit_count()


def resized(samples: Samples, side: int) -> Samples:
    return np.asarray(Image.fromarray(samples).resize((side, side), Image.Resampling.LANCZOS))


@pytest.mark.parametrize("side", [96, 200, 300])
def test_a_resized_picture_differs_in_few_bits(side: int) -> None:
    samples = textured(1)
    assert distance(perceptual_hash(samples), perceptual_hash(resized(samples, side))) <= 10


def test_other_pictures_differ_in_many_bits() -> None:
    hashes = [perceptual_hash(textured(seed)) for seed in range(8)]
    assert min(distance(a, b) for a in hashes for b in hashes if a != b) > 60


def test_the_same_picture_in_twelve_bits_of_sixteen_differs_in_few() -> None:
    samples = textured(2)
    detector = samples.astype(np.uint16) * 16
    assert distance(perceptual_hash(samples), perceptual_hash(detector)) <= 4


def test_colour_is_hashed_by_its_grey_values() -> None:
    samples = textured(3)
    tinted = np.stack([samples, samples, samples // 2 + 60], axis=-1)
    grey = perceptual_hash(grey_samples(tinted))
    assert perceptual_hash(tinted) == grey != ""


@pytest.mark.parametrize(
    "samples",
    [
        textured(4, LEAST_SIDE - 1),
        np.full((128, 128), 7, np.uint8),
        np.zeros((128, 128), np.uint16),
    ],
    ids=["small", "empty", "black"],
)
def test_what_is_small_or_empty_has_no_hash(samples: Samples) -> None:
    assert perceptual_hash(samples) == ""


def test_an_inverted_picture_turns_the_sign_of_the_frame() -> None:
    samples = np.full((64, 64), 200, np.uint8)
    samples[:4] = samples[-4:] = samples[:, :4] = samples[:, -4:] = 10
    assert traits_of(samples).frame == pytest.approx(-190 / 255)
    assert traits_of(255 - samples).frame == pytest.approx(190 / 255)


def test_a_mark_is_seen_in_its_corner() -> None:
    samples = np.zeros((80, 160), np.uint8)
    samples[:10, -20:] = 255
    traits = traits_of(samples)
    corners = (traits.top_left, traits.top_right, traits.bottom_left, traits.bottom_right)
    assert corners == (0, 1, 0, 0)
    assert traits.aspect == 2


@pytest.mark.parametrize(
    ("samples", "bits", "colour"),
    [
        (np.full((16, 16), 4095, np.uint16), 12, 0),
        (np.full((16, 16), 255, np.uint8), 8, 0),
        (np.full((16, 16, 3), (255, 255, 0), np.uint8), 8, 1),
        (np.zeros((3, 3), np.uint8), 0, 0),
    ],
)
def test_bits_and_colour_are_those_of_the_samples(samples: Samples, bits: int, colour: int) -> None:
    traits = traits_of(samples)
    assert (traits.bits, traits.colour) == (bits, colour)


def test_synthetic_radiographs_are_told_apart() -> None:
    source = open_source("phantom")
    (shard, *_) = source.shards("test", cases_per_shard=40)
    cases = [case for case in source.read(shard) if isinstance(case, Case)]
    hashes = [(case.patient_id, perceptual_hash(decode(case.image))) for case in cases]
    assert min(distance(a, b) for p, a in hashes for q, b in hashes if p != q) > 40


def test_a_real_radiograph_is_found_again_after_an_export(real_data: Path | None) -> None:
    folder = real_data / "chest_xray_224" / "test" / "NORMAL" if real_data else None
    if folder is None or not folder.is_dir():
        samples = textured(5, 224)
    else:
        with Image.open(sorted(folder.iterdir())[0]) as opened:
            samples = np.asarray(opened.convert("L"))
    again = encode_png(resized(samples, 180))
    assert distance(perceptual_hash(samples), perceptual_hash(decode(again))) <= 10
