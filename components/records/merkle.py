"""One hash that stands for a whole list of records, in their order.

The construction is RFC 6962's Merkle tree hash: a leaf is SHA-256(0x00 || record), a node is
SHA-256(0x01 || left || right), so that no node can pass for a record; a tree of n leaves splits at
the largest power of two below n; the empty tree is SHA-256 of nothing. That a record is in the
list can be shown with some twenty hashes to somebody who has the root alone.
"""

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256

LEAF, NODE = b"\x00", b"\x01"
_is_hash = re.compile("[0-9a-f]{64}").fullmatch


def merkle_root(records: Iterable[bytes]) -> str:
    """The root (hex) over `records` in the given order, each read once and not kept.

    Source: RFC 6962, section 2.1.
    """
    # The roots of complete trees over the records so far, the largest first: one for each bit of
    # their count, which is RFC 6962's split.
    complete: list[bytes] = []
    for count, record in enumerate(records, 1):
        node = sha256(LEAF + record).digest()
        while count % 2 == 0:
            node = sha256(NODE + complete.pop() + node).digest()
            count >>= 1
        complete.append(node)
    if not complete:
        return sha256(b"").hexdigest()
    root = complete.pop()
    while complete:
        root = sha256(NODE + complete.pop() + root).digest()
    return root.hex()


def inclusion_paths(records: Iterable[bytes], indices: Sequence[int]) -> list[tuple[str, ...]]:
    """For each index, counted from 0, the hashes (hex) that lead from its record to the root.

    Reads each record once and keeps 32 bytes of it.

    Raises:
      IndexError: an index is not that of a record.

    Source: RFC 9162, section 2.1.3.1.
    """
    level = [sha256(LEAF + record).digest() for record in records]
    if any(not 0 <= index < len(level) for index in indices):
        raise IndexError(f"got indices {list(indices)}, wanted them below {len(level)}")
    paths: list[list[str]] = [[] for _ in indices]
    positions = list(indices)
    while len(level) > 1:
        for path, position in zip(paths, positions):
            if position ^ 1 < len(level):
                path.append(level[position ^ 1].hex())
        positions = [position // 2 for position in positions]
        pairs = zip(level[::2], level[1::2])
        # One without a partner moves up as it is: that is RFC 6962's split, seen from below.
        rest = level[-1:] if len(level) % 2 else []
        level = [sha256(NODE + left + right).digest() for left, right in pairs] + rest
    return [tuple(path) for path in paths]


def leads_to_root(record: bytes, index: int, path: Sequence[str], *, root: str, count: int) -> bool:
    """Whether `path` shows that the tree of `count` records with this root has `record` at `index`.

    Args:
      path: hashes in hex, from the record upwards, as `inclusion_paths` gives them.

    Source: RFC 9162, section 2.1.3.2, whose names `fn` and `sn` are.
    """
    if not 0 <= index < count:
        return False
    if not all(map(_is_hash, path)):
        return False
    fn, sn = index, count - 1
    node = sha256(LEAF + record).digest()
    for sibling in map(bytes.fromhex, path):
        if sn == 0:
            return False
        if fn % 2 or fn == sn:
            node = sha256(NODE + sibling + node).digest()
            while fn % 2 == 0 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = sha256(NODE + node + sibling).digest()
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and node.hex() == root
