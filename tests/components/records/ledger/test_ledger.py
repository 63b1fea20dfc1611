import hashlib
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from components.records.chain import FIRST_PREVIOUS
from components.records.errors import ConfigError, IntegrityError, WorkspaceBusy
from components.records.files import canonical_json, sha256_json
from components.records.ledger.ledger import Ledger
from tests.components.records.ledger.making import BODIES, add, filled
from tests.dying import killed_before_each_change
from tests.refusing import refused

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return filled(tmp_path)


def fresh(folder: Path) -> Ledger:
    return Ledger(folder / "ledger.jsonl")


def lines(ledger: Ledger) -> list[bytes]:
    return ledger.path.read_bytes().splitlines(keepends=True)


def rechained(documents: list[dict]) -> bytes:  # type: ignore[type-arg]
    """The file of someone who alters entries and computes every hash anew."""
    previous, out = FIRST_PREVIOUS, bytearray()
    for seq, document in enumerate(documents, start=1):
        rest = {**document, "seq": seq, "previous": previous}
        rest.pop("entry_sha256", None)
        previous = hashlib.sha256(spelled(rest)).hexdigest()
        out += spelled({**rest, "entry_sha256": previous}) + b"\n"
    return bytes(out)


def spelled(document: dict) -> bytes:  # type: ignore[type-arg]
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


# What is written is read


def test_entries_come_back_in_their_order_each_naming_the_one_before(ledger: Ledger) -> None:
    entries = ledger.entries()
    assert [e.kind for e in entries] == list(BODIES)
    assert [e.seq for e in entries] == list(range(1, 12))
    assert [e.body for e in entries] == list(BODIES.values())
    assert [e.previous for e in entries] == [
        FIRST_PREVIOUS,
        *(e.entry_sha256 for e in entries[:-1]),
    ]


def test_verify_says_where_the_ledger_ends(ledger: Ledger) -> None:
    found = ledger.verify()
    assert (len(found.entries), found.recorded, found.torn) == (11, True, b"")
    assert found.last == ledger.head()
    assert found.last.sha256 == ledger.entries()[-1].entry_sha256


def test_an_absent_ledger_is_an_empty_one(tmp_path: Path) -> None:
    empty = fresh(tmp_path / "absent")
    assert empty.entries() == ()
    assert empty.verify().last.seq == 0
    assert not (tmp_path / "absent").exists()


def test_a_refused_entry_changes_nothing(ledger: Ledger) -> None:
    before = ledger.path.read_bytes()
    with pytest.raises(ConfigError):
        add(ledger, case_set_root="abc")
    assert ledger.path.read_bytes() == before and len(ledger.verify().entries) == 11


@pytest.mark.process
def test_processes_that_append_at_once_lose_nothing(tmp_path: Path) -> None:
    def append(name: str) -> None:
        for i in range(10):
            add(fresh(tmp_path), run_id=f"{name}-{i}")

    processes = [FORK.Process(target=append, args=(name,)) for name in "abcd"]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        fresh(tmp_path).verify()  # a reader in between sees a whole ledger too
    assert {e.body["run_id"] for e in fresh(tmp_path).entries()} == {
        f"{name}-{i}" for name in "abcd" for i in range(10)
    }


def test_a_writer_that_hangs_is_waited_for_and_named(ledger: Ledger) -> None:
    with ledger.chain.locked(), refused(WorkspaceBusy, ledger.path):
        add(Ledger(ledger.path, timeout_s=0.05))


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with refused(ConfigError, tmp_path / "file" / "ledger.jsonl", "File exists"):
        add(fresh(tmp_path / "file"))


# What was altered is found


def test_every_changed_byte_is_found(ledger: Ledger) -> None:
    for path in (ledger.path, ledger.chain.head_path):
        content = path.read_bytes()
        for place in range(len(content)):
            flipped = bytes([content[place] ^ (1, 0x20, 0x80)[place % 3]])
            path.write_bytes(content[:place] + flipped + content[place + 1 :])
            with pytest.raises(IntegrityError):
                ledger.verify()
        path.write_bytes(content)
    assert len(ledger.verify().entries) == 11


@pytest.mark.process
def test_every_removed_and_every_added_byte_is_found(ledger: Ledger) -> None:
    content = ledger.path.read_bytes()
    for place in range(len(content)):
        ledger.path.write_bytes(content[:place] + content[place + 1 :])
        with pytest.raises(IntegrityError):
            ledger.verify()
        ledger.path.write_bytes(content[:place] + b" " + content[place:])
        with pytest.raises(IntegrityError):
            ledger.verify()


@pytest.mark.parametrize(
    "alter, line",
    [
        (lambda rows: rows[:2] + rows[3:], 3),
        (lambda rows: [*rows[:2], rows[3], rows[2], *rows[4:]], 3),
        (lambda rows: [*rows[:3], rows[2], *rows[3:]], 4),
        (lambda rows: rows[1:], 1),
        (lambda rows: [*rows[:4], b"\n", *rows[4:]], 5),
        (lambda rows: [*rows[:4], rows[4].replace(b"planted", b"planned"), *rows[5:]], 5),
    ],
)
def test_the_first_entry_that_does_not_fit_is_named(
    ledger: Ledger, alter: Callable[[list[bytes]], list[bytes]], line: int
) -> None:
    ledger.path.write_bytes(b"".join(alter(lines(ledger))))
    with refused(IntegrityError, f"{ledger.path}:{line}:", f"entry {line} "):
        ledger.verify()


def test_an_entry_edited_with_its_own_hash_computed_anew_is_found_by_the_next(
    ledger: Ledger,
) -> None:
    rows = lines(ledger)
    document = orjson.loads(rows[2])
    del document["entry_sha256"]
    document["by"] = "Somebody Else"
    rows[2] = canonical_json({**document, "entry_sha256": sha256_json(document)}) + b"\n"
    ledger.path.write_bytes(b"".join(rows))
    named, got = orjson.loads(rows[3])["previous"], orjson.loads(rows[2])["entry_sha256"]
    with refused(IntegrityError, f"{ledger.path}:4:", named[:12], got[:12]):
        ledger.verify()


def test_a_chain_computed_anew_does_not_fit_its_head(ledger: Ledger) -> None:
    documents = [orjson.loads(line) for line in lines(ledger)]
    documents[3]["body"]["second"] = "Somebody Else"
    ledger.path.write_bytes(rechained(documents))
    with refused(IntegrityError, f"{ledger.path}:11:", "ledger.head"):
        ledger.verify()


@pytest.mark.parametrize("kept", range(11))
def test_a_cut_tail_is_found_and_its_first_entry_named(ledger: Ledger, kept: int) -> None:
    ledger.path.write_bytes(b"".join(lines(ledger)[:kept]))
    for use in (ledger.verify, lambda: add(ledger)):
        with refused(IntegrityError, ledger.path, f"entry {kept + 1} ", "11 entries"):
            use()


def test_a_ledger_that_was_removed_is_missed(ledger: Ledger) -> None:
    ledger.path.unlink()
    for use in (ledger.verify, lambda: add(ledger)):
        with refused(IntegrityError, ledger.path, "entry 1 ", "11 entries"):
            use()


def test_a_head_that_was_removed_or_put_back_is_found(tmp_path: Path) -> None:
    ledger = fresh(tmp_path)
    add(ledger)
    old = ledger.chain.head_path.read_bytes()
    add(ledger)
    add(ledger)
    ledger.chain.head_path.write_bytes(old)
    for use in (ledger.verify, lambda: add(ledger)):
        with refused(IntegrityError, f"{ledger.path}:3:", "ledger.head", "1 entries"):
            use()
    ledger.chain.head_path.unlink()
    with refused(IntegrityError, f"{ledger.path}:2:", "ledger.head", "0 entries"):
        ledger.verify()


def test_nothing_is_appended_to_a_last_entry_that_was_altered(ledger: Ledger) -> None:
    content = ledger.path.read_bytes().replace(b'"files":12', b'"files":13')
    ledger.path.write_bytes(content)
    with refused(IntegrityError, f"{ledger.path}:11:"):
        add(ledger)
    assert ledger.path.read_bytes() == content


# What a crash leaves


@pytest.mark.process
def test_an_entry_torn_at_any_byte_is_kept_aside_and_the_ledger_goes_on(tmp_path: Path) -> None:
    ledger = fresh(tmp_path)
    add(ledger, "decision")
    before, head = ledger.path.read_bytes(), ledger.chain.head_path.read_bytes()
    add(ledger, "look")
    whole = ledger.path.read_bytes()
    for end in range(len(before) + 1, len(whole)):
        ledger.path.write_bytes(whole[:end])
        ledger.chain.head_path.write_bytes(head)
        assert len(ledger.verify().torn) == end - len(before)
        assert add(ledger, "release").seq == 2
        assert [e.kind for e in ledger.entries()] == ["decision", "release"]
        (aside,) = tmp_path.glob("ledger.torn-*")
        assert aside.read_bytes() == whole[len(before) : end]
        aside.unlink()


def test_a_torn_first_entry_is_kept_aside_too(tmp_path: Path) -> None:
    ledger = fresh(tmp_path)
    ledger.path.write_bytes(b'{"at":"2025')
    assert len(ledger.verify().torn) == 11
    assert add(ledger).seq == 1 and len(ledger.entries()) == 1


def test_a_crash_between_entry_and_head_loses_nothing(tmp_path: Path) -> None:
    ledger = fresh(tmp_path)
    add(ledger)
    head = ledger.chain.head_path.read_bytes()
    add(ledger)
    ledger.chain.head_path.write_bytes(head)
    assert (len(ledger.verify().entries), ledger.verify().recorded) == (2, False)
    assert add(ledger).seq == 3
    assert ledger.verify().recorded


def test_an_entry_longer_than_what_is_read_at_a_time_is_no_obstacle(tmp_path: Path) -> None:
    ledger = fresh(tmp_path)
    for _ in range(3):
        add(ledger, "amendment", added=[f"case-{i:06d}" for i in range(20_000)])
    assert add(ledger).seq == 4 and len(ledger.verify().entries) == 4


@pytest.mark.process
def test_a_process_killed_before_any_change_leaves_a_sound_ledger(tmp_path: Path) -> None:
    sound = filled(tmp_path / "sound")
    torn = sound.path.read_bytes() + b'{"at":'
    ledger = fresh(tmp_path / "work")

    def prepare() -> None:
        shutil.rmtree(tmp_path / "work", ignore_errors=True)
        shutil.copytree(tmp_path / "sound", tmp_path / "work")
        ledger.path.write_bytes(torn)

    deaths = 0
    for _ in killed_before_each_change(prepare, lambda: add(ledger, run_id="acknowledged")):
        deaths += 1
        assert ledger.entries()[:11] == sound.entries()
        assert add(ledger, run_id="next").seq in (12, 13)
        assert len(ledger.verify().torn) == 0
        assert b'{"at":' in [aside.read_bytes() for aside in ledger.path.parent.glob("*.torn-*")]
    assert deaths >= 5
    assert ledger.entries()[-1].body["run_id"] == "acknowledged"


@pytest.mark.process
def test_a_second_crash_before_the_first_is_mended_loses_nothing(tmp_path: Path) -> None:
    ledger = fresh(tmp_path)
    add(ledger)
    behind = ledger.chain.head_path.read_bytes()
    add(ledger)
    ahead = ledger.path.read_bytes()

    def prepare() -> None:
        ledger.path.write_bytes(ahead)
        ledger.chain.head_path.write_bytes(behind)

    for _ in killed_before_each_change(prepare, lambda: add(ledger, run_id="third")):
        assert len(ledger.entries()) in (2, 3)
        assert ledger.path.read_bytes().startswith(ahead)


@pytest.mark.process
def test_killed_writers_lose_no_acknowledged_entry(tmp_path: Path) -> None:
    ledger = fresh(tmp_path)
    add(ledger)  # the contract is read before the forks

    def append_for_ever(pipe: int) -> None:
        i = 0
        while True:
            entry = add(ledger, run_id=f"{os.getpid()}-{i}")
            os.write(pipe, f"{entry.seq} {entry.entry_sha256}\n".encode())
            i += 1

    acknowledged = 0
    for kill in range(40):
        reading, writing = os.pipe()
        process = FORK.Process(target=append_for_ever, args=(writing,))
        process.start()
        os.close(writing)
        begun = os.read(reading, 1)  # it has acknowledged an entry, and writes on
        time.sleep(0.0005 * kill)
        os.kill(process.pid, signal.SIGKILL)  # type: ignore[arg-type]
        process.join()
        with os.fdopen(reading, "rb") as pipe:
            acks = [line.decode().split() for line in (begun + pipe.read()).splitlines()]
        known = {e.seq: e.entry_sha256 for e in ledger.entries()}
        assert all(known[int(seq)] == sha256 for seq, sha256 in acks)
        acknowledged += len(acks)
    assert acknowledged > 40


def test_a_full_disk_is_said_and_the_next_append_goes_on(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(
            "components.records.json_lines.os.write", lambda fd, data: write(fd, data[:20])
        )
        with refused(ConfigError, ledger.path, "No space left"):
            add(ledger)
    assert len(ledger.verify().torn) == 20
    assert add(ledger).seq == 12


# How long it may be


def test_ten_thousand_entries_are_verified_and_added_to(tmp_path: Path) -> None:
    ledger = filled(tmp_path)
    documents = [orjson.loads(line) for line in lines(ledger)] * 910
    ledger.path.write_bytes(rechained(documents))
    last = orjson.loads(lines(ledger)[-1])
    ledger.chain.head_path.write_bytes(
        canonical_json({"seq": last["seq"], "entry_sha256": last["entry_sha256"]}) + b"\n"
    )
    assert len(ledger.verify().entries) == 10_010
    add(ledger)
    assert len(ledger.verify().entries) == 10_011
