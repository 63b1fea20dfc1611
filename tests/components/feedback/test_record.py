import multiprocessing
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from components.feedback.opinion import Opinion, line_of
from components.feedback.record import Record, Replayed
from components.records.chain import HashChain, Head
from components.records.errors import ConfigError, IntegrityError, WorkspaceBusy
from tests.components.feedback.making import draft, filled, record
from tests.dying import killed_before_each_change
from tests.refusing import refused

FORK = multiprocessing.get_context("fork")


def fresh(known: Record) -> Record:
    """As another process has it, without anything in memory."""
    return Record(known.path)


# What is written is read


def test_opinions_come_back_in_their_order_each_naming_the_one_before(tmp_path: Path) -> None:
    found = fresh(filled(tmp_path)).opinions()
    assert [(one.seq, one.by, one.version, one.label) for one in found] == [
        (1, "Dr. One", 1, "unsure"),
        (2, "Dr. One", 2, "negative"),
        (3, "Dr. Two", 1, "positive"),
    ]
    assert [one.previous for one in found[1:]] == [one.entry_sha256 for one in found[:-1]]


def test_versions_count_for_each_reader_and_case_alone(tmp_path: Path) -> None:
    made = record(tmp_path)
    given = [("a", "X"), ("b", "X"), ("a", "Y"), ("a", "X"), ("a", "X")]
    versions = [made.append(draft(case, by=by)).version for case, by in given]
    assert versions == [1, 1, 1, 2, 3]


def test_names_of_one_person_are_one_reader(tmp_path: Path) -> None:
    def same(one: str, other: str) -> bool:
        return one.lower() == other.lower()

    made = record(tmp_path)
    made.append(draft(by="Dr. One"))
    again = made.append(draft(by="DR. ONE"), same_reader=same)
    assert (again.by, again.version) == ("Dr. One", 2)


def test_an_absent_record_is_an_empty_one(tmp_path: Path) -> None:
    assert record(tmp_path / "absent").opinions() == ()
    assert not (tmp_path / "absent").exists()


def test_a_nonce_is_taken_once_of_each_reader(tmp_path: Path) -> None:
    made = record(tmp_path)
    made.append(draft(nonce="abcdefgh"))
    before = made.path.read_bytes()
    for again in (made, fresh(made)):
        with pytest.raises(Replayed):
            again.append(draft("another case", nonce="abcdefgh"))
    assert made.path.read_bytes() == before
    assert made.append(draft(by="Dr. Two", nonce="abcdefgh")).seq == 2


def test_a_refused_opinion_changes_nothing(tmp_path: Path) -> None:
    made = filled(tmp_path)
    before = made.path.read_bytes()
    with pytest.raises(ConfigError):
        made.append(draft(label="maybe"))
    assert made.path.read_bytes() == before


def test_threads_and_records_that_append_at_once_lose_nothing(tmp_path: Path) -> None:
    shared = record(tmp_path)

    def say(name: str, mine: Record) -> None:
        for number in range(8):
            mine.append(draft(f"case-{number}", by=name))

    threads = [
        threading.Thread(target=say, args=(name, shared if name < "C" else fresh(shared)))
        for name in "ABCD"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(one.by, one.case_id) for one in fresh(shared).opinions()}) == 32


# What was altered is found


def test_a_changed_byte_is_found(tmp_path: Path) -> None:
    made = filled(tmp_path)
    for path in (made.path, made.chain.head_path):
        content = path.read_bytes()
        for place in range(0, len(content), 17):
            flipped = bytes([content[place] ^ (1, 0x20, 0x80)[place % 3]])
            path.write_bytes(content[:place] + flipped + content[place + 1 :])
            with pytest.raises(IntegrityError):
                fresh(made).opinions()
        path.write_bytes(content)
    assert len(fresh(made).opinions()) == 3


def test_removed_swapped_repeated_and_cut_entries_are_found(tmp_path: Path) -> None:
    made = filled(tmp_path)
    one, two, three = made.path.read_bytes().splitlines(keepends=True)
    for content in (
        two + three,
        one + three,
        two + one + three,
        one + one + two + three,
        one + two,
    ):
        made.path.write_bytes(content)
        with pytest.raises(IntegrityError):
            fresh(made).opinions()
        with pytest.raises(IntegrityError):
            made.append(draft())  # though it was verified before
        assert made.path.read_bytes() == content


def test_a_head_that_was_removed_is_found(tmp_path: Path) -> None:
    made = filled(tmp_path)
    made.chain.head_path.unlink()
    with refused(IntegrityError, "0 entries"):
        fresh(made).opinions()


def test_what_another_process_appends_is_seen_by_who_read_before(tmp_path: Path) -> None:
    made = filled(tmp_path)
    assert len(made.opinions()) == 3
    fresh(made).append(draft("new", nonce="12345678"))
    assert made.opinions()[-1].case_id == "new"
    with pytest.raises(Replayed):
        made.append(draft("new", nonce="12345678"))


# What a crash leaves


def test_an_entry_torn_at_any_byte_is_kept_aside_and_the_record_goes_on(tmp_path: Path) -> None:
    made = filled(tmp_path)
    before, head = made.path.read_bytes(), made.chain.head_path.read_bytes()
    line = line_of(made.append(draft("torn"))) + b"\n"
    for end in range(1, len(line), 130):
        made.path.write_bytes(before + line[:end])
        made.chain.head_path.write_bytes(head)
        assert fresh(made).content().torn == line[:end]
        assert fresh(made).append(draft("next")).seq == 4
        assert [one.case_id for one in fresh(made).opinions()][-1] == "next"
        (aside,) = tmp_path.glob("feedback.torn-*")
        assert aside.read_bytes() == line[:end]
        aside.unlink()


def test_a_crash_between_entry_and_head_loses_nothing(tmp_path: Path) -> None:
    made = filled(tmp_path)
    head = made.chain.head_path.read_bytes()
    made.append(draft("fourth"))
    made.chain.head_path.write_bytes(head)
    content = fresh(made).content()
    assert len(content.entries) == 4 and content.head != content.last
    assert fresh(made).append(draft("fifth")).seq == 5
    assert fresh(made).content().head == fresh(made).content().last


def test_a_second_crash_before_the_first_is_mended_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = filled(tmp_path)
    head = made.chain.head_path.read_bytes()
    fourth, record_head = Head.of([made.append(draft("fourth"))]), HashChain._record

    def die_before_the_fifth(chain: HashChain[Opinion], head: Head) -> None:
        if head == fourth:
            record_head(chain, head)

    made.chain.head_path.write_bytes(head)
    with monkeypatch.context() as patch:
        patch.setattr(HashChain, "_record", die_before_the_fifth)
        fresh(made).append(draft("fifth"))
    assert [one.case_id for one in fresh(made).opinions()][-2:] == ["fourth", "fifth"]


def test_an_opinion_is_on_disk_before_it_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr("os.fsync", note)
    made = record(tmp_path)
    made.append(draft())
    assert synced[0] == made.path and tmp_path in synced


def test_a_full_disk_is_said_and_the_next_append_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, write = filled(tmp_path), os.write
    with monkeypatch.context() as patch:
        name = "components.records.json_lines.os.write"
        patch.setattr(name, lambda fd, data: write(fd, data[:20]))
        with refused(ConfigError, "No space left"):
            made.append(draft("lost"))
    assert len(made.content().torn) == 20
    assert made.append(draft("next")).seq == 4


def test_a_writer_that_hangs_is_waited_for_and_named(tmp_path: Path) -> None:
    made = filled(tmp_path)
    with made.chain.locked(), refused(WorkspaceBusy, made.path):
        Record(made.path, timeout_s=0.05).append(draft())


@pytest.mark.process
def test_a_process_killed_before_any_change_leaves_a_sound_record(tmp_path: Path) -> None:
    sound = filled(tmp_path / "sound").opinions()
    made = record(tmp_path / "work")

    def prepare() -> None:
        shutil.rmtree(tmp_path / "work", ignore_errors=True)
        shutil.copytree(tmp_path / "sound", tmp_path / "work")
        with made.path.open("ab") as file:
            file.write(b'{"at":')

    deaths = 0
    for _ in killed_before_each_change(prepare, lambda: fresh(made).append(draft("acked"))):
        deaths += 1
        assert fresh(made).opinions()[:3] == sound
        assert fresh(made).append(draft("next")).seq in (4, 5)
        assert fresh(made).content().torn == b""
    assert deaths >= 5


@pytest.mark.process
def test_killed_writers_lose_no_acknowledged_opinion(tmp_path: Path) -> None:
    made = filled(tmp_path)

    def append_for_ever(pipe: int) -> None:
        while True:
            said = fresh(made).append(draft(f"case-{os.getpid()}"))
            os.write(pipe, f"{said.seq} {said.entry_sha256}\n".encode())

    acknowledged = 0
    for kill in range(25):
        reading, writing = os.pipe()
        process = FORK.Process(target=append_for_ever, args=(writing,))
        process.start()
        os.close(writing)
        begun = os.read(reading, 1)
        time.sleep(0.0007 * kill)
        os.kill(process.pid, signal.SIGKILL)  # type: ignore[arg-type]
        process.join()
        with os.fdopen(reading, "rb") as pipe:
            acks = [line.decode().split() for line in (begun + pipe.read()).splitlines()]
        known = {one.seq: one.entry_sha256 for one in fresh(made).opinions()}
        assert all(known[int(seq)] == sha256 for seq, sha256 in acks)
        acknowledged += len(acks)
    assert acknowledged > 25


# How long it takes


def test_what_was_verified_is_not_verified_again_while_it_stays(tmp_path: Path) -> None:
    made = filled(tmp_path)
    first = made.content()
    assert made.content() is first
    os.utime(made.path)
    assert made.content() is not first
