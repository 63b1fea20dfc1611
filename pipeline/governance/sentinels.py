"""Cases worth marking never-miss: positives that past models missed and today's get right.

A case that only some models see is where the next one may fail. Which of them must never be missed
is a clinical question: this finds candidates, a person decides and amends the case set.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.baselines.case_set import CaseSet, LockedCase, load_case_set
from components.baselines.history import archived
from components.baselines.names import GOLDEN
from components.baselines.scores import CaseScores, aligned, load_scores
from components.decision import load_decision
from components.records.errors import CasegateError, ConfigError, IntegrityError
from components.records.run_files import DECISION, SCORES
from components.release.serving import find_champion
from pipeline.governance.case_sets import described
from pipeline.governance.golden_record import golden_of
from pipeline.settings.baselines import find_case_set
from pipeline.settings.workspace import Workspace

# What a model called positive, by case id; cases it did not judge by the same pixels are absent.
Calls = Mapping[str, bool]


@dataclass(frozen=True)
class Proposed:
    """A positive that is no sentinel yet: how many past models missed it, of those that saw it."""

    case: LockedCase
    missed: int
    judged: int


@dataclass(frozen=True)
class SentinelProposal:
    """What is proposed, and what it rests on.

    Attributes:
      runs: runs that were looked at; models: different models among them.
      skipped: a reason to the number of runs left out for it.
      present: the models that have to get a case right: champion, golden or both.
      marked: cases that would be proposed, were they no sentinels already.
    """

    path: Path
    case_set: CaseSet
    runs: int
    models: int
    skipped: dict[str, int]
    present: tuple[str, ...]
    marked: int
    cases: tuple[Proposed, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "case_set": described(self.case_set),
            "runs": self.runs,
            "models": self.models,
            "skipped": self.skipped,
            "right": list(self.present),
            "marked": self.marked,
            "cases": [
                {
                    "case_id": one.case.case_id,
                    "missed": one.missed,
                    "judged": one.judged,
                    "attributes": dict(one.case.attributes),
                }
                for one in self.cases
            ],
        }


class _Skipped(Exception):
    """Why a run says nothing about these cases."""


def propose_sentinels(word: str, root: Path, *, least: int = 1) -> SentinelProposal:
    """Positives that at least `least` past models missed and that champion and golden get right.

    Raises:
      ConfigError: no such case set, or neither a champion nor golden to be held against.
      IntegrityError: the case set, golden or the champion was altered.
    """
    workspace = Workspace(root.resolve())
    path = find_case_set(word, workspace)
    case_set = load_case_set(path)
    versions = _versions(path, case_set)
    past, skipped = _past_models(workspace, case_set, versions)
    present = _present(path, case_set, versions, workspace)
    if not present:
        raise ConfigError(
            f"{path}: neither golden nor a champion to hold the cases against; run the pipeline "
            "and approve golden first"
        )
    models = [calls for model, calls in past.items() if model not in present]
    found = _missed(case_set, models, [calls for _, calls in present.values()], least)
    new = tuple(one for one in found if not one.case.sentinel)
    return SentinelProposal(
        path=path,
        case_set=case_set,
        runs=sum(1 for _ in workspace.runs.glob(f"*/{SCORES}")) - sum(skipped.values()),
        models=len(models),
        skipped=dict(sorted(skipped.items())),
        present=tuple(name for names, _ in present.values() for name in names),
        marked=len(found) - len(new),
        cases=new,
    )


def _missed(
    case_set: CaseSet, past: Sequence[Calls], present: Sequence[Calls], least: int
) -> list[Proposed]:
    """Positives that all present models get right, those first that most past ones missed."""
    judged = Counter(case_id for calls in past for case_id in calls)
    missed = Counter(case_id for calls in past for case_id, call in calls.items() if not call)
    found = [
        Proposed(case, missed[case.case_id], judged[case.case_id])
        for case in case_set.cases
        if missed[case.case_id] >= least
        and case.label == 1
        and all(calls.get(case.case_id, False) for calls in present)
    ]
    return sorted(found, key=lambda one: (-one.missed, one.case.case_id))


def _versions(path: Path, current: CaseSet) -> dict[str, CaseSet]:
    """The case set's versions that are kept, by root."""
    files = [archived(path, number) for number in range(1, current.version)]
    kept = [load_case_set(file) for file in files if file.exists()]
    return {version.merkle_root: version for version in (*kept, current)}


def _past_models(
    workspace: Workspace, case_set: CaseSet, versions: Mapping[str, CaseSet]
) -> tuple[dict[str, Calls], Counter[str]]:
    """The calls of every model of the workspace's runs, by its hash, and the runs left out."""
    past: dict[str, Calls] = {}
    skipped = Counter[str]()
    for path in sorted(workspace.runs.glob(f"*/{SCORES}")):
        try:
            scores = _scores_of(path.parent)
            past[scores.model_sha256] = _calls(scores, case_set, versions)
        except _Skipped as reason:
            skipped[str(reason)] += 1
    return past, skipped


def _scores_of(folder: Path) -> CaseScores:
    try:
        decision = load_decision(folder / DECISION)
        scores = load_scores(folder / SCORES)
    except CasegateError:
        raise _Skipped("the decision or the scores cannot be read or were edited") from None
    if scores.scores_sha256 != decision.hashes["candidate_scores"]:
        raise _Skipped("the scores are not those that were decided on")
    return scores


def _calls(scores: CaseScores, case_set: CaseSet, versions: Mapping[str, CaseSet]) -> Calls:
    """What the model called positive among the cases of today that it judged by the same pixels."""
    judged = versions.get(scores.scored_case_set)
    if judged is None:
        raise _Skipped("other cases were judged")
    if not np.isfinite([*scores.scores, scores.operating_point]).all():
        raise _Skipped("a score is NaN or infinite")
    try:
        positive = aligned(scores, judged) >= scores.operating_point
    except IntegrityError:
        raise _Skipped("the scores are not for the cases of their case set") from None
    pixels = {case.case_id: case.pixels_sha256 for case in case_set.cases}
    return {
        case.case_id: bool(call)
        for case, call in zip(judged.cases, positive)
        if pixels.get(case.case_id) == case.pixels_sha256
    }


def _present(
    path: Path, case_set: CaseSet, versions: Mapping[str, CaseSet], workspace: Workspace
) -> dict[str, tuple[list[str], Calls]]:
    """By model hash: golden and the champions on this case set, by their names, and their calls."""
    found: dict[str, tuple[list[str], Calls]] = {}
    golden = golden_of(path.parent)
    scored = [("golden", golden.scores)] if golden else []
    scored += _champions(workspace)
    for name, scores in scored:
        try:
            calls = _calls(scores, case_set, versions)
        except _Skipped as reason:
            if name == "golden":
                raise IntegrityError(
                    f"{path.parent / GOLDEN}: cannot be held against: {reason}"
                ) from None
            continue  # the champion of another task
        found.setdefault(scores.model_sha256, ([], calls))[0].append(name)
    return found


def _champions(workspace: Workspace) -> Iterable[tuple[str, CaseScores]]:
    """The released models and the scores they were released on."""
    for destination in sorted(workspace.serving.glob("[!.]*")):
        champion = find_champion(destination, workspace.runs)
        if champion is not None:
            try:
                yield "champion", _scores_of(champion.decision.parent)
            except _Skipped as reason:
                raise IntegrityError(f"{champion.decision}: {reason}") from None
