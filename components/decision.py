"""The persisted verdict, with every number and hash that led to it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from components.records.errors import IntegrityError
from components.records.files import sha256_json, write_atomically
from components.records.rows import json_with_rows
from components.records.schema import parse_json, read_json, read_known

SCHEMA_VERSION = 1

EXIT_PASS = 0
EXIT_FAIL = 1
EXIT_INCONCLUSIVE = 3
EXIT_INTEGRITY = 4
EXIT_NOTHING_EVALUATED = 5
EXIT_BROKEN = 70


class Verdict(str, Enum):
    PASS = "PASS"  # noqa: S105 - no password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class CheckResult:
    """One rule applied once.

    Attributes:
      check: unique within the decision, such as `sensitivity[overall].floor`.
      rule: floor, ceiling, non_inferiority, negative_flips, sentinel, latency, looks, coverage,
        attention, servable, agreement, evaluator, scores, self_test, baseline, site or export; of
        an exported artefact also alike (a floor) and apart (a ceiling), against the candidate.
      against: none, champion or golden; of an exported artefact none, golden or candidate.
      n: cases it was judged on; patients where the policy aggregates to them.
      limit: what the bounds were compared with: a floor, a ceiling, a margin with its sign.
      reason: one line, for a person.
      role: gate, or supporting where it is reported and decides nothing.
      waived: two people let this check through by name; its verdict stays what it was.
    """

    check: str
    rule: str
    verdict: Verdict
    reason: str
    metric: str | None = None
    slice: str | None = None
    against: str = "none"
    n: int = 0
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    limit: float | None = None
    method: str | None = None
    role: str = "gate"
    waived: bool = False

    @property
    def open(self) -> bool:
        """Whether it stands between the candidate and a release."""
        return self.verdict is not Verdict.PASS and self.role == "gate" and not self.waived


@dataclass(frozen=True)
class Flips:
    """Ids of the cases that turned right and that turned wrong against a baseline, in order.

    Attributes:
      lost_sentinels: those of `lost` that are never to be missed.
    """

    against: str
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    lost_sentinels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """A slice of the positives (sensitivity) or negatives (specificity) against a baseline.

    It gates nothing: it says where a change lies. Cases are taken as independent.

    Attributes:
      both, gained, lost, neither: cases that both models have right, that only the candidate
        has, that only the baseline has, and that neither has.
      exact, mid_p, asymptotic: two-sided p values of McNemar's test.
      holm: the exact p adjusted by Holm over all slices compared with this baseline.
      regressed: more lost than gained, and `holm` is at most twice the policy's alpha.
    """

    against: str
    metric: str
    slice: str
    both: int
    gained: int
    lost: int
    neither: int
    exact: float
    mid_p: float
    asymptotic: float
    holm: float
    regressed: bool


@dataclass(frozen=True)
class WaiverNote:
    """A waiver that names this candidate, and what became of it.

    Attributes:
      by, second: the two people who let the check through.
      expires: last day (ISO 8601, UTC) on which it holds.
      state: applied, expired, or not_needed where the check passes or is not there.
    """

    check: str
    by: str
    second: str
    reason: str
    expires: str
    state: str


@dataclass(frozen=True)
class Looks:
    """How often the case set has judged, this time included; `used` is None where nobody counts."""

    used: int | None
    planned: int


@dataclass(frozen=True)
class SelfTest:
    """One planted input, what the gate had to answer and what it answered."""

    name: str
    wanted: str
    got: str
    passed: bool


@dataclass(frozen=True)
class SliceEstimate:
    """A metric of the candidate on a slice, reported and never gated."""

    metric: str
    slice: str
    n: int
    estimate: float
    lower: float
    upper: float
    method: str


@dataclass(frozen=True)
class RuntimeFindings:
    """What one runtime made of an exported artefact, measured against the float candidate.

    Attributes:
      version: of the runtime, as it says itself.
      scores_sha256: hex, of its scores; None where it could not be asked.
      n: cases that both were asked for; `alike`: those that both call the same, each at its own
        operating point.
      largest_difference: between the two scores of a case, in probability, and `case_id` whose.
      latency_ms: as in its scores.
      peak_memory_bytes: of the process that scored.
    """

    version: str | None = None
    scores_sha256: str | None = None
    n: int = 0
    alike: int = 0
    largest_difference: float | None = None
    case_id: str | None = None
    latency_ms: Mapping[str, float] | None = None
    peak_memory_bytes: int | None = None


@dataclass(frozen=True)
class ExportDecision:
    """What became of an exported artefact, judged by the policy that judged the model.

    Attributes:
      kind: such as tflite_int8.
      required: whether the model is not released where the artefact does not pass.
      sha256: hex, over the artefact's folder (`export_sha256`); None where there is none.
      size_bytes: of its model's files.
      runtimes: what was found in each, by name.
      checks: as of a decision; `check` begins with the runtime, such as
        `tflite:sensitivity[overall].floor`.
      flips: per runtime (`against` is its name): what turned against the float candidate.
    """

    kind: str
    verdict: Verdict
    required: bool
    sha256: str | None
    operating_point: float | None
    size_bytes: int | None
    runtimes: Mapping[str, RuntimeFindings]
    checks: tuple[CheckResult, ...]
    flips: tuple[Flips, ...] = ()


@dataclass(frozen=True)
class Decision:
    """Attributes:
    created: ISO 8601 in UTC, given by the caller.
    policy: its name; case_set: name, version, cases and positives.
    hashes: SHA-256 (hex) of candidate, champion, golden, case_set (Merkle root), policy and the
      scores of each model, `sites` of what sites answered; None where there is none.
    operating_points: of candidate, champion and golden; None where there is none.
    patients: how several images of one patient were taken: independent, clustered, aggregated.
    comparisons: where the change lies, slice by slice.
    findings: remarks that changed no verdict.
    already_released: PASS for the champion once more, so there is nothing to release.
    """

    run_id: str
    created: str
    verdict: Verdict
    exit_code: int
    policy: str
    alpha: float
    case_set: Mapping[str, str | int]
    hashes: Mapping[str, str | None]
    operating_points: Mapping[str, float | None]
    checks: tuple[CheckResult, ...]
    patients: str
    looks: Looks
    flips: tuple[Flips, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    waivers: tuple[WaiverNote, ...] = ()
    self_tests: tuple[SelfTest, ...] = ()
    slices: tuple[SliceEstimate, ...] = ()
    findings: tuple[str, ...] = ()
    already_released: bool = False
    exports: tuple[ExportDecision, ...] = ()

    @property
    def passed_exports(self) -> dict[str, str]:
        """SHA-256 (hex) of each artefact that passed, by kind: what is released with the model."""
        return {
            each.kind: each.sha256
            for each in self.exports
            if each.sha256 is not None and each.verdict is Verdict.PASS
        }

    @property
    def decision_sha256(self) -> str:
        """SHA-256 (hex) over the canonical JSON of the whole decision."""
        return sha256_json(self._document())

    def to_json(self) -> str:
        """One value per line, one check per line; the hash stands inside."""
        document = {**self._document(), "decision_sha256": self.decision_sha256}
        checks = document.pop("checks")
        return json_with_rows(document, "checks", checks).decode()

    def _document(self) -> dict[str, Any]:
        document = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        if not self.exports:  # as before there were any: the hash of an old decision stays
            del document["exports"]
        return document


def decision_from_json(text: str, *, where: str = "decision") -> Decision:
    """The inverse of `Decision.to_json`.

    Raises:
      IntegrityError: against schemas/gate_decision.json, or edited since it was written.
    """
    return _from_document(parse_json(text, "gate_decision", where=where), where=where)


def save_decision(decision: Decision, path: Path) -> None:
    """Writes a decision atomically."""
    write_atomically(path, decision.to_json().encode())


def load_decision(path: Path, *, known: str | None = None) -> Decision:
    """The decision in `path`; IntegrityError where unreadable, malformed or edited.

    Args:
      known: its hash as the ledger has it; one that fits is not checked against the schema again.
    """
    document = known and read_known(path, "decision_sha256", known)
    return _from_document(document or read_json(path, "gate_decision"), where=str(path))


def _from_document(document: dict[str, Any], *, where: str) -> Decision:
    stored = document.pop("decision_sha256")
    del document["schema_version"]
    document["verdict"] = Verdict(document["verdict"])
    document["checks"] = _checks(document["checks"])
    document["flips"] = _flips(document["flips"])
    document["exports"] = tuple(
        ExportDecision(
            **{
                **row,
                "verdict": Verdict(row["verdict"]),
                "runtimes": {k: RuntimeFindings(**found) for k, found in row["runtimes"].items()},
                "checks": _checks(row["checks"]),
                "flips": _flips(row["flips"]),
            }
        )
        for row in document.get("exports", ())
    )
    document["comparisons"] = tuple(Comparison(**row) for row in document["comparisons"])
    document["waivers"] = tuple(WaiverNote(**row) for row in document["waivers"])
    document["looks"] = Looks(**document["looks"])
    document["self_tests"] = tuple(SelfTest(**row) for row in document["self_tests"])
    document["slices"] = tuple(SliceEstimate(**row) for row in document["slices"])
    document["findings"] = tuple(document["findings"])
    decision = Decision(**document)
    if decision.decision_sha256 != stored:
        raise IntegrityError(
            f"{where}: the decision was edited: it hashes to {decision.decision_sha256[:12]}..., "
            f"it says {stored[:12]}...; compare it with the ledger"
        )
    return decision


def _checks(rows: Sequence[Mapping[str, Any]]) -> tuple[CheckResult, ...]:
    return tuple(CheckResult(**{**row, "verdict": Verdict(row["verdict"])}) for row in rows)


def _flips(rows: Sequence[Mapping[str, Any]]) -> tuple[Flips, ...]:
    lists = ("gained", "lost", "lost_sentinels")
    return tuple(Flips(row["against"], *(tuple(row.get(key, ())) for key in lists)) for row in rows)
