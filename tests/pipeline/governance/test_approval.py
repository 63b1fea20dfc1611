"""Every later golden, by proposal and approval."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from components.baselines.case_set import save_case_set
from components.baselines.golden import Golden, load_proposal, save_golden
from components.decision import Verdict
from components.records.errors import ConfigError, IntegrityError, WorkspaceBusy
from components.records.ledger.records import Waiver
from components.records.run_files import DECISION, REQUEST, SCORES
from pipeline.governance.approval import approve_golden, propose_golden
from pipeline.governance.golden_record import HISTORY, PROPOSAL, hold_baseline
from tests.components.gate.test_decide import CASES
from tests.components.planting import locked, scored, sha
from tests.dying import killed_before_each_change
from tests.pipeline.governing import PERSON, REASON, Governed
from tests.refusing import refused

# Proposal and approval


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Governed:
    """Golden of run-1, and run-2 that passed against it."""
    made = Governed(tmp_path_factory.mktemp("template"))
    made.first()
    made.run("run-2")
    return made


@pytest.fixture
def governed(template: Governed, tmp_path: Path) -> Governed:
    return template.copied(tmp_path)


def propose(governed: Governed, run_id: str = "run-2", by: str = "B. Statistician") -> Path:
    return propose_golden(governed.root, run_id=run_id, by=by)[0]


def move(governed: Governed, by: str = PERSON, reason: str = REASON) -> Golden:
    return approve_golden(governed.root, by=by, reason=reason).golden


def judged_scores(governed: Governed, run_id: str) -> str:
    text = (governed.workspace.run_folder(run_id) / DECISION).read_text()
    return str(json.loads(text)["hashes"]["candidate_scores"])


def test_a_proposal_moves_nothing(governed: Governed) -> None:
    before = (governed.baseline / "golden.json").read_bytes()
    path = propose(governed)
    proposal = load_proposal(path)
    assert path == governed.baseline / PROPOSAL
    assert (proposal.by, proposal.run_id) == ("B. Statistician", "run-2")
    assert proposal.scores.scores_sha256 == judged_scores(governed, "run-2")
    assert (governed.baseline / "golden.json").read_bytes() == before
    assert [e.kind for e in governed.ledger.entries()] == ["decision", "approval", "decision"]


def test_an_approved_proposal_is_golden_and_names_its_decision(governed: Governed) -> None:
    proposal = load_proposal(propose(governed))
    golden = move(governed)
    assert governed.golden.golden_sha256 == golden.golden_sha256
    assert golden.scores.scores_sha256 == proposal.scores.scores_sha256
    assert (golden.approval.by, golden.approval.reason) == (PERSON, REASON)
    assert golden.approval.decision_sha256 == proposal.decision_sha256
    assert not (governed.baseline / PROPOSAL).exists()


def test_the_golden_before_is_kept_and_both_are_on_record(governed: Governed) -> None:
    before, content = governed.golden, (governed.baseline / "golden.json").read_bytes()
    propose(governed)
    move(governed)
    assert (governed.baseline / HISTORY / "golden-0001.json").read_bytes() == content
    body = governed.ledger.entries()[-1].body
    assert body["from_golden_sha256"] == before.golden_sha256
    assert body["to_golden_sha256"] == governed.golden.golden_sha256
    assert body["decision_sha256"] == governed.golden.approval.decision_sha256
    assert (body["proposed_by"], body["reason"]) == ("B. Statistician", REASON)


def test_each_approval_adds_to_the_history_and_overwrites_nothing(governed: Governed) -> None:
    propose(governed)
    move(governed)
    first = (governed.baseline / HISTORY / "golden-0001.json").read_bytes()
    governed.approved("run-3")
    governed.approved("run-4")
    names = sorted(path.name for path in (governed.baseline / HISTORY).iterdir())
    assert names == ["golden-0001.json", "golden-0002.json", "golden-0003.json"]
    assert (governed.baseline / HISTORY / "golden-0001.json").read_bytes() == first


def test_what_did_not_pass_is_not_proposed(governed: Governed) -> None:
    governed.run("failed", scored(CASES, wrong=range(60)))
    governed.run("unsure", scored(CASES, wrong=range(10, 18)))
    for run_id, verdict in (("failed", "FAIL"), ("unsure", "INCONCLUSIVE")):
        with refused(ConfigError, f"run {run_id}: ", f"{verdict} (sensitivity[overall]"):
            propose(governed, run_id)


def test_waivers_are_allowed_and_shown(governed: Governed) -> None:
    given = Waiver(
        check="sensitivity[overall].non_inferiority.golden",
        run_id="earlier",
        decision_sha256=sha("earlier"),
        candidate_sha256=sha("run-3"),
        case_set_root=CASES.merkle_root,
        policy_sha256=sha("policy"),
        by=PERSON,
        second="B. Statistician",
        reason="few cases",
        expires="2025-12-31",
        at="2025-03-01T12:00:00Z",
    )
    worse = scored(CASES, wrong=range(10, 18), model="run-3")
    decision = governed.run("run-3", worse, champion=worse_champion(), waivers=(given,))
    assert decision.verdict is Verdict.PASS
    proposal = load_proposal(propose(governed, "run-3"))
    assert proposal.waived == (given.check,)


def worse_champion() -> tuple[int, ...]:
    return tuple(range(10, 18))


def test_five_small_losses_in_a_row_cannot_be_approved_from_old_decisions(
    governed: Governed,
) -> None:
    governed.run("run-3", scored(CASES, wrong=[3, 4], model="run-3"))
    propose(governed)
    move(governed)
    with refused(ConfigError, "run run-3: ", "planted/golden.json"):
        propose(governed, "run-3")


def test_golden_that_moved_after_the_proposal_stops_the_approval(governed: Governed) -> None:
    governed.run("run-3")
    kept = propose(governed).read_bytes()
    propose(governed, "run-3")
    move(governed)
    (governed.baseline / PROPOSAL).write_bytes(kept)
    with refused(ConfigError, "run run-2: ", "planted/golden.json"):
        move(governed)


def test_what_is_golden_already_is_not_proposed(governed: Governed) -> None:
    propose(governed)
    move(governed)
    with refused(ConfigError, "run run-2: ", "golden already"):
        propose(governed)


def test_a_case_set_amended_since_stops_proposal_and_approval(governed: Governed) -> None:
    propose(governed)
    save_case_set(locked(200, 200, sentinels=[1]), governed.baseline / "case_set.json")
    for act in (lambda: propose(governed), lambda: move(governed)):
        with refused(IntegrityError, "planted/case_set.json", "run run-2", CASES.merkle_root[:12]):
            act()


@pytest.mark.parametrize(
    "spoil, fact",
    [
        (lambda text: text.replace("B. Statistician", "C. Statistician"), "proposal_sha256"),
        (lambda text: text.replace('["case-0000",0.8]', '["case-0000",0.9]'), "they hash to "),
        (lambda text: text.replace('"run_id"', '"runid"'), "unknown key 'runid'"),
        (lambda text: text[:100], "not valid JSON"),
    ],
)
def test_an_edited_proposal_is_not_approved(
    governed: Governed, spoil: Callable[[str], str], fact: str
) -> None:
    path = propose(governed)
    path.write_text(spoil(path.read_text()))
    with refused(IntegrityError, "planted/proposal.json", fact):
        move(governed)


def test_a_forged_proposal_is_not_approved(governed: Governed) -> None:
    proposal = load_proposal(propose(governed))
    governed.run("run-3")
    other = scored(CASES, wrong=range(9), model="run-2")
    for forged in (
        replace(proposal, scores=other),
        replace(proposal, run_id="run-3"),
        replace(proposal, decision_sha256=sha("another")),
    ):
        save_golden(forged, governed.baseline / PROPOSAL)
        with refused(IntegrityError, "planted/proposal.json", f"run {forged.run_id} "):
            move(governed)


def test_scores_other_than_those_decided_on_are_not_proposed(governed: Governed) -> None:
    governed.run("run-3")
    one, other = (governed.workspace.run_folder(name) / SCORES for name in ("run-2", "run-3"))
    one.write_bytes(other.read_bytes())
    with refused(IntegrityError, "run-2/scores.json"):
        propose(governed)


def test_golden_that_nobody_approved_stops_the_next_approval(governed: Governed) -> None:
    forged = replace(governed.golden, scores=scored(CASES, wrong=range(50), model="forged"))
    save_golden(forged, governed.baseline / "golden.json")
    with refused(IntegrityError, "planted/golden.json", "entry 2 "):
        propose(governed)


def test_golden_approved_by_a_colleague_since_is_gone_on_from(governed: Governed) -> None:
    (governed.baseline / HISTORY).mkdir()
    shutil.copy(governed.baseline / "golden.json", governed.baseline / HISTORY / "golden-0001.json")
    theirs = replace(governed.golden, scores=scored(CASES, wrong=[7], model="theirs"))
    save_golden(theirs, governed.baseline / "golden.json")
    governed.approved("run-3")
    assert (governed.baseline / HISTORY / "golden-0002.json").exists()


def test_an_old_golden_put_back_is_replaced_by_the_approved_one(governed: Governed) -> None:
    old = (governed.baseline / "golden.json").read_bytes()
    propose(governed)
    approved = move(governed)
    (governed.baseline / "golden.json").write_bytes(old)
    assert approve_golden(governed.root, by=PERSON, reason=REASON).finished
    assert governed.golden.golden_sha256 == approved.golden_sha256


def test_what_was_cut_short_is_finished_from_the_very_scores_or_not_at_all(
    governed: Governed,
) -> None:
    old = (governed.baseline / "golden.json").read_bytes()
    propose(governed)
    move(governed)
    (governed.baseline / "golden.json").write_bytes(old)
    scores = governed.workspace.run_folder("run-2") / SCORES
    # The one thing in the file that its own hash does not cover, and golden's does.
    scores.write_text(scores.read_text().replace('"latency_ms": null', '"latency_ms": {"p50":1.0}'))
    with refused(IntegrityError, "runs/run-2: ", "entry 4 "):
        move(governed)
    assert (governed.baseline / "golden.json").read_bytes() == old


def test_a_proposal_of_a_run_that_another_baseline_judged_is_not_approved(
    governed: Governed,
) -> None:
    proposal = propose(governed)
    other = governed.workspace.baselines / "other"
    shutil.copytree(governed.baseline, other)
    proposal.unlink()
    governed.run("run-3")  # keeps the first baseline known to the workspace
    request = governed.workspace.run_folder("run-1") / REQUEST
    request.write_text(request.read_text().replace("/planted/", "/other/"))
    with refused(IntegrityError, "other/proposal.json", "run run-2 "):
        move(governed)


@pytest.mark.parametrize("missing", ["by", "reason"])
def test_nobody_and_no_reason_move_nothing(governed: Governed, missing: str) -> None:
    propose(governed)
    with refused(ConfigError, f"--{missing}: got ' '"):
        move(governed, **{missing: " "})


def test_without_a_proposal_there_is_nothing_to_approve(governed: Governed) -> None:
    with refused(ConfigError, governed.root, "casegate baseline propose"):
        move(governed)


def test_an_approval_from_another_workspace_at_the_same_time_is_waited_out(
    governed: Governed,
) -> None:
    propose(governed)
    with hold_baseline(governed.baseline), refused(WorkspaceBusy, governed.baseline):
        move(governed)


@pytest.mark.process
def test_an_approval_killed_at_any_instant_leaves_old_or_new_golden_and_is_finished_next(
    governed: Governed, tmp_path: Path
) -> None:
    propose(governed)
    shutil.copytree(governed.root, tmp_path / "before")
    old, new = governed.golden.scores.scores_sha256, judged_scores(governed, "run-2")

    def prepare() -> None:
        shutil.rmtree(governed.root)
        shutil.copytree(tmp_path / "before", governed.root)

    outcomes = set()
    for _ in killed_before_each_change(prepare, lambda: move(governed)):
        recorded = governed.ledger.entries()[-1].kind == "approval"
        golden = governed.golden.scores.scores_sha256
        assert golden in (old, new)
        outcomes.add((recorded, golden == new))
        if golden == old:
            again = approve_golden(governed.root, by="C. Other", reason="the second try")
            assert again.finished == recorded
            assert governed.golden.approval.by == (PERSON if recorded else "C. Other")
        else:
            with refused(ConfigError, governed.root, "casegate baseline propose"):
                move(governed)
        assert not (governed.baseline / PROPOSAL).exists()
        approvals = [e for e in governed.ledger.entries() if e.kind == "approval"]
        assert len(approvals) == 2
        assert governed.golden.golden_sha256 == approvals[-1].body["to_golden_sha256"]
        assert len(list((governed.baseline / HISTORY).glob("golden-*.json"))) == 1
    assert outcomes == {(False, False), (True, False), (True, True)}
