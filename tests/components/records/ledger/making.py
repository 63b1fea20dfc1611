"""Ledgers with entries of every kind."""

from pathlib import Path
from typing import Any

from components.records.ledger.ledger import Entry, Ledger
from tests.components.planting import sha

AT = "2025-03-31T12:00:00Z"
PERSON = "A. Radiologist"

BODIES: dict[str, dict[str, Any]] = {
    "decision": {
        "run_id": "run-1",
        "decision_sha256": sha("decision"),
        "verdict": "PASS",
        "exit_code": 0,
        "candidate_sha256": sha("candidate"),
        "champion_sha256": None,
        "golden_sha256": sha("golden model"),
        "case_set": "planted",
        "case_set_version": 1,
        "case_set_root": sha("root 1"),
        "policy_sha256": sha("policy"),
        "already_released": False,
        "waived": [],
    },
    "look": {
        "run_id": "run-1",
        "case_set": "planted",
        "case_set_version": 1,
        "case_set_root": sha("root 1"),
    },
    "approval": {
        "baseline": "baselines/planted",
        "from_golden_sha256": None,
        "to_golden_sha256": sha("golden"),
        "decision_sha256": sha("decision"),
        "run_id": "run-1",
        "model_sha256": sha("candidate"),
        "scores_sha256": sha("scores"),
        "case_set_root": sha("root 1"),
        "proposed_by": "B. Statistician",
        "reason": "as good on every device",
    },
    "waiver": {
        "check": "sensitivity[overall].floor",
        "run_id": "run-1",
        "decision_sha256": sha("decision"),
        "candidate_sha256": sha("candidate"),
        "case_set_root": sha("root 1"),
        "policy_sha256": sha("policy"),
        "second": "B. Statistician",
        "reason": 'few cases: 日本 \\ " \n\u2028',
        "expires": "2025-12-31",
    },
    "amendment": {
        "case_set": "planted",
        "from_version": 1,
        "from_root": sha("root 1"),
        "to_version": 2,
        "to_root": sha("root 2"),
        "reason": "two cases from the new device",
        "added": ["case-0400", "case-0401"],
    },
    "release": {
        "destination": "serving/pneumonia",
        "version": 1767261600,
        "model_sha256": sha("candidate"),
        "run_id": "run-1",
        "decision_sha256": sha("decision"),
    },
    "rollback": {
        "destination": "serving/pneumonia",
        "from_version": 2,
        "to_version": 1,
        "new_version": 3,
        "from_model_sha256": sha("candidate"),
        "to_model_sha256": sha("earlier"),
        "decision_sha256": sha("earlier decision"),
        "reason": "complaints from the ward",
    },
    "run": {
        "run_id": "run-1",
        "state": "released",
        "exit_code": 0,
        "record_sha256": sha("record"),
    },
    "drift": {
        "report": "monitoring/20261201T030000.000000Z/report.json",
        "report_sha256": sha("report"),
        "first": "2026-11-24T00:00:00Z",
        "last": "2026-11-30T23:59:59Z",
        "cases": 412,
        "moved": ["device", "sharpness"],
        "retraining": True,
    },
    "promotion": {
        "span": "data/hospital/span-0007",
        "span_sha256": sha("span"),
        "cases": ["served-1"],
        "proposed_sentinels": ["served-2"],
        "feedback_head": sha("feedback"),
        "reason": "read by two",
    },
    "retention": {
        "list": "retention/20261201T030000.000000Z.json",
        "list_sha256": sha("list"),
        "files": 12,
        "bytes": 40_000_000,
        "runs": ["run-1"],
    },
}


def add(ledger: Ledger, kind: str = "look", **changed: Any) -> Entry:
    """Appends an entry of this kind, with some keys of its body changed."""
    return ledger.append(kind, {**BODIES[kind], **changed}, by=PERSON, at=AT)


def filled(folder: Path) -> Ledger:
    """A ledger with one entry of each kind."""
    ledger = Ledger(folder / "ledger.jsonl")
    for kind in BODIES:
        add(ledger, kind)
    return ledger
