"""What has to hold where golden moves: by a named approval, and with the golden before it kept."""

from collections.abc import Iterator

from components.baselines.names import CASE_SET, GOLDEN
from components.records.errors import IntegrityError
from pipeline.ci.hooks.judges import Judges, judges
from pipeline.ci.hooks.revision import Finding, Revision

BROKEN = IntegrityError.exit_code


def golden_moved(revision: Revision, baseline: str) -> Iterator[Finding]:
    """Golden is what its hashes say, was scored on the case set, and has its past in history/."""
    if not revision.touches(baseline, GOLDEN, CASE_SET):
        return
    path, now = f"{baseline}/{GOLDEN}", judges(revision, baseline, revision.after)
    if GOLDEN in now.faults:
        yield now.faults[GOLDEN]
    elif now.golden is None:
        if path in revision.before:
            yield Finding(path, "is gone; golden moves by approval alone: restore it", BROKEN)
    else:
        yield from (Finding(path, words, BROKEN) for words in _faults(revision, baseline, now))


def _faults(revision: Revision, baseline: str, now: Judges) -> Iterator[str]:
    golden, cases, path = now.golden, now.case_set, f"{baseline}/{GOLDEN}"
    assert golden is not None  # the caller looked
    if cases is not None and golden.scores.scored_case_set != cases.merkle_root:
        yield (
            f"was scored on case set {golden.scores.scored_case_set[:12]}..., the one beside it is "
            f"{cases.merkle_root[:12]}...; `casegate cases amend` carries golden over"
        )
    if path not in revision.before or not revision.touches(baseline, GOLDEN):
        return
    if not revision.archived(baseline, path):
        yield (
            "takes the place of a golden that is not kept in history/; golden moves by `casegate "
            "baseline approve`, which keeps it"
        )
    before = judges(revision, baseline, revision.before).golden
    if before is not None and before.approval == golden.approval:
        yield "moved without a new approval; propose it, and have it approved by name"
