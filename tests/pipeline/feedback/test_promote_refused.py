"""What is not promoted: what was altered, interrupted or changed meanwhile."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from components.records.errors import ConfigError, IntegrityError, SourceError, WorkspaceBusy
from components.records.files import lock_file
from components.records.ledger.ledger import Ledger
from pipeline.feedback import promote as sending
from pipeline.feedback.images import read_image
from pipeline.feedback.planning import load_promotions
from pipeline.feedback.promote import preview
from tests.dying import killed_before_each_change
from tests.pipeline.feedback.making import PERSON, REASON, Clinic
from tests.refusing import refused

# What is refused


def test_without_a_name_or_a_case_set_nothing_is_promoted(clinic: Clinic) -> None:
    from pipeline.feedback.promote import promote
    from pipeline.settings.config import load_config

    clinic.settled("agreed", "positive")
    settings = [f"data.source={clinic.spans}/span-{{SPAN:4}}"]
    for by, config, words in (
        (" ", clinic.config, "--by"),
        (PERSON, load_config(None, settings), "case set"),
        (PERSON, load_config(None, [*settings, "case_set.baseline=none"]), "none"),
    ):
        with refused(ConfigError, words):
            promote(config, clinic.workspace, clinic.served, by=by, reason=REASON, images=None)
    assert not (clinic.spans / "span-0002").exists()


def test_without_a_first_span_there_is_no_next(clinic: Clinic) -> None:
    clinic.settled("agreed", "positive")
    (clinic.spans / "span-0001").rename(clinic.root / "elsewhere")
    with refused(SourceError, "span-{SPAN:4}", "wanted e.g. span-0001"):
        clinic.promote()


def test_two_promotions_at_once_are_one(clinic: Clinic) -> None:
    clinic.settled("agreed", "positive")
    lock = clinic.workspace.root / "feedback" / ".lock"
    with lock_file(lock, str), refused(WorkspaceBusy, clinic.workspace.root):
        clinic.promote()


@pytest.mark.parametrize("what", ["record", "promotion", "case set"])
def test_nothing_is_promoted_from_what_was_altered(clinic: Clinic, what: str) -> None:
    clinic.settled("agreed", "positive")
    clinic.promote()
    clinic.settled("later", "positive")
    path, old, new = {
        "record": (clinic.places.record.path, b'"Dr. Two"', b'"Dr. Tow"'),
        "promotion": (next(clinic.places.promotions.iterdir()), b'"p-agreed"', b'"p-agrees"'),
        "case set": (
            clinic.workspace.baselines / "locked/case_set.json",
            b"patient-t",
            b"patient-x",
        ),
    }[what]
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(IntegrityError):
        clinic.promote()
    assert not (clinic.spans / "span-0003").exists()


def test_a_promotion_whose_record_is_gone_is_not_forgotten(clinic: Clinic) -> None:
    clinic.settled("agreed", "positive")
    clinic.promote()
    next(clinic.places.promotions.iterdir()).unlink()
    for use in (
        clinic.promote,
        lambda: preview(clinic.config, clinic.workspace, clinic.served, None),
    ):
        with refused(IntegrityError, "span-0002", "feedback/promotions"):
            use()


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
        patch.setattr(sending.writing, "write_proposal", full)
        with refused(ConfigError, "No space left on device"):
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
    with refused(IntegrityError, "span-0002"):
        waiting.promote()


def test_a_delivery_that_takes_the_number_meanwhile_is_not_written_over(
    waiting: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = sending.writing.write_proposal

    def delivered(*given: object) -> object:
        (waiting.spans / "span-0002").mkdir()
        (waiting.spans / "span-0002" / "new.png").write_bytes(b"theirs")
        return write(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(sending.writing, "write_proposal", delivered)
        with refused(ConfigError, "span-0002"):
            waiting.promote()
    assert [path.name for path in (waiting.spans / "span-0002").iterdir()] == ["new.png"]
    assert not list(waiting.places.proposals.iterdir())


@pytest.mark.parametrize("call", [1, 2])
def test_a_case_that_enters_the_case_set_meanwhile_is_not_trained_on(
    waiting: Clinic, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    calls, judge = [], sending.find_judging_cases

    def amended(*given: object) -> object:
        calls.append(given)
        found = judge(*given)  # type: ignore[arg-type]
        if len(calls) < call:
            return found
        promoted = waiting.pictures / "101.png"

        pixels = frozenset({read_image(promoted).pixels_sha256})
        return found[0], replace(found[1], pixels=pixels)

    with monkeypatch.context() as patch:
        patch.setattr(sending, "find_judging_cases", amended)
        with refused(IntegrityError, "'agreed'"):
            waiting.promote()
    assert len(calls) == call
    assert spans(waiting) == ["span-0001"]
    assert not list(waiting.places.promotions.glob("*.json"))
    assert not Ledger(waiting.workspace.ledger).entries()


@pytest.mark.parametrize(
    ("spoil", "fact"),
    [
        (lambda text: text.replace("positive", "negative"), "other cases"),
        (lambda text: "".join(text.splitlines(keepends=True)[:-1]), "'agreed' is missing"),
    ],
    ids=["another label", "a case less"],
)
def test_what_reads_back_otherwise_is_not_promoted(
    waiting: Clinic, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[str], str], fact: str
) -> None:
    write = sending.writing.write_span

    def altered(folder: Path, *given: object) -> str:
        sha256 = write(folder, *given)  # type: ignore[arg-type]
        path = folder / "manifest.csv"
        path.write_text(spoil(path.read_text()))
        return sha256

    with monkeypatch.context() as patch:
        patch.setattr(sending.writing, "write_span", altered)
        with refused(IntegrityError, "/.promoting-", fact):
            waiting.promote()
    assert spans(waiting) == ["span-0001"]


def test_a_proposed_image_that_reads_back_otherwise_is_not_proposed(
    waiting: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = sending.writing.write_proposal

    def altered(*given: object) -> object:
        made = write(*given)  # type: ignore[arg-type]
        (path,) = made.folder.rglob("*.png")
        path.write_bytes(waiting.picture(999))
        return made

    with monkeypatch.context() as patch:
        patch.setattr(sending.writing, "write_proposal", altered)
        with refused(IntegrityError, "/proposals/", ".png"):
            waiting.promote()
    assert spans(waiting) == ["span-0001"] and not list(waiting.places.proposals.iterdir())
