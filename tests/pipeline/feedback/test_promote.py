"""A promotion that is cut short anywhere: no case twice, none on both sides, none forgotten."""

import json
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from components.baselines.case_set import load_case_set
from components.cases.manifest import list_manifest
from components.cases.spans import resolve_spans
from components.records.errors import ConfigError, IntegrityError, SourceError, WorkspaceBusy
from components.records.files import lock_file
from components.records.ledger.ledger import Ledger
from pipeline.feedback import promote as sending
from pipeline.feedback.images import read_image
from pipeline.feedback.promote import Promoted, preview
from pipeline.feedback.promotion import load_promotions
from pipeline.governance.amendment import AmendmentRequest, amend
from pipeline.governance.case_sets import verify_case_set
from tests.dying import killed_before_each_change
from tests.pipeline.feedback.making import PERSON, REASON, Clinic, folder


def why(done: Promoted, case_id: str) -> str:
    return {one.case_id: one.why for one in done.sides.left_out}[case_id]


def trained(done: Promoted) -> list[str]:
    return [case.case_id for case in done.sides.training]


def proposed(done: Promoted) -> list[str]:
    return [case.case_id for case in done.sides.proposed]


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# What becomes of settled cases


def test_settled_cases_become_the_next_span(clinic: Clinic) -> None:
    path = clinic.settled("agreed", "positive")
    clinic.settled("alarm", "negative", score=0.8)
    clinic.serve("open")
    clinic.say("open", "positive")
    done = clinic.promote()
    assert done.span == clinic.spans / "span-0002" and trained(done) == ["agreed", "alarm"]
    rows = {row["case_id"]: row for row in clinic.manifest(2)}
    assert rows.keys() == {"agreed", "alarm"}
    assert rows["agreed"]["label"] == "positive" and rows["alarm"]["label"] == "negative"
    assert (rows["agreed"]["patient_id"], rows["agreed"]["site"]) == ("p-agreed", "south")
    assert (done.span / rows["agreed"]["path"]).read_bytes() == path.read_bytes()


def test_the_span_is_what_the_reader_of_spans_takes(clinic: Clinic) -> None:
    clinic.settled("agreed", "positive")
    clinic.promote()
    found = resolve_spans(clinic.config.data.source, window="expanding", window_spans=1)
    assert found.numbers == (1, 2) and found.newest == "span-0002"
    listed = list_manifest(clinic.spans / "span-0002", "span-0002")
    assert not listed["test"] and sum(map(len, listed.values())) == 1


def test_the_ledger_says_who_promoted_what_and_why(clinic: Clinic) -> None:
    clinic.settled("agreed", "positive")
    clinic.settled("missed", "positive", score=0.1)
    clinic.promote()
    (entry,) = Ledger(clinic.workspace.ledger).entries()
    assert (entry.kind, entry.by, entry.body["reason"]) == ("promotion", PERSON, REASON)
    assert entry.body["span"] == str(clinic.spans / "span-0002")
    assert (entry.body["cases"], entry.body["proposed_sentinels"]) == (["agreed"], ["missed"])
    assert entry.body["feedback_head"] == clinic.places.record.content().last.sha256


def test_nothing_is_promoted_twice(clinic: Clinic) -> None:
    clinic.settled("agreed", "positive")
    clinic.settled("missed", "positive", score=0.1)
    clinic.promote()
    before = snapshot(clinic.root)
    again = clinic.promote()
    assert (again.span, again.proposal, again.plan.sent_before) == (None, None, 2)
    assert snapshot(clinic.root) == before


def test_what_is_settled_later_becomes_a_later_span(clinic: Clinic) -> None:
    clinic.settled("first", "positive")
    clinic.promote()
    clinic.settled("second", "positive")
    assert clinic.promote().span == clinic.spans / "span-0003"
    assert [row["case_id"] for row in clinic.manifest(3)] == ["second"]


def test_a_dry_run_says_the_same_and_writes_nothing(clinic: Clinic) -> None:
    clinic.settled("agreed", "positive")
    clinic.settled("missed", "positive", score=0.1)
    before = snapshot(clinic.root)
    told = preview(clinic.config, clinic.workspace, clinic.served, clinic.pictures)
    assert snapshot(clinic.root) == before and told.dry_run
    assert told.sides == clinic.promote().sides


def test_a_patient_stays_in_the_split_that_the_spans_have(clinic: Clinic) -> None:
    rows = [clinic.row("tuned", "tune", 1)]
    folder(clinic.spans / "span-0002", rows)
    clinic.settled("again", "negative", patient="patient-tuned", score=0.2)
    clinic.promote()
    assert [row["split"] for row in clinic.manifest(3)] == ["tune"]


# Which image


def test_the_image_that_came_with_an_opinion_is_taken(clinic: Clinic) -> None:
    from pipeline.feedback.add import GivenOpinion, add

    path = clinic.serve("agreed")
    for by in ("Dr. One", "Dr. Two"):
        add(clinic.places, clinic.served, GivenOpinion("positive", by), case_id=None, image=path)
    empty = clinic.root / "empty"
    empty.mkdir()
    assert trained(clinic.promote(images=empty)) == ["agreed"]


def test_the_image_that_the_log_names_is_taken_if_it_shows_that_case(clinic: Clinic) -> None:
    clinic.settled("right", "positive", image="../../pictures/101.png")
    clinic.settled("wrong", "positive", image="../../pictures/101.png")
    empty = clinic.root / "empty"
    empty.mkdir()
    done = clinic.promote(images=empty)
    assert trained(done) == ["right"] and "no image" in why(done, "wrong")


def test_an_image_is_known_by_its_pixels_and_never_by_its_name(clinic: Clinic) -> None:
    path = clinic.settled("agreed", "positive")
    path.write_bytes(clinic.picture(555))
    done = clinic.promote()
    assert trained(done) == [] and "no image with its pixels" in why(done, "agreed")


def test_a_case_without_patient_or_pixels_in_the_log_is_left_out(clinic: Clinic) -> None:
    clinic.settled("nobody", "positive", patient=None)
    clinic.settled("no-picture", "positive", pixels_sha256=None)
    done = clinic.promote()
    assert done.span is None
    assert "no patient_id" in why(done, "nobody")
    assert "no pixels_sha256" in why(done, "no-picture")


def test_a_case_that_the_log_has_no_more_is_left_out(clinic: Clinic) -> None:
    clinic.settled("gone", "positive")
    (clinic.workspace.root / "predictions" / "log.jsonl").write_bytes(b"")
    clinic.serve("other")
    assert "the prediction log has it no more" in why(clinic.promote(), "gone")


def test_a_case_that_was_served_again_with_another_picture_is_left_out(clinic: Clinic) -> None:
    clinic.settled("reused", "positive")
    clinic.serve("reused", at="2026-02-01T00:00:00Z")
    done = clinic.promote()
    assert trained(done) == [] and "served again with another picture" in why(done, "reused")


def test_an_id_that_a_manifest_would_change_is_left_out(clinic: Clinic) -> None:
    clinic.settled(" spaced", "positive")
    clinic.settled("person", "positive", patient="line\nfeed")
    done = clinic.promote()
    assert trained(done) == []
    for case_id in (" spaced", "person"):
        assert "does not survive being written" in why(done, case_id)


# Never both


def test_missed_cases_are_proposed_and_not_trained_on(clinic: Clinic) -> None:
    clinic.settled("missed", "positive", score=0.1, patient="p")
    clinic.settled("sibling", "negative", score=0.2, patient="p")
    done = clinic.promote()
    assert (done.span, proposed(done)) == (None, ["missed", "sibling"])
    assert done.proposal is not None
    document = json.loads(Path(f"{done.proposal.folder}.json").read_text())
    assert {case["case_id"]: case["sentinel"] for case in document["cases"]} == {
        "missed": True,
        "sibling": False,
    }
    for case in document["cases"]:
        image = read_image(done.proposal.folder / case["image"])
        assert image.pixels_sha256 == case["pixels_sha256"]


def test_who_may_have_been_missed_holds_up_the_whole_patient(clinic: Clinic) -> None:
    clinic.settled("unknown", "positive", patient="p", positive=None)
    clinic.settled("sibling", "positive", patient="p")
    done = clinic.promote()
    assert (trained(done), proposed(done)) == ([], [])
    assert "does not say what the model decided" in why(done, "unknown")
    assert "case unknown of its patient was missed" in why(done, "sibling")


@pytest.mark.parametrize("score", [0.1, 0.9])
def test_a_picture_of_the_case_set_is_never_promoted(clinic: Clinic, score: float) -> None:
    locked = (clinic.locked / "test-1.png").read_bytes()
    clinic.settled("sneaked", "positive", picture=locked, score=score)
    done = clinic.promote()
    assert (trained(done), proposed(done)) == ([], [])
    assert "stands in the case set already" in why(done, "sneaked")


def test_a_patient_of_the_case_set_is_never_trained_on(clinic: Clinic) -> None:
    clinic.settled("same-person", "positive", patient="patient-test-1")
    done = clinic.promote()
    assert trained(done) == [] and "its patient stands in the case set" in why(done, "same-person")


def test_a_case_that_was_retired_from_the_case_set_stays_out_of_training(clinic: Clinic) -> None:
    baseline = clinic.workspace.baselines / "locked"
    image = (clinic.locked / "extra.png", clinic.picture(77))
    image[0].write_bytes(image[1])
    manifest = clinic.locked / "manifest.csv"
    manifest.write_text(
        f"{manifest.read_text()}extra.png,positive,extra,patient-extra,test,north\n"
    )
    where = {"case_set": str(baseline), "by": "A", "reason": "r"}
    amend(
        clinic.workspace.root, AmendmentRequest(**where, add=["extra"], source=str(clinic.locked))
    )
    amend(clinic.workspace.root, AmendmentRequest(**where, retire=["extra"]))
    clinic.settled("picture", "positive", picture=image[1])
    clinic.settled("person", "positive", patient="patient-extra")
    done = clinic.promote()
    assert trained(done) == [] and len(done.sides.left_out) == 2
    (baseline / "history" / "case_set-0002.json").unlink()
    with pytest.raises(IntegrityError, match="version 2 is missing"):
        clinic.promote()


def test_a_picture_of_the_development_set_is_never_trained_on(clinic: Clinic) -> None:
    from components.cases.lock import lock_source
    from components.cases.sources import open_source

    other = clinic.root / "development"
    rows = [clinic.row(f"{s}-{i}", s, i % 2) for s in ("train", "tune", "test") for i in range(2)]
    folder(other, rows)
    path = clinic.workspace.baselines / "development" / "case_set.json"
    lock_source(open_source(str(other)), path, author="A", reason="for commits")
    clinic.settled("sneaked", "positive", picture=(other / "test-0.png").read_bytes())
    done = clinic.promote()
    assert "stands in the case set already" in why(done, "sneaked") and trained(done) == []


def test_what_was_trained_on_is_never_proposed(clinic: Clinic) -> None:
    old = (clinic.spans / "span-0001" / "old-1.png").read_bytes()
    clinic.settled("known", "positive", score=0.1, picture=old)
    clinic.settled("same-person", "positive", score=0.1, patient="patient-old-0")
    done = clinic.promote()
    assert "stands in the training data already" in why(done, "known")
    assert (proposed(done), trained(done)) == ([], ["same-person"])


def test_a_patient_who_was_promoted_is_never_proposed_later(clinic: Clinic) -> None:
    clinic.settled("first", "positive", patient="p")
    clinic.promote()
    clinic.settled("second", "positive", score=0.1, patient="p")
    done = clinic.promote()
    assert (proposed(done), trained(done)) == ([], ["second"])


def test_a_patient_who_was_proposed_is_never_trained_on_later(clinic: Clinic) -> None:
    first = clinic.settled("first", "positive", score=0.1, patient="p")
    clinic.promote()
    clinic.settled("second", "positive", patient="p")
    clinic.settled("copy", "positive", patient="q", picture=first.read_bytes())
    clinic.settled("third", "positive", score=0.2, patient="p")
    done = clinic.promote()
    assert (proposed(done), trained(done)) == (["third"], [])
    assert "an earlier proposal" in why(done, "second") and "same" in why(done, "copy")


def test_what_was_promoted_counts_even_where_its_span_was_taken_away(clinic: Clinic) -> None:
    clinic.settled("first", "positive", patient="p")
    done = clinic.promote()
    assert done.span is not None
    done.span.rename(clinic.root / "elsewhere")
    clinic.settled("second", "positive", score=0.1, patient="p")
    assert proposed(clinic.promote()) == []


# The proposal is what an amendment takes


def test_the_commands_of_a_proposal_make_the_next_case_set(clinic: Clinic) -> None:
    clinic.settled("missed it's", "positive", score=0.1)
    done = clinic.promote()
    assert done.proposal is not None
    copy, command = done.proposal.next
    subprocess.run(shlex.split(copy), check=True)
    words = shlex.split(command)
    given = dict(zip(words[4::2], words[5::2]))
    assert words[:3] == ["casegate", "cases", "amend"]
    assert given["--add"] == given["--sentinel"] == "missed it's"
    asked = AmendmentRequest(
        words[3], PERSON, REASON, sentinel=[given["--sentinel"]], add=[given["--add"]]
    )
    amend(Path(given["--workspace"]), replace(asked, source=given["--source"]))
    after = load_case_set(clinic.workspace.baselines / "locked" / "case_set.json")
    assert after.version == 2
    assert [case.case_id for case in after.cases if case.sentinel] == ["missed it's"]
    verify_case_set(words[3], clinic.workspace, str(clinic.locked))


# What is refused


def test_without_a_name_or_a_case_set_nothing_is_promoted(clinic: Clinic) -> None:
    from pipeline.feedback.promote import promote
    from pipeline.settings.config import load_config

    clinic.settled("agreed", "positive")
    settings = [f"data.source={clinic.spans}/span-{{SPAN:4}}"]
    for by, config, words in (
        (" ", clinic.config, "--by"),
        (PERSON, load_config(None, settings), "no such case set"),
        (PERSON, load_config(None, [*settings, "case_set.baseline=none"]), "no such case set"),
    ):
        with pytest.raises(ConfigError, match=words):
            promote(config, clinic.workspace, clinic.served, by=by, reason=REASON, images=None)
    assert not (clinic.spans / "span-0002").exists()


def test_without_a_first_span_there_is_no_next(clinic: Clinic) -> None:
    clinic.settled("agreed", "positive")
    (clinic.spans / "span-0001").rename(clinic.root / "elsewhere")
    with pytest.raises(SourceError, match="no span in"):
        clinic.promote()


def test_two_promotions_at_once_are_one(clinic: Clinic) -> None:
    clinic.settled("agreed", "positive")
    lock = clinic.places.workspace / "feedback" / ".lock"
    with lock_file(lock, str), pytest.raises(WorkspaceBusy, match="another promotion"):
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
        with pytest.raises(IntegrityError, match="no record of it"):
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
    write = sending.writing.write_proposal

    def delivered(*given: object) -> object:
        (waiting.spans / "span-0002").mkdir()
        (waiting.spans / "span-0002" / "new.png").write_bytes(b"theirs")
        return write(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(sending.writing, "write_proposal", delivered)
        with pytest.raises(ConfigError, match="appeared meanwhile"):
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
        from dataclasses import replace

        from pipeline.feedback.images import read_image

        pixels = frozenset({read_image(promoted).pixels_sha256})
        return found[0], replace(found[1], pixels=pixels)

    with monkeypatch.context() as patch:
        patch.setattr(sending, "find_judging_cases", amended)
        with pytest.raises(IntegrityError, match="case 'agreed' must not be trained on"):
            waiting.promote()
    assert len(calls) == call
    assert spans(waiting) == ["span-0001"]
    assert not list(waiting.places.promotions.glob("*.json"))
    assert not Ledger(waiting.workspace.ledger).entries()


def test_what_reads_back_otherwise_is_not_promoted(
    waiting: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = sending.writing.write_span

    def altered(folder: Path, *given: object) -> str:
        sha256 = write(folder, *given)  # type: ignore[arg-type]
        path = folder / "manifest.csv"
        path.write_text(path.read_text().replace("positive", "negative"))
        return sha256

    with monkeypatch.context() as patch:
        patch.setattr(sending.writing, "write_span", altered)
        with pytest.raises(IntegrityError, match="reads back as other cases"):
            waiting.promote()
    assert spans(waiting) == ["span-0001"]


def test_a_case_that_is_missing_from_what_was_written_is_found(
    waiting: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = sending.writing.write_span

    def shortened(folder: Path, *given: object) -> str:
        sha256 = write(folder, *given)  # type: ignore[arg-type]
        path = folder / "manifest.csv"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
        return sha256

    with monkeypatch.context() as patch:
        patch.setattr(sending.writing, "write_span", shortened)
        with pytest.raises(IntegrityError, match="case 'agreed' is missing"):
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
        with pytest.raises(IntegrityError, match="reads back as another image"):
            waiting.promote()
    assert spans(waiting) == ["span-0001"] and not list(waiting.places.proposals.iterdir())
