"""One hash that stands for a whole list of records, in their order.

The construction is RFC 6962's Merkle tree hash: a leaf is SHA-256(0x00 || record), a node is
SHA-256(0x01 || left || right), so that no node can pass for a record; a tree of n leaves splits at
the largest power of two below n; the empty tree is SHA-256 of nothing.
"""

import hashlib
from collections.abc import Iterable

LEAF, NODE = b"\x00", b"\x01"


def merkle_root(records: Iterable[bytes]) -> str:
    """The root (hex) over `records` in the given order.

    Source: RFC 6962, section 2.1.
    """
    level = [hashlib.sha256(LEAF + record).digest() for record in records]
    if not level:
        return hashlib.sha256(b"").hexdigest()
    while len(level) > 1:
        # Pairing neighbours and passing an odd last one upwards gives RFC 6962's split.
        pairs = zip(level[::2], level[1::2])
        last = level[-1:] if len(level) % 2 else []
        level = [hashlib.sha256(NODE + left + right).digest() for left, right in pairs] + last
    return level[0].hex()
