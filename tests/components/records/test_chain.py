from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from components.records.chain import FIRST_PREVIOUS, Head, read_head
from components.records.errors import IntegrityError
from components.records.ledger.ledger import Ledger
from tests.components.planting import sha
from tests.components.records.ledger.making import add
from tests.refusing import refused


def test_a_head_reads_back(tmp_path: Path) -> None:
    head = Head(7, sha("entry"))
    (tmp_path / "ledger.head").write_bytes(head.to_bytes())
    assert read_head(tmp_path / "ledger.head") == head


def test_no_head_is_that_of_an_empty_ledger(tmp_path: Path) -> None:
    assert read_head(tmp_path / "ledger.head") == Head(0, FIRST_PREVIOUS)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"7", b'{"seq":7}', b'{"seq":7,"entry_sha256":"a"}', b"\xff"]
)
def test_anything_else_than_a_head_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ledger.head").write_bytes(content)
    with refused(IntegrityError, tmp_path / "ledger.head"):
        read_head(tmp_path / "ledger.head")


def test_a_head_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.head").mkdir()
    with refused(IntegrityError, tmp_path / "ledger.head", "Is a directory"):
        read_head(tmp_path / "ledger.head")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Five entries."""
    made = Ledger(tmp_path / "ledger.jsonl")
    for number in range(5):
        add(made, run_id=f"run-{number}")
    return made


def rewrite(ledger: Ledger, number: int, **changed: str) -> str:
    """Changes keys of an entry, and says with which hash the entry was stated before."""
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    document = orjson.loads(lines[number - 1])
    stated = document["entry_sha256"]
    document |= changed
    lines[number - 1] = orjson.dumps(document, option=orjson.OPT_SORT_KEYS) + b"\n"
    ledger.path.write_bytes(b"".join(lines))
    return str(stated)


def test_both_hashes_of_an_edited_entry_are_named_by_twelve_digits(ledger: Ledger) -> None:
    stated = rewrite(ledger, 3, by="somebody else")
    rest = orjson.loads(ledger.path.read_bytes().splitlines()[2])
    rest.pop("entry_sha256")
    got = sha256(orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)).hexdigest()
    with refused(IntegrityError, f"{ledger.path}:3", f" {got[:12]}...", f" {stated[:12]}..."):
        ledger.entries()


def test_an_entry_that_follows_another_is_named_with_both_hashes(ledger: Ledger) -> None:
    entries = ledger.entries()
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    other = Ledger(ledger.path.with_name("other.jsonl"))
    add(other, run_id="another")
    ledger.path.write_bytes(other.path.read_bytes() + b"".join(lines[1:]))
    follows, before = entries[0].entry_sha256, other.entries()[0].entry_sha256
    with refused(IntegrityError, f"{ledger.path}:2", f" {follows[:12]}...", f" {before[:12]}..."):
        ledger.entries()


def test_a_head_two_entries_behind_is_refused_at_the_first_that_it_does_not_know(
    ledger: Ledger,
) -> None:
    ledger.chain.head_path.write_bytes(Head.of(ledger.entries()[:2]).to_bytes())
    with refused(IntegrityError, f"{ledger.path}:4", "entry 4 ", "2 entries only"):
        ledger.entries()


def test_a_head_one_entry_behind_is_mended_before_the_next_is_added(ledger: Ledger) -> None:
    last = Head.of(ledger.entries())
    ledger.chain.head_path.write_bytes(Head.of(ledger.entries()[:4]).to_bytes())
    assert ledger.chain.end() == last == read_head(ledger.chain.head_path)


def test_entries_that_come_while_one_reads_are_read_too(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, writer = ledger.chain._bytes, Ledger(ledger.path)
    waiting = ["run-5", "run-6"]

    def read_late() -> bytes:
        while waiting:
            add(writer, run_id=waiting.pop(0))
        return read()

    monkeypatch.setattr(ledger.chain, "_bytes", read_late)
    assert [entry.body["run_id"] for entry in ledger.entries()][-2:] == ["run-5", "run-6"]


@pytest.mark.parametrize("torn", [b"", b"half a li"])
def test_the_end_of_a_file_without_a_line_is_that_of_an_empty_chain(
    tmp_path: Path, torn: bytes
) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    assert ledger.verify().torn == b""
    ledger.path.write_bytes(torn)
    assert ledger.chain.end() == Head(0, FIRST_PREVIOUS)
    assert [path.read_bytes() for path in tmp_path.glob("*.torn-*")] == ([torn] if torn else [])


def test_the_end_of_a_single_entry_and_what_is_torn_behind_it_are_told_apart(
    tmp_path: Path,
) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    entry = add(ledger)
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole + b"half")
    assert ledger.chain.end() == Head.of([entry])
    assert ledger.path.read_bytes() == whole
