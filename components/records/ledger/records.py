"""What the ledger's entries mean for the next decision: looks, waivers, withdrawals, releases.

Readers of verified entries; none touches a file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from components.records.export import EXPORTS
from components.records.ledger.ledger import Entry


@dataclass(frozen=True)
class Waiver:
    """A failed check that two persons let through.

    It holds for one candidate, judged on one version of the case set by one policy, and for the
    check it names; whoever applies it compares all of these.

    Attributes:
      run_id, decision_sha256: the decision in which the check failed.
      by, second: the two persons.
      expires: ISO date, the last day it holds.
      at: when it was granted, ISO 8601 in UTC.
    """

    check: str
    run_id: str
    decision_sha256: str
    candidate_sha256: str
    case_set_root: str
    policy_sha256: str
    by: str
    second: str
    reason: str
    expires: str
    at: str


@dataclass(frozen=True)
class Withdrawal:
    """A model that a person took back, and who, why and when."""

    model_sha256: str
    by: str
    reason: str
    at: str


@dataclass(frozen=True)
class Release:
    """A version that was put in a destination, by a release or by a rollback.

    Attributes:
      destination: `serving/MODEL`, relative to the workspace where inside it.
      seq, kind: of the entry.
      restored: the version that a rollback made the champion again, None for a release.
      run_id: of the run that released it; None for a rollback.
      attestation_sha256: of the signed statement; None for an unsigned release.
      exports: SHA-256 of each exported artefact that was released with it, by kind.
    """

    destination: str
    version: int
    model_sha256: str
    decision_sha256: str
    seq: int
    kind: str
    by: str
    at: str
    restored: int | None = None
    run_id: str | None = None
    attestation_sha256: str | None = None
    exports: Mapping[str, str] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The model's name."""
        return PurePosixPath(self.destination).name

    @property
    def exports_folder(self) -> PurePosixPath:
        """Where its exported artefacts lie in the workspace, a folder for each kind."""
        return PurePosixPath(EXPORTS, self.model, str(self.version))


def recorded_name(folder: Path, workspace: Path) -> str:
    """A folder as the ledger names it: relative to the workspace, which may be moved."""
    if folder.is_relative_to(workspace):
        return folder.relative_to(workspace).as_posix()
    return str(folder)


def looks_by_name(entries: Iterable[Entry], name: str) -> int:
    """How often a candidate was judged on any version of the case set with this name.

    This is the count to hold against the looks a policy plans: a new version keeps most of the
    cases, and a case is worn by every look at it, whatever the version was called. Counting from
    zero again after each amendment would make an amendment the way around the plan.
    """
    return sum(e.kind == "look" and e.body["case_set"] == name for e in entries)


def waivers(entries: Iterable[Entry]) -> tuple[Waiver, ...]:
    """Every waiver, oldest first, expired or not."""
    return tuple(Waiver(**e.body, by=e.by, at=e.at) for e in entries if e.kind == "waiver")


def withdrawn(entries: Iterable[Entry]) -> tuple[Withdrawal, ...]:
    """The models that were rolled back and that no person has taken up again since.

    Approving a model as golden takes it up again, and so does a rollback to it.
    """
    found: dict[str, Withdrawal] = {}
    for e in entries:
        if e.kind == "rollback":
            if model := e.body["from_model_sha256"]:
                found[model] = Withdrawal(model, e.by, e.body["reason"], e.at)
            found.pop(e.body["to_model_sha256"], None)
        elif e.kind == "approval":
            found.pop(e.body["model_sha256"], None)
    return tuple(found.values())


def releases(entries: Iterable[Entry]) -> tuple[Release, ...]:
    """Every version that was put in a destination, oldest first, rollbacks among them."""
    return tuple(_release(e) for e in entries if e.kind in ("release", "rollback"))


def _release(e: Entry) -> Release:
    body, restored = e.body, e.kind == "rollback"
    return Release(
        destination=body["destination"],
        version=body["new_version" if restored else "version"],
        model_sha256=body["to_model_sha256" if restored else "model_sha256"],
        decision_sha256=body["decision_sha256"],
        seq=e.seq,
        kind=e.kind,
        by=e.by,
        at=e.at,
        restored=body["to_version"] if restored else None,
        run_id=body.get("run_id"),
        attestation_sha256=body.get("attestation_sha256"),
        exports=body.get("exports", {}),
    )
