import hashlib

import pytest

from components.records.merkle import inclusion_paths, leads_to_root, merkle_root

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


# The inclusion proofs of the same reference implementation: index and size, and the path.
PATHS = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_paths_agree_with_the_vectors_of_rfc_6962(index: int, size: int) -> None:
    assert inclusion_paths(RECORDS[:size], [index]) == [tuple(PATHS[index, size])]


@pytest.mark.parametrize("size", [*range(1, 20), 31, 32, 33, 64, 65])
def test_every_path_leads_to_the_root_from_its_own_place_alone(size: int) -> None:
    records = [b"record %d" % number for number in range(size)]
    root = merkle_root(records)
    for index, path in enumerate(inclusion_paths(iter(records), range(size))):
        fits = [
            place
            for place in range(-1, size + 1)
            if leads_to_root(records[index], place, path, root=root, count=size)
        ]
        assert fits == [index]


def test_a_path_to_another_record_leads_nowhere() -> None:
    records = [b"record %d" % number for number in range(11)]
    root = merkle_root(records)
    (path,) = inclusion_paths(records, [4])
    assert leads_to_root(b"record 4", 4, path, root=root, count=11)
    assert not leads_to_root(b"record 5", 4, path, root=root, count=11)
    assert not leads_to_root(b"record 4", 4, path[:-1], root=root, count=11)
    assert not leads_to_root(b"record 4", 4, (*path, path[-1]), root=root, count=11)
    assert not leads_to_root(b"record 4", 4, path[::-1], root=root, count=11)
    assert not leads_to_root(b"record 4", 4, (*path[:-1], "zz"), root=root, count=11)


def test_an_inner_node_does_not_pass_for_a_record() -> None:
    records = [b"a", b"b", b"c", b"d"]
    leaves = [hashlib.sha256(b"\0" + record).digest() for record in records]
    (path,) = inclusion_paths(records, [0])
    node = leaves[0] + leaves[1]
    assert not leads_to_root(node, 0, path[1:], root=merkle_root(records), count=2)


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_path_from_outside_the_list(index: int) -> None:
    with pytest.raises(IndexError, match="wanted them below 3"):
        inclusion_paths([b"a", b"b", b"c"], [index])
