import subprocess
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from components.lineage.proof import (
    Leaf,
    Proof,
    check_proof,
    load_proof,
    proof_document,
    prove,
    save_proof,
)
from components.lineage.training import TrainingData, write_manifest
from components.records.errors import IntegrityError
from tests.components.lineage.test_training import row, rows
from tests.foreign import needs
from tests.refusing import refused

FIRST, LAST = "0" * 64, "f" * 64
ABSENT = sha256(b"a picture that nobody trained on").hexdigest()


@pytest.fixture
def data(tmp_path: Path) -> TrainingData:
    return write_manifest(rows(13), tmp_path)


def holds(proof: Proof, data: TrainingData) -> bool:
    try:
        check_proof(proof, data.root, data.cases)
    except IntegrityError:
        return False
    return True


def in_order() -> list[str]:
    return sorted(r.pixels_sha256 for r in rows(13))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 13])
def test_every_case_is_proven_in(tmp_path: Path, count: int) -> None:
    data = write_manifest(rows(count), tmp_path)
    for number in range(count):
        proof = prove(data.path, row(number).pixels_sha256)
        check_proof(proof, data.root, data.cases)
        assert (proof.verdict, len(proof.leaves)) == ("in", 1)
        assert orjson.loads(proof.leaves[0].line)["case_id"] == f"case-{number}"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 13])
@pytest.mark.parametrize("pixels", [FIRST, ABSENT, LAST])
def test_what_is_not_in_is_proven_out(tmp_path: Path, count: int, pixels: str) -> None:
    data = write_manifest(rows(count), tmp_path)
    proof = prove(data.path, pixels)
    check_proof(proof, data.root, data.cases)
    assert proof.verdict == "out"
    if pixels == FIRST:
        assert [leaf.index for leaf in proof.leaves] == [0]
    if pixels == LAST:
        assert [leaf.index for leaf in proof.leaves] == [count - 1]


def test_neighbours_are_adjacent_and_on_both_sides(data: TrainingData) -> None:
    before, after = prove(data.path, ABSENT).leaves
    assert after.index == before.index + 1
    assert in_order()[before.index] < ABSENT < in_order()[after.index]


def test_nothing_is_in_an_empty_manifest(tmp_path: Path) -> None:
    data = write_manifest([], tmp_path)
    proof = prove(data.path, ABSENT)
    check_proof(proof, data.root, 0)
    assert (proof.verdict, proof.leaves) == ("out", ())


def test_a_picture_that_stands_twice_is_in(tmp_path: Path) -> None:
    twice = [*rows(5), row(9, pixels_sha256=row(2).pixels_sha256)]
    data = write_manifest(twice, tmp_path)
    proof = prove(data.path, row(2).pixels_sha256)
    assert (holds(proof, data), proof.verdict) == (True, "in")


def test_an_absent_picture_cannot_be_claimed_in(data: TrainingData) -> None:
    genuine = prove(data.path, row(2).pixels_sha256)
    assert not holds(replace(genuine, pixels_sha256=ABSENT), data)


def test_a_present_picture_cannot_be_claimed_out(data: TrainingData) -> None:
    """By its neighbours, by itself, by an end, or by nothing."""
    pictures = in_order()
    leaf = {pixels: prove(data.path, pixels).leaves[0] for pixels in pictures}
    for place, pixels in enumerate(pictures):
        around = [leaf[pictures[i]] for i in (place - 1, place + 1) if 0 <= i < 13]
        for leaves in ([leaf[pixels]], around, around[:1], around[1:], []):
            assert not holds(Proof(data.root, 13, pixels, "out", tuple(leaves)), data)


def test_a_wrong_neighbour_is_found(data: TrainingData) -> None:
    proof = prove(data.path, ABSENT)
    before, after = proof.leaves
    beyond = prove(data.path, in_order()[after.index + 1]).leaves[0]
    with refused(IntegrityError, "not neighbours"):
        check_proof(replace(proof, leaves=(before, beyond)), data.root, data.cases)
    renamed = replace(beyond, index=after.index)
    assert not holds(replace(proof, leaves=(before, renamed)), data)
    assert not holds(replace(proof, leaves=(after, before)), data)
    assert not holds(replace(proof, leaves=(before, before)), data)


def test_a_truncated_path_is_found(data: TrainingData) -> None:
    proof = prove(data.path, row(4).pixels_sha256)
    (leaf,) = proof.leaves
    for cut in range(len(leaf.path)):
        shorter = replace(leaf, path=leaf.path[:cut])
        assert not holds(replace(proof, leaves=(shorter,)), data)


@pytest.mark.parametrize("off", [-1, 1, 13])
def test_an_index_that_is_off_is_found(data: TrainingData, off: int) -> None:
    for pixels in in_order():
        proof = prove(data.path, pixels)
        (leaf,) = proof.leaves
        assert not holds(replace(proof, leaves=(replace(leaf, index=leaf.index + off),)), data)


def test_a_last_case_cannot_be_hidden_by_a_smaller_count(data: TrainingData) -> None:
    """The first neighbour taken for the last line: neither the true count nor a lie proves it."""
    proof = prove(data.path, ABSENT)
    before = proof.leaves[0]
    assert not holds(replace(proof, leaves=(before,)), data)
    lie = replace(proof, cases=before.index + 1, leaves=(before,))
    with refused(IntegrityError, f"{before.index + 1} cases", "wanted 13"):
        check_proof(lie, data.root, 13)
    last = before.index + 1
    with refused(IntegrityError, f"line {last} of {last}"):
        check_proof(lie, data.root, last)


def test_a_proof_of_another_root_is_refused(data: TrainingData, tmp_path: Path) -> None:
    other = write_manifest(rows(12), tmp_path)
    with refused(IntegrityError, data.root[:12]):
        check_proof(prove(data.path, ABSENT), other.root, 13)


def test_an_edited_line_is_found(data: TrainingData) -> None:
    proof = prove(data.path, row(3).pixels_sha256)
    (leaf,) = proof.leaves
    edited = replace(leaf, line=leaf.line.replace('"label":1', '"label":0'))
    assert edited != leaf
    assert not holds(replace(proof, leaves=(edited,)), data)


@pytest.mark.parametrize("line", ["", "[]", "\ud800", ' {"a":1}'])
def test_a_line_that_is_no_case_is_refused(data: TrainingData, line: str) -> None:
    proof = Proof(data.root, 13, ABSENT, "in", (Leaf(0, line, ()),))
    with refused(IntegrityError, "line 1 "):
        check_proof(proof, data.root, 13)


def test_the_empty_manifest_is_not_any_manifest(data: TrainingData) -> None:
    nothing = Proof(data.root, 13, ABSENT, "out", ())
    assert not holds(nothing, data)
    with refused(IntegrityError, "no neighbour"):
        check_proof(replace(nothing, cases=0), data.root, 0)


def test_no_proof_comes_from_an_altered_manifest(data: TrainingData) -> None:
    data.path.write_bytes(data.path.read_bytes().replace(b"case-4", b"case-x"))
    with refused(IntegrityError, data.path):
        prove(data.path, ABSENT)


def test_reads_back_what_it_wrote(data: TrainingData, tmp_path: Path) -> None:
    for pixels in (ABSENT, row(5).pixels_sha256):
        save_proof(prove(data.path, pixels), tmp_path / "proof.json")
        assert load_proof(tmp_path / "proof.json") == prove(data.path, pixels)


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "perhaps"},
        {"root": "ABC"},
        {"cases": -1},
        {"leaves": [{"index": 0, "line": "", "path": ["zz"]}]},
        {"schema_version": 2},
        {"more": 1},
    ],
)
def test_refuses_what_is_not_a_proof(
    data: TrainingData, tmp_path: Path, change: dict[str, object]
) -> None:
    document = {**proof_document(prove(data.path, ABSENT)), **change}
    (tmp_path / "proof.json").write_bytes(orjson.dumps(document))
    with refused(IntegrityError, "proof.json: "):
        load_proof(tmp_path / "proof.json")


@pytest.mark.parametrize("number", [0, 6, 12])
def test_openssl_walks_from_a_line_to_the_root(data: TrainingData, number: int) -> None:
    openssl = needs("openssl", "Debian's openssl")

    def digest(content: bytes) -> bytes:
        command = [openssl, "dgst", "-sha256", "-binary"]
        return subprocess.run(command, input=content, capture_output=True, check=True).stdout

    (leaf,) = prove(data.path, in_order()[number]).leaves
    found, at, last = digest(b"\0" + leaf.line.encode()), leaf.index, data.cases - 1
    for sibling in map(bytes.fromhex, leaf.path):  # RFC 9162, section 2.1.3.2
        left = at % 2 or at == last
        found = digest(b"\1" + (sibling + found if left else found + sibling))
        while left and not at % 2 and at:
            at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    assert found.hex() == data.root
