"""Near pairs among hashes: planted at every distance and every way round, and none of others."""

import numpy as np
import pytest
from numpy.typing import NDArray

from components.admission import likeness
from components.admission.likeness import EDGES, SIDE, WAYS, near_pairs

Bits = NDArray[np.uint8]


def drawn(count: int, seed: int = 1) -> Bits:
    """Hashes of unlike pictures, shape (count, 2, 16, 16); the first bit is always set."""
    bits = np.random.default_rng(seed).integers(0, 2, (count, 2, SIDE, SIDE)).astype(np.uint8)
    bits[:, 0, 0, 0] = 1
    return bits


def changed(bits: Bits, way: str, flips: int, seed: int) -> Bits:
    turned = bits.copy()
    if "mirrored" in way:
        turned[0, :, 1::2] ^= 1
        turned[1] = turned[1, :, ::-1]
    if "inverted" in way:
        turned ^= 1
    places = np.random.default_rng(seed).choice(np.arange(1, SIDE * SIDE), flips, replace=False)
    turned.reshape(-1)[places] ^= 1
    return turned


def packed(*bits: Bits) -> Bits:
    whole = np.concatenate([one.reshape(-1, 2 * SIDE * SIDE) for one in bits])
    return np.packbits(whole, axis=1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("flips", [0, 8, 24])
def test_a_changed_copy_is_found_with_its_distance_and_way(way: str, flips: int) -> None:
    unlike = drawn(500)
    found = near_pairs(packed(unlike, changed(unlike[7], way, flips, 3)), limit=40)
    assert [(pair.first, pair.second, pair.way) for pair in found] == [(7, 500, way)]
    assert abs(found[0].distance - flips) <= 1  # the mean of the picture has no sign to turn


def test_nearly_all_at_the_limit_are_found() -> None:
    unlike = drawn(2000)
    copies = [changed(unlike[i], WAYS[i % 4], 39, i) for i in range(200)]
    found = near_pairs(packed(unlike, *copies), limit=40)
    assert len(found) >= 180 and all(pair.second == pair.first + 2000 for pair in found)


def test_what_is_above_the_limit_is_no_pair() -> None:
    unlike = drawn(500)
    copy = changed(unlike[7], WAYS[0], 24, 3)
    assert near_pairs(packed(unlike, copy), limit=23) == []
    assert len(near_pairs(packed(unlike, copy), limit=24)) == 1


@pytest.mark.parametrize(("spots", "found"), [(EDGES, 1), (EDGES + 1, 0)])
def test_what_is_brighter_elsewhere_is_no_pair(spots: int, found: int) -> None:
    unlike = drawn(50)
    other = unlike[7].copy()
    other[1].reshape(-1)[:spots] ^= 1
    assert len(near_pairs(packed(unlike, other))) == found


def test_unlike_hashes_are_no_pairs() -> None:
    assert near_pairs(packed(drawn(3000)), limit=40) == []


def test_equal_hashes_are_each_a_pair_with_the_first() -> None:
    unlike = drawn(5)
    found = near_pairs(packed(unlike, unlike[2], unlike[2]), limit=40)
    assert [pair[:3] for pair in found] == [(2, 5, 0), (2, 6, 0)]


def test_ten_thousand_copies_of_one_picture_end() -> None:
    unlike = drawn(5)
    many = np.repeat(unlike[2:3], 10_000, axis=0)
    assert len(near_pairs(packed(unlike, many), limit=40)) == 10_000


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_to_compare_are_no_pairs(count: int) -> None:
    assert near_pairs(packed(drawn(count)), limit=40) == []


def test_the_same_hashes_give_the_same_pairs() -> None:
    unlike = drawn(300)
    hashes = packed(unlike, *(changed(unlike[i], WAYS[0], 30, i) for i in range(100)))
    assert near_pairs(hashes, limit=40) == near_pairs(hashes, limit=40)


def test_a_copy_is_found_among_hundreds_that_are_much_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a table has more pairs than are compared, another table has the pair."""
    compared, compare = [], likeness._compare

    def counting(one: likeness.Words, other: likeness.Words) -> object:
        compared.append(len(one))
        return compare(one, other)

    monkeypatch.setattr(likeness, "_compare", counting)
    alike, random = drawn(600), np.random.default_rng(4)
    alike[:, 0] = alike[0, 0] ^ (random.random(alike[:, 0].shape) < 0.03)  # but for the spots
    copy = changed(alike[17], WAYS[0], 6, seed=5)
    assert (17, 600) in {pair[:2] for pair in near_pairs(packed(*alike, copy))}
    assert sum(compared) <= likeness.TABLES * 3 * 601


def test_pictures_that_are_all_alike_end_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "MOST_PAIRS", 1000)
    crowd, random = drawn(1)[0], np.random.default_rng(4)
    alike = [np.where(random.random(crowd.shape) < 0.02, ~crowd, crowd) for _ in range(400)]
    assert 1000 < len(near_pairs(packed(*alike))) < 10_000
