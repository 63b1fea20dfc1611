"""The ledger's word on a change of baselines, where a ledger is at hand."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from components.baselines.names import CASE_SET, GOLDEN
from components.records.errors import ConfigError, IntegrityError
from components.records.ledger.entry import Entry
from components.records.ledger.ledger import Ledger
from pipeline.ci.hooks.judges import judges
from pipeline.ci.hooks.revision import Finding, Revision
from pipeline.ci.hooks.rules import Rule

BROKEN = IntegrityError.exit_code


def recorded_in(ledger: Path) -> Rule:
    """The rule that golden and amendments have their entry in this ledger.

    Raises:
      ConfigError: there is no ledger in that place.
      IntegrityError: its chain does not fit.
    """
    if not ledger.is_file():
        raise ConfigError(f"--ledger {ledger}: no such file; give a workspace's ledger.jsonl")
    entries = Ledger(ledger).entries()

    def rule(revision: Revision) -> Iterator[Finding]:
        for baseline in revision.baselines():
            yield from _unrecorded(revision, baseline, entries, ledger)

    return rule


def _unrecorded(
    revision: Revision, baseline: str, entries: Sequence[Entry], ledger: Path
) -> Iterator[Finding]:
    now = judges(revision, baseline, revision.after)
    if now.golden is not None and revision.touches(baseline, GOLDEN):
        known = {e.body.get("to_golden_sha256") for e in _of(entries, "approval", "amendment")}
        if now.golden.golden_sha256 not in known:
            words = f"is golden {now.golden.golden_sha256[:12]}..., which no entry of {ledger} has"
            yield Finding(f"{baseline}/{GOLDEN}", f"{words}: it was not approved there", BROKEN)
    amended = now.case_set is not None and now.case_set.parent is not None
    if now.case_set is not None and amended and revision.touches(baseline, CASE_SET):
        steps = {(e.body["from_root"], e.body["to_root"]) for e in _of(entries, "amendment")}
        if (now.case_set.parent, now.case_set.merkle_root) not in steps:
            words = f"is version {now.case_set.version}, an amendment that no entry of {ledger} has"
            yield Finding(f"{baseline}/{CASE_SET}", words, BROKEN)


def _of(entries: Sequence[Entry], *kinds: str) -> Iterator[Entry]:
    return (entry for entry in entries if entry.kind in kinds)
