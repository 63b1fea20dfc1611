"""An amendment: a new version of the case set, golden on it, and the ledger's entry.

Everything is made and checked before anything is written. What is written, and in this order: the
old version and the old golden under `history/`, the new version, the ledger's entry, the new
golden. A run refuses a golden that was scored on another version, so an interruption anywhere
leaves nothing that could be judged by; the same amendment, run again, does what is left.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.baselines.amend import CaseChanges, Diff, amend_case_set, diff_case_sets
from components.baselines.case_set import CaseSet, load_case_set, save_case_set
from components.baselines.golden import Golden, rescored_golden, save_golden, unscored
from components.baselines.history import archive, parent_of
from components.baselines.names import GOLDEN
from components.cases.index import record_case
from components.cases.lock import find_cases
from components.cases.sources import open_source
from components.records.case import Case
from components.records.chain import FIRST_PREVIOUS
from components.records.clock import utc_now
from components.records.errors import ConfigError, IntegrityError
from components.records.files import sha256_file, sha256_tree
from components.records.ledger.ledger import Entry, Ledger, new_entry
from components.records.text import first_few
from pipeline.governance.act import GovernedAct, governed_act
from pipeline.governance.case_sets import typed, typed_changes
from pipeline.governance.golden_record import archive_golden, finish, golden_of, hold_baseline
from pipeline.settings.baselines import find_case_set, reading_of
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
class Amendment:
    """What is to be written, and once it is, what came of it.

    Attributes:
      golden: None where it stands already, or where there is none.
      body: of the ledger's entry, None where it stands already.
      carried, scored: golden's scores that carry over, and those its model made; None where there
        is no golden.
      resumed: `after` stands already, left by an interrupted amendment that this one finishes.
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

    @property
    def diff(self) -> Diff:
        return diff_case_sets(self.before, self.after)


def amend(root: Path, request: AmendmentRequest) -> Amendment:
    """Makes the next version of a case set, or finishes one that was interrupted.

    Args:
      root: the workspace's folder: its ledger records the amendment, its models may score.

    Raises:
      ConfigError: the amendment cannot be, is there already, or golden's model is missing.
      IntegrityError: the case set, its history, golden or the ledger was edited.
      WorkspaceBusy: a run, an approval or another amendment is at work.
    """
    if bool(request.add) != (request.source is not None):
        raise ConfigError("cases amend: --add and --source go together; give both or neither")
    if request.golden_model is not None and not request.add:
        raise ConfigError("cases amend: --golden-model is needed with --add only; leave it out")
    path = find_case_set(request.case_set, Workspace(root.resolve())).resolve()
    with (
        governed_act(root, by=request.by, reason=request.reason) as act,
        hold_baseline(path.parent),
    ):
        amendment = _prepare(path, request, act)
        _write(amendment, act.ledger)
    return amendment


def _write(amendment: Amendment, ledger: Ledger) -> None:
    golden = amendment.path.parent / GOLDEN
    if not amendment.resumed:
        if sha256_file(amendment.path) != amendment.sha256:
            raise IntegrityError(
                f"{amendment.path}: changed meanwhile; nothing was written: run again"
            )
        archive(amendment.path, amendment.before)
        if amendment.golden is not None:
            archive_golden(golden.parent)
        save_case_set(amendment.after, amendment.path)
    if amendment.body is not None:
        ledger.append("amendment", amendment.body, by=amendment.after.author, at=utc_now())
    if amendment.golden is not None:
        save_golden(amendment.golden, golden)


def _prepare(path: Path, request: AmendmentRequest, act: GovernedAct) -> Amendment:
    """Everything that `request` comes to, or what is left of it after an interruption."""
    sha256 = sha256_file(path)
    added = {}
    if request.source:
        reading = reading_of(load_case_set(path))
        added = find_cases(open_source(request.source, reading), request.add)
    before, after, resumed = _versions(path, request, added, act)
    golden, entry = golden_of(path.parent), _entry_of(act.entries, before, after)
    stale = golden if golden and not _scored_on(golden, after) else None
    if resumed and entry and not stale:
        raise ConfigError(
            f"{path}: this amendment is version {after.version} already, by {after.author} on "
            f"{after.date}; nothing is left to do"
        )
    ids, rescored = unscored(before, after) if golden else (), None
    if stale:
        cases, new = [added[name] for name in ids], {}
        if cases:
            model = _golden_model(stale, act.workspace, request.golden_model, cases)
            new = score_with_golden(stale, model, cases)
        rescored = rescored_golden(stale, before, after, new)
        _refuse_other_golden(path, rescored, entry)
    return Amendment(
        path=path,
        before=before,
        after=after,
        golden=rescored,
        body=None if entry else _entry_body(before, after, golden, rescored),
        carried=len(after.cases) - len(ids) if golden else None,
        scored=len(ids) if golden else None,
        resumed=resumed,
        sha256=sha256,
    )


def _versions(
    path: Path, request: AmendmentRequest, added: Mapping[str, Case], act: GovernedAct
) -> tuple[CaseSet, CaseSet, bool]:
    """The version before and the one that `request` makes; and whether that stands already."""
    current = load_case_set(path)
    changes = CaseChanges(
        add=tuple(record_case(added[case_id]) for case_id in request.add),
        retire=tuple(request.retire),
        relabel=tuple(request.relabel),
        sentinel=tuple(request.sentinel),
        unsentinel=tuple(request.unsentinel),
    )
    parent = parent_of(path, current)
    if parent is not None and _makes(parent, changes, current):
        return parent, current, True
    _refuse_unfinished(path, current, parent)
    finish(act.workspace, path.parent, act.entries)
    made = amend_case_set(current, changes, author=act.by, reason=act.reason, date=utc_now()[:10])
    return current, made, False


def _makes(parent: CaseSet, changes: CaseChanges, current: CaseSet) -> bool:
    """Whether `changes` are what made `current` of its parent."""
    try:
        made = amend_case_set(
            parent, changes, author=current.author, reason=current.reason, date=current.date
        )
    except ConfigError:
        return False
    return made == current


def _scored_on(golden: Golden, case_set: CaseSet) -> bool:
    return golden.scores.scored_case_set == case_set.merkle_root


def _entry_of(entries: Iterable[Entry], before: CaseSet, after: CaseSet) -> Entry | None:
    """The ledger's word on the amendment of `before` to `after`.

    Taking an amendment back gives an earlier root again, so that a root alone does not name one.
    """
    made = _roots(before, after)
    for entry in entries:
        if entry.kind == "amendment" and all(entry.body[key] == made[key] for key in made):
            return entry
    return None


def _roots(before: CaseSet, after: CaseSet) -> dict[str, Any]:
    return {
        "case_set": after.name,
        "from_version": before.version,
        "from_root": before.merkle_root,
        "to_version": after.version,
        "to_root": after.merkle_root,
    }


def _entry_body(
    before: CaseSet, after: CaseSet, golden: Golden | None, rescored: Golden | None
) -> dict[str, Any]:
    """The ledger's entry: what changed, spelled out, and what became of golden.

    Refused by its contract now, rather than between the writing of two files.
    """
    diff = diff_case_sets(before, after)
    changed = {
        "added": diff.added,
        "retired": diff.retired,
        "relabelled": diff.relabelled,
        "sentinels": diff.sentinels_added,
        "sentinels_removed": diff.sentinels_removed,
    }
    current = golden.golden_sha256 if golden else None
    body = {
        **_roots(before, after),
        "reason": after.reason,
        **{key: list(ids) for key, ids in changed.items() if ids},
        **({"from_golden_sha256": current} if rescored else {}),
        "to_golden_sha256": rescored.golden_sha256 if rescored else current,
    }
    new_entry("amendment", body, by=after.author, at=utc_now(), seq=1, previous=FIRST_PREVIOUS)
    return body


def _refuse_unfinished(path: Path, current: CaseSet, parent: CaseSet | None) -> None:
    golden = golden_of(path.parent)
    if golden is None or _scored_on(golden, current):
        return
    if parent is not None and _scored_on(golden, parent):
        done = typed_changes(diff_case_sets(parent, current))
        raise IntegrityError(
            f"{path.parent / GOLDEN}: scored on version {parent.version}: the amendment to "
            f"version {current.version} was interrupted; finish it first: casegate cases amend "
            f"{typed(str(path))} {done} --by ... --reason ..."
        )
    raise IntegrityError(
        f"{path.parent / GOLDEN}: scored on case set {golden.scores.scored_case_set[:12]}..., not "
        f"on version {current.version} ({current.merkle_root[:12]}...); restore both from version "
        "control, or approve golden anew"
    )


def _refuse_other_golden(path: Path, rescored: Golden, record: Entry | None) -> None:
    """The golden that finishes an amendment has to be the one that the ledger recorded."""
    if record is not None and record.body.get("to_golden_sha256") != rescored.golden_sha256:
        raise IntegrityError(
            f"{path.parent / GOLDEN}: its model scores otherwise than when entry {record.seq} of "
            "the ledger was written; finish the amendment where it was begun, or restore the "
            "files from version control"
        )


def _golden_model(
    golden: Golden, workspace: Workspace, given: Path | None, cases: Sequence[Case]
) -> Path:
    """The SavedModel that golden's scores came from: the given one, or one of this workspace."""
    wanted = golden.scores.model_sha256
    if given is not None:
        digest = sha256_tree(given)
        if digest != wanted:
            raise IntegrityError(
                f"--golden-model {given}: has SHA-256 {digest[:12]}..., golden was scored by "
                f"{wanted[:12]}...; nothing was written: give that model"
            )
        return given
    released, trained = workspace.serving.glob("*/*"), workspace.artifacts.rglob("Format-Serving")
    for folder in [*sorted(released), *sorted(trained)]:
        if (folder / "saved_model.pb").is_file() and sha256_tree(folder) == wanted:
            return folder
    raise ConfigError(
        f"golden has no score for {first_few(case.case_id for case in cases)}, and its model "
        f"{wanted[:12]}... is neither under {workspace.serving} nor under {workspace.artifacts}; "
        "nothing was written: give it with --golden-model SAVEDMODEL"
    )


def score_with_golden(golden: Golden, model: Path, cases: Sequence[Case]) -> dict[str, float]:
    """The model's score of each case, by id.

    Raises:
      IntegrityError: the model calls at another operating point than golden does, or answers for
        other cases.
    """
    from pipeline.run.model_scores import score_cases

    scored = score_cases({"golden": model}, cases)["golden"]
    if scored.operating_point != golden.scores.operating_point:
        raise IntegrityError(
            f"{model}: calls at {scored.operating_point}, golden at "
            f"{golden.scores.operating_point}; nothing was written"
        )
    if list(scored.case_ids) != [case.case_id for case in cases]:
        raise IntegrityError(f"{model}: did not answer for each case once; nothing was written")
    return dict(zip(scored.case_ids, map(float, scored.scores)))
