"""A promotion that is cut short anywhere: no case twice, none on both sides, none forgotten."""

import json
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from components.baselines.case_set import load_case_set
from components.cases.manifest import list_manifest
from components.cases.spans import resolve_spans
from components.records.errors import IntegrityError
from components.records.ledger.ledger import Ledger
from pipeline.feedback.images import read_image
from pipeline.feedback.promote import preview
from pipeline.governance.amendment import AmendmentRequest, amend
from pipeline.governance.case_sets import verify_case_set
from tests.pipeline.feedback.making import (
    PERSON,
    REASON,
    Clinic,
    folder,
    proposed,
    snapshot,
    trained,
    why,
)
from tests.refusing import refused

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
    assert found.numbers == (1, 2) and found.names[-1] == "span-0002"
    listed = list_manifest(clinic.spans / "span-0002", "span-0002").files
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
    assert trained(done) == [] and "its patient" in why(done, "same-person")


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
    with refused(IntegrityError, "case_set-0002.json", "version 2"):
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
    assert "case set" in why(done, "sneaked") and trained(done) == []


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
