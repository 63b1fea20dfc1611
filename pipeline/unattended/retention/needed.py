"""Which runs still need what they computed, and why; the rest has served its purpose.

The records, scores and decisions of a run are never in question: only the files that TFX made on
the way there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from components.baselines.golden import load_golden, load_proposal
from components.baselines.names import GOLDEN
from components.records.errors import IntegrityError
from components.records.ledger.records import Release, waivers
from components.records.run_files import RUN_RECORD
from pipeline.evidence.subject import Evidence
from pipeline.governance.approval import known_baselines
from pipeline.governance.golden_record import PROPOSAL
from pipeline.settings.config import RetentionConfig


@dataclass(frozen=True)
class Needed:
    """Attributes:
    whole: runs that keep all their files, and why.
    model: runs that keep all but their copies of images, and why; none of `whole`.
    """

    whole: dict[str, str] = field(default_factory=dict)
    model: dict[str, str] = field(default_factory=dict)

    def why(self, run_id: str) -> str | None:
        return self.whole.get(run_id) or self.model.get(run_id)


def all_runs(evidence: Evidence) -> list[str]:
    """Runs that left a record, or that the ledger says ended; oldest first."""
    named = {run_id for kind, run_id in evidence.last_entries if kind == "run"}
    return sorted(named | {path.parent.name for path in _records(evidence)})


def needed(
    evidence: Evidence, config: RetentionConfig, with_files: Sequence[str], *, now: datetime
) -> Needed:
    """What the ledger, the baselines and the policy still hold on to.

    Args:
      with_files: runs that have intermediate files, oldest first; the newest of these stay.

    Raises:
      IntegrityError: a baseline or the ledger cannot be read, so what it refers to is not known.
    """
    found = Needed()
    for run_id, why in _whole(evidence, config, with_files, now):
        found.whole.setdefault(run_id, why)
    for release in evidence.releases:
        run_id = evidence.run_of(release)
        if run_id not in found.whole and _folder(evidence, release).is_dir():
            found.model[run_id] = f"version {release.version} came from it"
    return found


def _whole(
    evidence: Evidence, config: RetentionConfig, with_files: Sequence[str], now: datetime
) -> Iterator[tuple[str, str]]:
    for release in evidence.serving().values():
        yield evidence.run_of(release), f"version {release.version} is served"
    yield from _of_golden(evidence)
    today = now.date().isoformat()
    for waiver in waivers(evidence.entries):
        if waiver.expires >= today:
            yield waiver.run_id, f"the waiver for {waiver.check} holds until {waiver.expires}"
    newest = with_files[-config.keep_runs :]
    for run_id in newest:
        yield run_id, "one of the newest"
    oldest = now - timedelta(days=config.keep_days)
    for run_id in with_files:
        if _began(run_id) >= oldest:
            yield run_id, f"younger than {config.keep_days} days"


def _of_golden(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Runs whose model is golden, or is proposed as golden, by the files and by the ledger."""
    models = {
        e.body["golden_sha256"]: e.body["case_set"]
        for e in {e.body["case_set"]: e for e in evidence.decided.values()}.values()
    }
    for baseline in known_baselines(evidence.workspace):
        if (baseline / GOLDEN).exists():
            models[load_golden(baseline / GOLDEN).scores.model_sha256] = baseline.name
        if (baseline / PROPOSAL).exists():
            yield load_proposal(baseline / PROPOSAL).run_id, f"proposed as golden {baseline.name}"
    last = {e.body["baseline"]: e.body for e in evidence.entries if e.kind == "approval"}
    for name, body in last.items():
        yield body["run_id"], f"golden of {Path(name).name} by the ledger"
    for run_id, entry in evidence.decided.items():
        if entry.body["candidate_sha256"] in models:
            yield run_id, f"golden of {models[entry.body['candidate_sha256']]}"


def _folder(evidence: Evidence, release: Release) -> Path:
    return evidence.workspace.root / release.destination / str(release.version)


def _records(evidence: Evidence) -> Iterator[Path]:
    return evidence.workspace.runs.glob(f"*/{RUN_RECORD}")


def _began(run_id: str) -> datetime:
    try:
        return datetime.strptime(run_id, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise IntegrityError(
            f"runs/{run_id}: is no run's folder by its name; move it away"
        ) from None
