"""A picture that stands out is named, and none of the others."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from components.cases.images import DecodedImage, Samples, decode, measure
from components.cases.odd import LOOK, find_oddities, find_turned, look_at
from components.cases.sources import open_source
from tests.components.cases.habits import radiograph
from tests.components.cases.making import read_cases


def found(
    folder: Path, pictures: Sequence[Samples], *, orientations: dict[int, int] | None = None
) -> dict[str, list[str]]:
    """What is odd, with the places of the pictures; in two files."""
    looks = []
    for place, samples in enumerate(pictures):
        orientation = (orientations or {}).get(place, 1)
        looks.append(look_at(DecodedImage(samples, orientation, True), measure(samples)))
    shards = [folder / "a.npy", folder / "b.npy"]
    for shard, part in zip(shards, (looks[:5], looks[5:])):
        np.save(shard, np.array(part, LOOK))
    ids = [str(place) for place in range(len(pictures))]
    odd = find_oddities(shards, ids) + find_turned(shards, ids)
    return {one.what: list(one.case_ids) for one in odd}


def radiographs(number: int, shape: tuple[int, int] = (48, 48)) -> list[Samples]:
    return [radiograph(seed, shape) for seed in range(number)]


def test_pictures_of_a_kind_are_not_odd(tmp_path: Path) -> None:
    assert found(tmp_path, radiographs(12)) == {}


@pytest.mark.parametrize("number", [8, 12, 60])
@pytest.mark.parametrize(
    "spoil, word",
    [
        (lambda grey: 255 - grey, "inverted"),
        (lambda grey: np.rot90(grey).copy(), "turned"),
        (lambda grey: np.rot90(grey, -1).copy(), "turned"),
        (lambda grey: np.full_like(grey, 90), "blank"),
        (lambda grey: grey // 8, "5 of 8 bits"),
        (lambda grey: grey.astype(np.uint16) * 16, "12 of 16 bits"),
    ],
)
def test_one_odd_picture_among_others_is_named(
    tmp_path: Path, spoil: Callable[[Samples], Samples], word: str, number: int
) -> None:
    pictures = radiographs(number)
    pictures[6] = spoil(pictures[6])
    ((what, places),) = found(tmp_path, pictures).items()
    assert word in what and places == ["6"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda grey: grey[:, ::-1].copy(),
        lambda grey: grey.astype(np.uint16) * 257,
        lambda grey: np.dstack([grey, grey, grey // 2]),
        lambda grey: (grey * 0.6).astype(np.uint8),
        lambda grey: grey[4:-6, 3:].copy(),
        lambda grey: grey.repeat(3, axis=0).repeat(3, axis=1),
    ],
)
def test_mirrored_deeper_coloured_darker_cropped_or_larger_is_not_odd(
    tmp_path: Path, spoil: Callable[[Samples], Samples]
) -> None:
    pictures = radiographs(12)
    pictures[6] = spoil(pictures[6])
    assert found(tmp_path, pictures) == {}


def test_a_size_that_all_others_have_turned_is_odd(tmp_path: Path) -> None:
    noise = [
        np.random.default_rng(seed).integers(0, 256, (30, 40)).astype(np.uint8)
        for seed in range(30)
    ]
    assert found(tmp_path, noise) == {}
    noise[4] = noise[4].T.copy()
    ((what, places),) = found(tmp_path, noise).items()
    assert "turned" in what and places == ["4"]


def test_of_few_or_of_unlike_pictures_nothing_is_said(tmp_path: Path) -> None:
    few = radiographs(7)
    few[6] = 255 - few[6]
    assert found(tmp_path, few) == {}
    draw = np.random.default_rng(0)
    unlike = [draw.integers(0, 256, (48, 48)).astype(np.uint8) for _ in range(40)]
    assert found(tmp_path, unlike) == {}


def test_of_no_picture_nothing_is_said(tmp_path: Path) -> None:
    assert found(tmp_path, []) == {}


def test_all_that_are_dark_are_named_as_one_finding(tmp_path: Path) -> None:
    dark = [grey.astype(np.uint16) * 16 for grey in radiographs(10)]
    ((what, places),) = found(tmp_path, dark).items()
    assert "12 of 16" in what and len(places) == 10


def test_pictures_turned_by_their_exif_data_are_named(tmp_path: Path) -> None:
    odd = found(tmp_path, radiographs(10), orientations={3: 6, 8: 2})
    assert list(odd.values()) == [["3", "8"]]


@pytest.mark.parametrize("spec", ["phantom:n=300", "phantom:n=300,season=winter"])
def test_phantoms_are_not_odd_and_inverted_ones_are(tmp_path: Path, spec: str) -> None:
    pictures = [decode(case.image) for case in read_cases(open_source(spec), "train")]
    assert found(tmp_path, pictures) == {}
    pictures[7] = 255 - pictures[7]
    ((what, places),) = found(tmp_path, pictures).items()
    assert "inverted" in what and places == ["7"]


def test_real_radiographs_are_not_odd_and_inverted_or_turned_ones_are(
    tmp_path: Path, real_data: Path | None
) -> None:
    if real_data is None:
        pytest.skip("the real radiographs are not beside this checkout")
    with np.load(real_data / "pneumoniamnist.npz") as kept:
        pictures = list(kept["test_images"])
    assert found(tmp_path, pictures) == {}
    pictures[50], pictures[60] = 255 - pictures[50], np.rot90(pictures[60]).copy()
    odd = found(tmp_path, pictures)
    assert {word: places for what, places in odd.items() for word in what.split()[-1:]} == {
        "inverted": ["50"],
        "turned": ["60"],
    }
