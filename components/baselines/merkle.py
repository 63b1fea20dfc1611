"""One hash that stands for a whole list of records, in their order.

The construction is RFC 6962's Merkle tree hash: a leaf is SHA-256(0x00 || record), a node is
SHA-256(0x01 || left || right), so that no node can pass for a record; a tree of n leaves splits at
the largest power of two below n; the empty tree is SHA-256 of nothing.
"""

from collections.abc import Iterable
from hashlib import sha256

LEAF, NODE = b"\x00", b"\x01"


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
            count //= 2
        complete.append(node)
    if not complete:
        return sha256(b"").hexdigest()
    root = complete.pop()
    while complete:
        root = sha256(NODE + complete.pop() + root).digest()
    return root.hex()
