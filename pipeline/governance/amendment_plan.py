"""What an amendment will write, made and checked before anything is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.baselines.amend import CaseChanges, amend_case_set
from components.baselines.case_set import CaseSet, load_case_set
from components.baselines.golden import Golden, rescored_golden, unscored
from components.baselines.history import parent_of
from components.cases.index import record_case
from components.cases.lock import find_cases
from components.cases.sources import open_source
from components.records.case import Case
from components.records.clock import utc_now
from components.records.errors import ConfigError
from components.records.files import sha256_file
from components.records.ledger.entry import FIRST_PREVIOUS, Entry, new_entry
from pipeline.governance.amendment_record import (
    entry_body,
    entry_of,
    golden_of,
    refuse_other_golden,
    refuse_unfinished,
    scored_on,
)
from pipeline.governance.golden_record import finish
from pipeline.governance.rescoring import golden_model, score_with_golden
from pipeline.settings.workspace import Workspace


@dataclass(frozen=True)
class AmendmentRequest:
    """What a person asks for: the case set by name or file, the changes by case id, and why."""

    case_set: str
    by: str
    reason: str
    retire: Sequence[str] = ()
    relabel: Sequence[tuple[str, int]] = ()
    sentinel: Sequence[str] = ()
    unsentinel: Sequence[str] = ()
    add: Sequence[str] = ()
    source: str | None = None
    golden_model: Path | None = None


@dataclass(frozen=True)
class AmendmentPlan:
    """What is to be written.

    Attributes:
      golden: None where it stands already, or where there is none.
      body: of the ledger's entry, None where it stands already.
      carried, scored: golden's scores that carry over, and those its model made; None where there
        is no golden.
      resumed: `after` stands already, left by an interrupted amendment.
      sha256: of the case set's file when it was read.
    """

    path: Path
    before: CaseSet
    after: CaseSet
    golden: Golden | None
    body: dict[str, Any] | None
    carried: int | None
    scored: int | None
    resumed: bool
    sha256: str


def make_plan(
    path: Path, request: AmendmentRequest, workspace: Workspace, entries: tuple[Entry, ...]
) -> AmendmentPlan:
    """Everything that `request` comes to, or what is left of it after an interruption.

    Raises:
      ConfigError, IntegrityError, SourceError: as `amend`.
    """
    sha256, current = sha256_file(path), load_case_set(path)
    added = _added(request)
    changes = _changes(request, added)
    parent = parent_of(path, current)
    resumed = parent is not None and _makes(parent, changes, current)
    if resumed and parent is not None:
        before, after = parent, current
    else:
        refuse_unfinished(path, current, parent)
        finish(workspace, path.parent, entries)
        before = current
        after = amend_case_set(
            current, changes, author=request.by, reason=request.reason, date=utc_now()[:10]
        )
    golden, entry = golden_of(path), entry_of(entries, before, after)
    if resumed and entry and (golden is None or scored_on(golden, after)):
        raise ConfigError(
            f"{path}: this amendment is version {after.version} already, by {after.author} on "
            f"{after.date}; nothing is left to do"
        )
    ids = unscored(before, after) if golden else ()
    rescored = None
    if golden is not None and not scored_on(golden, after):
        new = _new_scores(golden, [added[name] for name in ids], request, workspace)
        rescored = rescored_golden(golden, before, after, new)
        refuse_other_golden(path, rescored, entry)
    return AmendmentPlan(
        path=path,
        before=before,
        after=after,
        golden=rescored,
        body=None if entry else _checked(entry_body(before, after, golden, rescored), after),
        carried=len(after.cases) - len(ids) if golden else None,
        scored=len(ids) if golden else None,
        resumed=resumed,
        sha256=sha256,
    )


def _checked(body: dict[str, Any], after: CaseSet) -> dict[str, Any]:
    """The body, refused by its contract now rather than between the writing of two files."""
    new_entry("amendment", body, by=after.author, at=utc_now(), seq=1, previous=FIRST_PREVIOUS)
    return body


def _added(request: AmendmentRequest) -> dict[str, Case]:
    if request.source is None:
        return {}
    return find_cases(open_source(request.source), request.add)


def _changes(request: AmendmentRequest, added: dict[str, Case]) -> CaseChanges:
    return CaseChanges(
        add=tuple(record_case(added[case_id]) for case_id in request.add),
        retire=tuple(request.retire),
        relabel=tuple(request.relabel),
        sentinel=tuple(request.sentinel),
        unsentinel=tuple(request.unsentinel),
    )


def _makes(parent: CaseSet, changes: CaseChanges, current: CaseSet) -> bool:
    """Whether `changes` are what made `current` of its parent."""
    try:
        made = amend_case_set(
            parent, changes, author=current.author, reason=current.reason, date=current.date
        )
    except ConfigError:
        return False
    return made == current


def _new_scores(
    golden: Golden, cases: list[Case], request: AmendmentRequest, workspace: Workspace
) -> dict[str, float]:
    if not cases:
        return {}
    ids = [case.case_id for case in cases]
    model = golden_model(golden, workspace, request.golden_model, ids)
    return score_with_golden(golden, model, cases)
