import hashlib

import pytest

from components.baselines.merkle import merkle_root

# The test vectors of Certificate Transparency's reference implementation of RFC 6962.
RECORDS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


@pytest.mark.parametrize("count", ROOTS)
def test_agrees_with_the_vectors_of_rfc_6962(count: int) -> None:
    assert merkle_root(RECORDS[:count]) == ROOTS[count]


def test_order_matters() -> None:
    assert merkle_root([b"a", b"b"]) != merkle_root([b"b", b"a"])


def test_agrees_with_the_recursive_definition_at_every_size() -> None:
    def by_definition(records: list[bytes]) -> bytes:
        if len(records) == 1:
            return hashlib.sha256(b"\0" + records[0]).digest()
        half = 1 << (len(records) - 1).bit_length() - 1
        left, right = by_definition(records[:half]), by_definition(records[half:])
        return hashlib.sha256(b"\1" + left + right).digest()

    records = [f"record {i}".encode() for i in range(70)]
    for size in range(1, len(records) + 1):
        assert merkle_root(iter(records[:size])) == by_definition(records[:size]).hex()
