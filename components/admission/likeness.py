"""Pairs of pictures that are nearly the same, among a million, by their perceptual hashes.

The first half of a hash is the signs of 16 x 16 frequencies, the second half which of 16 x 16 spots
are brighter than those above them. Pairs are found by the first and confirmed by the second.

Two hashes of one picture differ in few bits. Bits are therefore drawn at random, many times: each
time the hashes that agree in all drawn bits stand together once sorted, and only they are compared.
A pair that differs in a share p of its bits meets in one table with (1 - p) ** 22, so in one of
TABLES almost surely where p is small; unlike pictures hardly ever meet. Where many do, because
all are much alike, each is compared with a few of them, others in every table.

A negative turns every sign, a mirrored picture those of
the odd columns. Two of the drawn bits, one of each kind of column, say which way round the others
are read, so that a picture meets its mirrored and its negative in the same tables.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LIMIT = 44  # frequencies of 256 whose signs differ; measured in docs/near-duplicates.md
EDGES = 22  # spots of 256 that are not brighter or darker alike
SIDE = 16
BITS = SIDE * SIDE
TABLES = 200
DRAWN = 20  # bits of a table, beside the two that say which way round
NEIGHBOURS = 32  # that one hash is compared with in a table, where more agree
MEETING = 2  # pairs of a table for each hash, after which it is left
MOST_PAIRS = 50_000  # after which the search ends: so many are no accident
AT_ONCE = 1 << 18  # pairs compared at a time
WAYS = ("as it is", "mirrored", "mirrored and inverted", "inverted")

Words = NDArray[
    np.uint64
]  # shape (n, 4): bits of the even columns in the first two, of odd in the others
Places = NDArray[np.int64]


class NearPair(NamedTuple):
    """Places of two hashes, the second the larger.

    Attributes:
      distance: bits that differ, of 256, once the second is turned as `way` says.
      way: one of WAYS.
    """

    first: int
    second: int
    distance: int
    way: str


def near_pairs(hashes: NDArray[np.uint8], *, limit: int = LIMIT) -> list[NearPair]:
    """Pairs that differ in at most `limit` frequencies and EDGES spots; of equal frequencies, each
    with the first alone.

    Args:
      hashes: shape (n, 64), the bytes of `components.cases.traits.perceptual_hash`.

    Returns:
      In order, no pair twice. A pair near the limit may be missing: see docs/near-duplicates.md.
      Of more than MOST_PAIRS those that were found first.
    """
    signs, spots = np.split(hashes, 2, axis=1)
    words, first, group = np.unique(_words(signs), axis=0, return_index=True, return_inverse=True)
    group = group.reshape(-1)  # NumPy 2.0 alone gives it another shape
    edges = Edges.of(spots)
    equal = _equal(first[group])
    found = equal[:, edges.alike(*equal[[0, 1, 3]])]
    bits = _bits(words)
    random, ties = np.random.default_rng(20), np.random.default_rng(21)
    for _ in range(TABLES if len(words) > 1 else 0):
        if found.shape[1] > MOST_PAIRS:
            break
        news = [found]
        for left, right in _meeting(_keys(bits, random), ties):
            distance, way = _compare(words[left], words[right])
            near = distance <= limit
            pair = np.sort(np.stack([first[left[near]], first[right[near]]]), axis=0)
            met = np.concatenate([pair, [distance[near], way[near]]])
            news.append(met[:, edges.alike(*met[[0, 1, 3]])])
        found = np.unique(np.concatenate(news, axis=1), axis=1)
    return [
        NearPair(one, other, distance, WAYS[way]) for one, other, distance, way in found.T.tolist()
    ]


class Edges(NamedTuple):
    """Which spots are bright, shape (n, 4), as they are and mirrored."""

    plain: Words
    mirrored: Words

    @classmethod
    def of(cls, spots: NDArray[np.uint8]) -> "Edges":
        bits = np.unpackbits(spots, axis=1).reshape(-1, SIDE, SIDE)
        turned = np.packbits(bits[:, :, ::-1].reshape(-1, BITS), axis=1)
        return cls(*(np.ascontiguousarray(each).view(np.uint64) for each in (spots, turned)))

    def alike(self, first: Places, second: Places, way: Places) -> NDArray[np.bool_]:
        """Whether at most EDGES spots differ, once the second is turned."""
        mirrored, negative = (
            np.array([word in name for name in WAYS])[way] for word in ("mirrored", "inverted")
        )
        one = self.plain[first]
        other = np.where(mirrored[:, None], self.mirrored[second], self.plain[second])
        # A negative has no bright spot where the picture has one; where neither has, both may be
        # even.
        bright_in_both = 2 * _count(one & other).sum(axis=1)
        differing = np.where(negative, bright_in_both, _count(one ^ other).sum(axis=1))
        return np.asarray(differing <= EDGES)


def _equal(first: Places) -> Places:
    """Each place whose hash stood before, with the first place that has it."""
    places = np.flatnonzero(first != np.arange(len(first)))
    nothing = np.zeros_like(places)
    return np.stack([first[places], places, nothing, nothing])


def _words(hashes: NDArray[np.uint8]) -> Words:
    bits = np.unpackbits(hashes, axis=1).reshape(-1, SIDE, SIDE)
    sorted_bits = np.concatenate([bits[:, :, 0::2], bits[:, :, 1::2]], axis=1)
    return np.packbits(sorted_bits.reshape(-1, BITS), axis=1).view(np.uint64)


def _bits(words: Words) -> NDArray[np.uint8]:
    """Shape (256, n): a row for each bit, those of the even columns first."""
    return np.ascontiguousarray(np.unpackbits(words.view(np.uint8), axis=1).T)


def _keys(bits: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint32]:
    """What the hashes of one table are sorted by."""
    half = BITS // 2
    keys = np.zeros(bits.shape[1], np.uint32)
    # The first bit of the even columns is the mean of the picture: always set.
    for start, stop in ((1, half), (half, BITS)):
        way, *drawn = random.choice(np.arange(start, stop), DRAWN // 2 + 1, replace=False)
        for bit in drawn:
            keys = (keys << np.uint32(1)) | (bits[bit] ^ bits[way])
    return keys


def _meeting(
    keys: NDArray[np.uint32], ties: np.random.Generator
) -> Iterator[tuple[Places, Places]]:
    """Pairs of places with one key, in portions of at most AT_ONCE."""
    order = np.argsort(
        keys.astype(np.uint64) << np.uint64(32)
        | ties.integers(2**32, size=keys.size, dtype=np.uint64)
    )
    ordered = keys[order]
    compared = 0
    for step in range(1, min(NEIGHBOURS, len(keys) - 1) + 1):
        same = np.flatnonzero(ordered[:-step] == ordered[step:])
        for start in range(0, same.size, AT_ONCE):
            left = same[start : start + AT_ONCE]
            yield order[left], order[left + step]
        compared += same.size
        if not same.size or compared >= MEETING * keys.size:
            return


def _compare(one: Words, other: Words) -> tuple[Places, Places]:
    """Bits that differ in the best of WAYS, and which that is."""
    even, odd = _count(one ^ other).T
    half = BITS // 2
    ways = np.stack([even + odd, even + half - odd, half - even + odd, BITS - even - odd])
    best = ways.argmin(axis=0)
    return np.take_along_axis(ways, best[None], axis=0)[0], best


# Bits that are set in each number of 16 bits.
_SET = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)


def _count(words: Words) -> NDArray[np.int16]:
    """Bits that are set in each half of a hash, shape (n, 2); NumPy before 2.0 has no function."""
    eight = _SET[words.view(np.uint16)].view(np.uint64)  # counts of at most 16, a byte each
    return ((eight * np.uint64(0x0101010101010101)) >> np.uint64(56)).astype(np.int16)
