import multiprocessing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from components.notify.delivery import Delivery
from components.notify.journal import NoticeJournal
from components.notify.notice import Notice
from components.records.errors import WorkspaceBusy
from tests.components.notify.serving import notice
from tests.dying import killed_before_each_change
from tests.refusing import refused

NOW = datetime.now(timezone.utc)


def add_dead(journal: NoticeJournal, told: Notice, channel: str = "webhook") -> Notice:
    journal.add_dead(Delivery(channel, "failed", told.delivery, ("busy", "gone")), told)
    return told


def test_what_was_just_sent_was_sent_within_the_hour(tmp_path: Path) -> None:
    journal, told = NoticeJournal(tmp_path / "notices"), notice()
    journal.note_sent("smtp", told)
    asked = {"minutes": 60, "now": datetime.now(timezone.utc)}
    assert journal.sent_within("smtp", "blocked:7", **asked)  # type: ignore[arg-type]
    assert not journal.sent_within("webhook", "blocked:7", **asked)  # type: ignore[arg-type]
    assert not journal.sent_within("smtp", "blocked:8", **asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("later_minutes", "within"), [(0.1, True), (59, True), (61, False), (-60, False)]
)
def test_an_hour_after_or_before_it_is_news_again(
    tmp_path: Path, later_minutes: float, within: bool
) -> None:
    journal = NoticeJournal(tmp_path)
    journal.note_sent("smtp", notice())
    now = datetime.now(timezone.utc) + timedelta(minutes=later_minutes)
    assert journal.sent_within("smtp", "blocked:7", minutes=60, now=now) is within


def test_a_damaged_line_of_what_was_sent_is_passed_over(tmp_path: Path) -> None:
    journal = NoticeJournal(tmp_path)
    journal.sent_path.write_bytes(b'{"at": 5, "channel": "smtp", "key": "blocked:7"}\n[]\n\xff{"a')
    journal.note_sent("smtp", notice())
    now = datetime.now(timezone.utc)
    assert journal.sent_within("smtp", "blocked:7", minutes=60, now=now)


def test_a_dead_letter_is_kept_whole(tmp_path: Path) -> None:
    journal = NoticeJournal(tmp_path)
    told = add_dead(journal, notice())
    (letter,) = journal.dead().letters
    assert letter.notice.body() == told.body()
    assert letter.reasons == ("busy", "gone")


def test_one_is_taken_out_and_the_others_stay(tmp_path: Path) -> None:
    journal = NoticeJournal(tmp_path)
    first, second = add_dead(journal, notice()), notice()
    add_dead(journal, second, "webhook")
    add_dead(journal, second, "smtp")
    journal.remove_dead({("webhook", second.delivery)})
    left = [letter.name for letter in journal.dead().letters]
    assert left == [("webhook", first.delivery), ("smtp", second.delivery)]


def test_an_unreadable_line_is_counted_and_left_alone(tmp_path: Path) -> None:
    journal = NoticeJournal(tmp_path)
    told = add_dead(journal, notice())
    with journal.dead_path.open("ab") as file:
        file.write(b'{"half": ')
    second = add_dead(journal, notice())
    assert journal.dead().unreadable == 1
    journal.remove_dead({("webhook", told.delivery)})
    assert journal.dead_path.read_bytes().startswith(b'{"half": \n')
    assert [letter.notice.delivery for letter in journal.dead().letters] == [second.delivery]


def test_who_resends_is_alone(tmp_path: Path) -> None:
    with (
        NoticeJournal(tmp_path).resending(),
        refused(WorkspaceBusy, tmp_path),
        NoticeJournal(tmp_path).resending(),
    ):
        raise AssertionError("both hold it")
    with NoticeJournal(tmp_path).resending():
        pass


def _add_many(folder: Path, count: int) -> None:
    for _ in range(count):
        add_dead(NoticeJournal(folder), notice())


@pytest.mark.process
def test_letters_that_are_added_while_others_are_taken_out_all_stay(tmp_path: Path) -> None:
    journal = NoticeJournal(tmp_path)
    old = [add_dead(journal, notice()) for _ in range(20)]
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_add_many, args=(tmp_path, 40)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for told in old:
        journal.remove_dead({("webhook", told.delivery)})
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert len(journal.dead().letters) == 120
    assert journal.dead().unreadable == 0


@pytest.mark.process
def test_a_crash_while_taking_out_loses_no_letter(tmp_path: Path) -> None:
    journal = NoticeJournal(tmp_path)
    first, second = notice(), notice()

    def prepare() -> None:
        journal.dead_path.unlink(missing_ok=True)
        add_dead(journal, first)
        add_dead(journal, second)

    deaths = 0
    for _ in killed_before_each_change(
        prepare, lambda: journal.remove_dead({("webhook", first.delivery)})
    ):
        deaths += 1
        assert second.delivery in {letter.notice.delivery for letter in journal.dead().letters}
        assert journal.dead().unreadable == 0
    assert deaths >= 2
