"""A decision that does not follow from its evidence is found, however well its hashes fit."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from components.baselines.scores import Attention
from components.bundle.archive import read_archive
from components.bundle.manifest import check_manifest
from components.decision import (
    CheckResult,
    Decision,
    ExportDecision,
    Flips,
    Looks,
    SelfTest,
    Verdict,
)
from components.records.errors import IntegrityError
from components.records.ledger.ledger import Entry
from pipeline.evidence.bundle.check import check
from pipeline.evidence.bundle.checked_bundle import (
    Bundle,
    BundleEvidence,
    check_chain,
    check_evidence,
    check_named,
    check_record,
)
from pipeline.evidence.bundle.rejudge import RejudgedBundle, rejudge
from tests.pipeline.evidence.bundling import bundled
from tests.pipeline.evidence.releasing import released
from tests.refusing import refused

FLOOR = "sensitivity[overall].floor"
MANY = tuple(range(30))  # too many missed positives for the floor

Forgery = Callable[[Decision], Decision]


def altered(decision: Decision, name: str, **changes: object) -> Decision:
    checks = tuple(
        replace(one, **changes) if one.check == name else one  # type: ignore[arg-type]
        for one in decision.checks
    )
    return replace(decision, checks=checks)


def passing(decision: Decision) -> Decision:
    """A failed decision whose every check was made to say PASS."""
    checks = tuple(replace(one, verdict=Verdict.PASS) for one in decision.checks)
    return replace(decision, checks=checks, verdict=Verdict.PASS, exit_code=0)


def without(name: str) -> Forgery:
    return lambda d: replace(d, checks=tuple(one for one in d.checks if one.check != name))


@dataclass(frozen=True, eq=False)
class Judged:
    """What a sound bundle holds, read as a check reads it."""

    decision: Decision
    given: BundleEvidence
    before: tuple[Entry, ...]

    def again(self, forged: Forgery) -> RejudgedBundle:
        return rejudge(forged(self.decision), self.given, self.before)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    folder = tmp_path_factory.mktemp("rejudge")
    path = bundled(released(folder), folder / "b.zip")
    files = read_archive(path)
    bundle = Bundle(path.name, files, check_manifest(files))
    record, decision = check_record(bundle)
    entries = check_chain(bundle, None)
    chain = check_named(bundle, entries, record, decision)
    assert decision is not None
    assert chain.decided is not None
    given = check_evidence(bundle, record, decision)
    return Judged(decision, given, entries[: chain.decided.seq - 1])


def test_where_the_heat_lay_is_judged_again_from_the_shares(judged: Judged) -> None:
    (recorded,) = [one for one in judged.decision.checks if one.rule == "attention"]
    assert recorded.verdict is Verdict.PASS and recorded.n == 40
    candidate = judged.given.candidate
    assert candidate is not None and candidate.attention is not None
    fewer = dict(list(candidate.attention.shares.items())[1:])
    given = replace(judged.given, candidate=replace(candidate, attention=Attention(fewer)))
    with refused(IntegrityError, "attention.champion", "40", "39"):
        replace(judged, given=given).again(lambda decision: decision)
    with refused(IntegrityError, "attention.champion", "PASS"):
        judged.again(lambda d: altered(d, "attention.champion", verdict=Verdict.FAIL))


def test_what_became_of_artefacts_stands_as_recorded_and_follows_from_itself(
    judged: Judged,
) -> None:
    def exported(decision: Decision, verdict: Verdict = Verdict.FAIL) -> Decision:
        export = ExportDecision("tfjs", verdict, False, None, None, None, {}, ())
        check = CheckResult("exports[tfjs]", "export", Verdict.FAIL, "", role="supporting")
        tried = SelfTest("exports[tfjs] of a copy", "no PASS", "no PASS", True)
        return replace(
            decision,
            exports=(export,),
            checks=(*decision.checks, check),
            self_tests=(*decision.self_tests, tried),
        )

    assert any("exports[tfjs]" in line for line in judged.again(exported).as_recorded)
    with refused(IntegrityError, "exports[tfjs]", "FAIL recorded"):
        judged.again(lambda d: exported(d, Verdict.PASS))
    with refused(IntegrityError, "exports[tfjs]"):
        judged.again(lambda d: without("exports[tfjs]")(exported(d)))


def refuses(tmp_path: Path, forged: Forgery, *facts: str) -> None:
    """Of a candidate that misses too many, in a bundle whose every hash fits."""
    run = released(tmp_path, wrong=MANY, forged=forged)
    with refused(IntegrityError, *facts):
        check(bundled(run, tmp_path / "b.zip"))


def test_a_failed_candidate_made_to_pass_is_found(tmp_path: Path) -> None:
    refuses(tmp_path, passing, f"check {FLOOR}: verdict: PASS recorded, FAIL ")


def test_a_sound_failed_decision_checks(tmp_path: Path) -> None:
    run = released(tmp_path, wrong=MANY)
    rows = check(bundled(run, tmp_path / "b.zip")).tables[0].rows
    assert any("judged again: FAIL" in str(row[2]) for row in rows)


def test_a_failed_check_that_was_left_out_is_missed(tmp_path: Path) -> None:
    def forged(decision: Decision) -> Decision:
        return replace(without(FLOOR)(decision), verdict=Verdict.PASS, exit_code=0)

    refuses(tmp_path, forged, f"check {FLOOR}: is missing")


@pytest.mark.parametrize(
    "forged, facts",
    [
        (lambda d: altered(d, FLOOR, lower=0.99), (FLOOR, "lower: 0.99 recorded")),
        (lambda d: altered(d, FLOOR, limit=0.1), "limit: 0.1 recorded, 0.6 "),
        (lambda d: altered(d, FLOOR, n=4000), r"n: 4000 recorded, 40 "),
        (lambda d: altered(d, FLOOR, role="supporting"), "role: supporting recorded"),
        (lambda d: altered(d, FLOOR, waived=True), "waived: True recorded, False "),
        (lambda d: altered(d, "coverage[device=Aster]", n=200), "n: 200 recorded, 2 "),
        (lambda d: replace(d, looks=Looks(1, 20)), "looks.used: 1 recorded, 2 "),
        (lambda d: replace(d, exit_code=1), "exit code 1"),
        (lambda d: replace(d, verdict=Verdict.FAIL), ("FAIL", "PASS")),
        (lambda d: replace(d, flips=(Flips("champion", (), ()), *d.flips[1:])), "flips"),
        (lambda d: replace(d, self_tests=d.self_tests[1:]), "self_tests"),
        (lambda d: replace(d, alpha=0.2), "alpha: 0.2 recorded"),
        (lambda d: replace(d, patients="clustered"), "patients"),
        (lambda d: replace(d, already_released=True), "already_released"),
        (
            lambda d: replace(d, checks=(*d.checks, CheckResult("x", "floor", Verdict.PASS, "r"))),
            "check x: ",
        ),
    ],
)  # fmt: skip
def test_whatever_was_altered_in_a_decision_is_named(
    judged: Judged, forged: Forgery, facts: str | tuple[str, ...]
) -> None:
    with refused(IntegrityError, *((facts,) if isinstance(facts, str) else facts)):
        judged.again(forged)


def test_the_evaluators_word_is_taken_and_named_as_such(judged: Judged) -> None:
    found = judged.again(lambda d: altered(d, "evaluator", verdict=Verdict.PASS, reason="planted"))
    assert found.as_recorded == ("evaluator: the Evaluator works from the pictures",)
    assert found.checks == len(judged.decision.checks) - 1


def test_an_evaluator_that_did_not_bless_cannot_be_overlooked(judged: Judged) -> None:
    with refused(IntegrityError, "PASS", "FAIL"):
        judged.again(lambda d: altered(d, "evaluator", verdict=Verdict.FAIL))


def test_figures_may_differ_in_the_last_digits_of_another_processor(judged: Judged) -> None:
    def nudged(decision: Decision) -> Decision:
        floor = next(one for one in decision.checks if one.check == FLOOR)
        return altered(decision, FLOOR, lower=float(str(floor.lower)) * (1 + 1e-13))

    assert judged.again(nudged).checks == len(judged.decision.checks) - 1


def test_a_withdrawn_model_leaves_that_one_check_as_recorded(judged: Judged) -> None:
    body = {
        "from_model_sha256": "a" * 64,
        "to_model_sha256": "b" * 64,
        "reason": "drill",
    }
    rollback = Entry(9, "2026-01-01T00:00:00Z", "rollback", "Dr. Okafor", body, "0" * 64, "0" * 64)
    check_ = CheckResult("baseline.withdrawn", "baseline", Verdict.FAIL, "rolled back")
    forged = replace(
        judged.decision,
        checks=(*judged.decision.checks, check_),
        verdict=Verdict.FAIL,
        exit_code=1,
    )
    found = rejudge(forged, judged.given, (*judged.before, rollback))
    assert "baseline.withdrawn: needs the scores" in found.as_recorded[-1]


def test_a_decision_of_before_anybody_served_a_model_stands_as_it_was(judged: Judged) -> None:
    assert judged.given.candidate is not None
    old = replace(judged.given, candidate=replace(judged.given.candidate, served=None))
    before = without("servable")(without("agreement")(judged.decision))
    done = rejudge(before, old, judged.before)
    assert done.checks == judged.again(lambda decision: decision).checks - 2


def test_a_decision_of_before_a_model_was_asked_with_other_bytes_stands_as_it_was(
    judged: Judged,
) -> None:
    assert judged.given.candidate is not None and judged.given.candidate.served is not None
    served = replace(judged.given.candidate.served, agreement=None)
    old = replace(judged.given, candidate=replace(judged.given.candidate, served=served))
    done = rejudge(without("agreement")(judged.decision), old, judged.before)
    assert done.checks == judged.again(lambda decision: decision).checks - 1
    with refused(IntegrityError, "check agreement: is missing"):
        judged.again(without("agreement"))


def test_the_check_cannot_be_left_out_where_the_scores_say_that_it_was_served(
    judged: Judged,
) -> None:
    with refused(IntegrityError, "check servable: is missing"):
        judged.again(without("servable"))
