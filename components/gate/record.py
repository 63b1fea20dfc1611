"""Judging with a memory: every look at the case set counts, and what people decided holds.

A look is written down before anything is judged, so that no crash and no second try hides one.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.baselines.scores import CaseScores, load_scores
from components.decision import Decision, load_decision
from components.gate.decide import decide
from components.gate.preconditions import Withdrawn
from components.records.clock import utc_now
from components.records.ledger.ledger import Ledger
from components.records.ledger.records import Withdrawal, looks_by_name, waivers, withdrawn
from components.records.run_files import DECISION, SCORES

BY = "casegate"


def judge(ledger: Ledger | None, runs: Path | None, **given: Any) -> Decision:
    """The decision on `given`, the arguments of `decide`, in the light of the ledger.

    It is `created` now, unless `given` says when.

    Args:
      ledger: where looks are counted, and waivers and withdrawn models stand; None where nobody
        keeps one: then the decision says that looks were not counted.
      runs: the folder of runs, each with its decision and scores; None where there is none.
    """
    if ledger is None:
        note = "no ledger: looks at the case set are not counted, and waivers do not apply"
        given["findings"] = (*given["findings"], note)
        return decide(**{"created": utc_now(), **given})
    case_set, candidate = given["case_set"], given["candidate"]
    ledger.append(
        "look",
        {
            "run_id": given["run_id"],
            "case_set": case_set.name,
            "case_set_version": case_set.version,
            "case_set_root": case_set.merkle_root,
            "candidate_sha256": candidate.model_sha256,
            "policy_sha256": given["policy"].sha256,
        },
        by=BY,
        at=utc_now(),
    )
    entries = ledger.entries()
    return decide(
        **{"created": utc_now(), **given},
        looks_used=looks_by_name(entries, case_set.name),
        waivers=waivers(entries),
        withdrawn=[_withdrawn(one, runs) for one in withdrawn(entries)],
    )


def record(ledger: Ledger, decision: Decision) -> None:
    """Writes down a decision that is on disk already."""
    hashes, case_set = decision.hashes, decision.case_set
    exports = {export.kind: export.verdict.value for export in decision.exports}
    ledger.append(
        "decision",
        {
            "run_id": decision.run_id,
            "decision_sha256": decision.decision_sha256,
            "verdict": decision.verdict.value,
            "exit_code": decision.exit_code,
            "candidate_sha256": hashes["candidate"],
            "champion_sha256": hashes["champion"],
            "golden_sha256": hashes["golden"],
            "case_set": case_set["name"],
            "case_set_version": case_set["version"],
            "case_set_root": hashes["case_set"],
            "policy_sha256": hashes["policy"],
            "already_released": decision.already_released,
            "waived": [check.check for check in decision.checks if check.waived],
            **({"exports": exports} if exports else {}),
        },
        by=BY,
        at=utc_now(),
    )


def decisions_on(runs: Path, model_sha256: str) -> Iterator[tuple[Path, Decision]]:
    """The run folders under `runs` that judged these files as candidate, newest first."""
    for path in sorted(runs.glob(f"*/{DECISION}"), reverse=True):
        # Years of decisions may lie here; only one that names these files is worth checking.
        if model_sha256.encode() in path.read_bytes():
            decision = load_decision(path)
            if decision.hashes["candidate"] == model_sha256:
                yield path.parent, decision


def _withdrawn(one: Withdrawal, runs: Path | None) -> Withdrawn:
    why = f"by {one.by} on {one.at[:10]}: {one.reason}"
    return Withdrawn(one.model_sha256, _scores_of(one.model_sha256, runs), why)


def _scores_of(model_sha256: str, runs: Path | None) -> CaseScores | None:
    """The scores of a model that was judged here."""
    for folder, decision in decisions_on(runs, model_sha256) if runs else ():
        scores = load_scores(folder / SCORES)
        if scores.scores_sha256 == decision.hashes["candidate_scores"]:
            return scores
    return None
