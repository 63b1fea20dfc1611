"""What has to hold of a change of baselines; each rule yields what does not."""

import re
from collections.abc import Callable, Iterator

from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.gate.preflight import refuse_hopeless
from components.records.errors import CasegateError, IntegrityError
from pipeline.ci.hooks.golden_rules import golden_moved
from pipeline.ci.hooks.judges import Judges, judges
from pipeline.ci.hooks.pixels import picture_in
from pipeline.ci.hooks.repository import LINK, SUBMODULE
from pipeline.ci.hooks.revision import Finding, Revision

Rule = Callable[[Revision], Iterator[Finding]]
BROKEN = IntegrityError.exit_code
_APPROVED = re.compile(r"\bapproved[ -]by\b\s*:?\s*[^\s:]", re.IGNORECASE)


def policies(revision: Revision) -> Iterator[Finding]:
    """A policy keeps its schema, and each of its checks can be passed on its case set."""
    for baseline in revision.baselines():
        if not revision.touches(baseline, POLICY, CASE_SET):
            continue
        path, now = f"{baseline}/{POLICY}", judges(revision, baseline, revision.after)
        if POLICY in now.faults:
            yield now.faults[POLICY]
        elif now.policy is None and now.case_set is not None:
            yield Finding(path, "is not there, though its case set is; add the policy", 2)
        elif now.policy is not None and now.case_set is not None:
            try:
                refuse_hopeless(now.policy, now.case_set)
            except CasegateError as error:
                yield Finding.of(path, error)


def case_sets(revision: Revision) -> Iterator[Finding]:
    """A case set is what its hashes say, and each version amends the one before it."""
    for baseline in revision.baselines():
        path = f"{baseline}/{CASE_SET}"
        if not revision.touches(baseline, CASE_SET) or revision.removed(baseline):
            continue
        now = judges(revision, baseline, revision.after)
        if CASE_SET in now.faults:
            yield now.faults[CASE_SET]
        elif now.case_set is None:
            yield Finding(path, "is gone; what judges is never removed: restore it", BROKEN)
        else:
            before = judges(revision, baseline, revision.before)
            yield from (Finding(path, words, BROKEN) for words in _amended(before, now))
            if path in revision.before and not revision.archived(baseline, path):
                words = "takes the place of a version that is not kept in history/"
                yield Finding(path, f"{words}; amend it with `casegate cases amend`", BROKEN)


def no_pixels(revision: Revision) -> Iterator[Finding]:
    """Nothing below the baselines is a picture, or hides what it is."""
    for path in revision.here:
        blob = revision.after.get(path)
        if blob is None:
            continue
        if blob.mode in (LINK, SUBMODULE):
            what = "a link" if blob.mode == LINK else "a submodule"
        else:
            what = picture_in(revision.read(blob)) or ""
        if what:
            yield Finding(path, f"got {what}, wanted text; baselines never hold pixels", BROKEN)


def alone(revision: Revision) -> Iterator[Finding]:
    """What judges changes in a commit of its own, by approval, and its history only grows."""
    others = [path for path in revision.changed if path not in revision.here]
    if revision.here and others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        words = f"changes together with {others[0]}{more}; what judges is committed alone"
        yield Finding(revision.here[0], words, BROKEN)
    for baseline in revision.baselines():
        if revision.removed(baseline):
            continue
        for path in revision.here:
            if path.startswith(f"{baseline}/history/") and path in revision.before:
                words = "is history, which is added to and never changed: restore it"
                yield Finding(path, words, BROKEN)
        yield from golden_moved(revision, baseline)
    if revision.message is not None:
        yield from named_approver(revision)


def named_approver(revision: Revision) -> Iterator[Finding]:
    """The message of a commit that changes what judges says who approved it."""
    message = _plain(revision.message or "")
    for baseline in revision.baselines():
        now = judges(revision, baseline, revision.after)
        names = set()
        if now.golden is not None and revision.touches(baseline, GOLDEN):
            approval = now.golden.approval
            names.add(approval.rescored[-1].by if approval.rescored else approval.by)
        if now.case_set is not None and revision.touches(baseline, CASE_SET):
            names.add(now.case_set.author)
        for name in sorted(names):
            if _plain(name) not in message:
                words = f"was approved by {name}, whom the commit's message does not name"
                yield Finding(baseline, f"{words}; add 'Approved by: {name}'", BROKEN)
        if not names and not _APPROVED.search(message):
            words = "changes, and the commit's message names nobody who approved that"
            yield Finding(baseline, f"{words}; add 'Approved by: NAME'", BROKEN)


def _amended(before: Judges, now: Judges) -> Iterator[str]:
    new, old = now.case_set, before.case_set
    assert new is not None  # the caller looked
    if old is None:
        if (new.version == 1) != (new.parent is None):
            yield f"is version {new.version}, and names a parent: {new.parent or 'none'}"
        return
    if new.name != old.name:
        yield f"is {new.name}, took the place of {old.name}; give it a folder of its own"
    if new.version != old.version + 1:
        yield f"is version {new.version}, wanted version {old.version + 1}: it amends {old.version}"
    if new.parent != old.merkle_root:
        got = f"{new.parent[:12]}..." if new.parent else "none"
        yield f"names the parent {got}, wanted {old.merkle_root[:12]}..., which it amends"


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
