"""A promotion that is cut short anywhere: no case twice, none on both sides, none forgotten."""

import shutil
from pathlib import Path

import pytest

from components.records.errors import ConfigError, IntegrityError
from components.records.ledger.ledger import Ledger
from pipeline.feedback import sending
from pipeline.feedback.promotion import load_promotions
from tests.dying import killed_before_each_change
from tests.pipeline.feedback.making import Clinic


@pytest.fixture
def waiting(clinic: Clinic) -> Clinic:
    """One case to be trained on and one to be proposed."""
    clinic.settled("agreed", "positive")
    clinic.settled("missed", "positive", score=0.1)
    return clinic


def spans(clinic: Clinic) -> list[str]:
    return sorted(path.name for path in clinic.spans.iterdir())


def everywhere(clinic: Clinic) -> tuple[list[str], list[str]]:
    """The ids in all spans but the first, and those in all proposals."""
    trained = [
        row["case_id"] for n in range(2, len(spans(clinic)) + 1) for row in clinic.manifest(n)
    ]
    promotions = load_promotions(clinic.places.promotions)
    sent = [case for promotion in promotions for case in promotion.cases]
    return trained, [case.case_id for case in sent if case.side == "case set"]


def consistent(clinic: Clinic) -> None:
    """What is true once all is settled, however often it was cut short before."""
    assert spans(clinic) == ["span-0001", "span-0002"]
    assert everywhere(clinic) == (["agreed"], ["missed"])
    bodies = [entry.body for entry in Ledger(clinic.workspace.ledger).entries()]
    assert [case for body in bodies for case in body["cases"]] == ["agreed"]
    assert [case for body in bodies for case in body["proposed_sentinels"]] == ["missed"]
    (folder,) = (path for path in clinic.places.proposals.iterdir() if path.is_dir())
    assert Path(f"{folder}.json").exists()


@pytest.mark.process
def test_a_promotion_killed_before_any_change_is_settled_by_the_next(waiting: Clinic) -> None:
    kept = waiting.root.parent / f"{waiting.root.name}-kept"
    shutil.copytree(waiting.root, kept)

    def prepare() -> None:
        shutil.rmtree(waiting.root)
        shutil.copytree(kept, waiting.root)

    outcomes = set()
    deaths = 0
    for _ in killed_before_each_change(prepare, waiting.promote):
        deaths += 1
        # No run ever sees half a span: it is not there, or it is whole.
        if (waiting.spans / "span-0002").exists():
            assert [row["case_id"] for row in waiting.manifest(2)] == ["agreed"]
        done = waiting.promote()
        consistent(waiting)
        again = waiting.promote()
        assert (again.span, again.proposal) == (None, None)
        outcomes.add((bool(done.cut_short.finished), bool(done.cut_short.taken_back)))
    consistent(waiting)
    assert deaths > 20
    assert outcomes == {(False, False), (True, False), (False, True)}


def test_a_full_disk_leaves_nothing_behind(
    waiting: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(sending, "write_proposal", full)
        with pytest.raises(ConfigError, match="No space left on device"):
            waiting.promote()
    assert spans(waiting) == ["span-0001"]
    assert not list(waiting.places.promotions.iterdir())
    waiting.promote()
    consistent(waiting)


def test_a_ledger_that_cannot_be_written_is_made_up_for(
    waiting: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            Ledger, "append", lambda *given, **more: (_ for _ in ()).throw(ConfigError("x"))
        )
        with pytest.raises(ConfigError):
            waiting.promote()
    assert spans(waiting) == ["span-0001", "span-0002"]
    assert len(waiting.promote().cut_short.finished) == 1
    consistent(waiting)


def test_a_span_that_was_altered_before_its_entry_is_not_believed(
    waiting: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            Ledger, "append", lambda *given, **more: (_ for _ in ()).throw(ConfigError("x"))
        )
        with pytest.raises(ConfigError):
            waiting.promote()
    path = waiting.spans / "span-0002" / "manifest.csv"
    path.write_text(path.read_text().replace("positive", "negative"))
    with pytest.raises(IntegrityError, match="altered before its promotion was recorded"):
        waiting.promote()


def test_a_delivery_that_takes_the_number_meanwhile_is_not_written_over(
    waiting: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = sending.write_proposal

    def delivered(*given: object) -> object:
        (waiting.spans / "span-0002").mkdir()
        (waiting.spans / "span-0002" / "new.png").write_bytes(b"theirs")
        return write(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(sending, "write_proposal", delivered)
        with pytest.raises(ConfigError, match="appeared meanwhile"):
            waiting.promote()
    assert [path.name for path in (waiting.spans / "span-0002").iterdir()] == ["new.png"]
    assert not list(waiting.places.proposals.iterdir())


@pytest.mark.parametrize("call", [1, 2])
def test_a_case_that_enters_the_case_set_meanwhile_is_not_trained_on(
    waiting: Clinic, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    calls, judge = [], sending.judging

    def amended(*given: object) -> object:
        calls.append(given)
        found = judge(*given)  # type: ignore[arg-type]
        if len(calls) < call:
            return found
        promoted = waiting.pictures / "101.png"
        from dataclasses import replace

        from pipeline.feedback.images import read_image

        pixels = frozenset({read_image(promoted).pixels_sha256})
        return replace(found, known=replace(found.known, pixels=pixels))

    with monkeypatch.context() as patch:
        patch.setattr(sending, "judging", amended)
        with pytest.raises(IntegrityError, match="case 'agreed' must not be trained on"):
            waiting.promote()
    assert len(calls) == call
    assert spans(waiting) == ["span-0001"]
    assert not list(waiting.places.promotions.glob("*.json"))
    assert not Ledger(waiting.workspace.ledger).entries()


def test_what_reads_back_otherwise_is_not_promoted(
    waiting: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = sending.write_span

    def altered(folder: Path, *given: object) -> str:
        sha256 = write(folder, *given)  # type: ignore[arg-type]
        path = folder / "manifest.csv"
        path.write_text(path.read_text().replace("positive", "negative"))
        return sha256

    with monkeypatch.context() as patch:
        patch.setattr(sending, "write_span", altered)
        with pytest.raises(IntegrityError, match="reads back as other cases"):
            waiting.promote()
    assert spans(waiting) == ["span-0001"]


def test_a_case_that_is_missing_from_what_was_written_is_found(
    waiting: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = sending.write_span

    def shortened(folder: Path, *given: object) -> str:
        sha256 = write(folder, *given)  # type: ignore[arg-type]
        path = folder / "manifest.csv"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
        return sha256

    with monkeypatch.context() as patch:
        patch.setattr(sending, "write_span", shortened)
        with pytest.raises(IntegrityError, match="case 'agreed' is missing"):
            waiting.promote()
    assert spans(waiting) == ["span-0001"]


def test_a_proposed_image_that_reads_back_otherwise_is_not_proposed(
    waiting: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = sending.write_proposal

    def altered(*given: object) -> object:
        made = write(*given)  # type: ignore[arg-type]
        (path,) = made.folder.rglob("*.png")
        path.write_bytes(waiting.picture(999))
        return made

    with monkeypatch.context() as patch:
        patch.setattr(sending, "write_proposal", altered)
        with pytest.raises(IntegrityError, match="reads back as another image"):
            waiting.promote()
    assert spans(waiting) == ["span-0001"] and not list(waiting.places.proposals.iterdir())
