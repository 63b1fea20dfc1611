"""A commit judged by a run of the whole pipeline, which releases nothing, or from the cache.

It judges on the development case set, so that no commit uses up a look at the locked one; a
candidate for release is judged on that.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from components.baselines.scores import CaseScores, load_scores, save_scores
from components.decision import Decision, Flips
from components.gate.describe import describe_flips
from components.gate.judged_cases import JudgedCases
from components.gate.preconditions import align_outputs
from components.lineage.record import Why
from components.records.errors import CasegateError
from components.records.events import Event
from components.records.files import sha256_json, write_atomically
from components.records.run_files import DECISION, HTML_REPORT, LOG, SCORES
from pipeline.ci.cache import Cache, run_workspace
from pipeline.ci.changed_baselines import (
    baseline_change,
    gated_by,
    judge_scores,
    load_baseline,
    verify_baseline,
)
from pipeline.ci.changes import Changes
from pipeline.ci.checked import CANDIDATE, Compared, JudgedBaseline, Watching, Work
from pipeline.ci.limits import LimitChange, limit_changes
from pipeline.governance.governed_change import Baseline
from pipeline.run.inputs import Inputs, prepare
from pipeline.run.runner import run
from pipeline.run.score_gate import Gated
from pipeline.settings.config import Config
from pipeline.settings.sections import CaseSetConfig, ServingConfig, SigningConfig
from pipeline.settings.workspace import Workspace

RESULT_FORMAT = 1


def judge_by_run(
    work: Work, folders: tuple[Path, ...], watching: Watching
) -> tuple[JudgedBaseline, ...]:
    """Verifies the changed baselines in `folders`, and runs the pipeline if it has to.

    Raises:
      CasegateError: whatever ended it without a verdict.
    """
    asked, steps, notes = work.asked, work.steps, work.notes
    cache = Cache(asked.cache.resolve()) if asked.cache else None
    limits = _verified(work, folders)
    config = ci_config(asked.config, release=work.plan.release is not None)
    with run_workspace(cache) as (root, notes["workspace"]):
        root.mkdir(parents=True, exist_ok=True)
        with steps.step("inputs") as step:
            inputs = prepare(config, Workspace(root), "ci")
            baseline = load_baseline(inputs.baseline)
            champion = _champion(work, baseline)
            notes["case set"] = _which(work, baseline.name)
            step.detail = f"judged on {baseline.name}, {len(baseline.case_set.cases)} cases"
        key = result_key(inputs, champion)
        with steps.step("result") as step, watching() as listener:
            ran = _from_cache(cache, key, baseline, champion)
            ran = ran or _run(work, inputs, baseline, champion, listener)
            step.detail = "from the cache" if ran.from_cache else notes["workspace"]
        compared = _compare_with_base(ran.gated, baseline, work.changes, cache)
        notes["cache"] = _keep(work, cache, key, ran)
        report = asked.out / HTML_REPORT  # where it outlives the workspace
        assert ran.report is not None  # which every run makes
        write_atomically(report, ran.report.read_bytes())
    return (replace(ran, compared=compared, limits=limits, report=report),)


def _champion(work: Work, baseline: Baseline) -> CaseScores | None:
    if work.registry is None:
        return None
    champion = work.registry.scores(baseline.case_set.merkle_root)
    if champion is None:
        work.notes["registry"] += f"; it has no scores of {baseline.name}"
    return champion


def _verified(work: Work, folders: tuple[Path, ...]) -> tuple[LimitChange, ...]:
    """What the change does to limits of changed baselines, all of which are sound."""
    found: list[LimitChange] = []
    for folder in folders:
        with work.steps.step(f"verify {folder.name}"):
            change = baseline_change(folder, work.changes)
            limits = limit_changes(change.old.policy, verify_baseline(change).policy)
        found += [replace(one, what=f"{folder.name}: {one.what}") for one in limits]
    return tuple(found)


def _which(work: Work, name: str) -> str:
    """Which cases judge, and that a look at the locked ones was spent where it was."""
    release = work.plan.release
    if release is None and work.asked.config.ci.baseline is not None:
        return f"{name}, the development one: no look at the locked one is spent"
    why = f"for a release ({release})" if release else "as ci.baseline names no other"
    return f"{name}, the locked one, {why}; the ledger of releases does not count this look"


def _keep(work: Work, cache: Cache | None, key: str, ran: JudgedBaseline) -> str:
    """Puts a result into the cache; one line on it."""
    if cache is None:
        return "none"
    changes = work.changes
    tree = changes.checkout.tree("HEAD") if changes.checkout and changes.clean else None
    if ran.from_cache:
        cache.note_tree(tree, key)
        return f"hit, {key[:12]}"
    assert ran.report is not None
    files = {name: ran.report.parent / name for name in (DECISION, SCORES, HTML_REPORT)}
    return cache.keep(key, files, tree=tree) or f"kept, {key[:12]}"


def ci_config(config: Config, *, release: bool) -> Config:
    """The settings of a commit's run: nothing released, nothing written outside its workspace.

    Args:
      release: whether the locked case set judges, and not the development one.
    """
    case_set, ci = config.case_set, config.ci
    if ci.baseline is not None and not release:
        case_set = CaseSetConfig(
            source=ci.source or case_set.source,
            baseline=ci.baseline,
            directory=ci.directory or case_set.directory,
        )
    return replace(
        config,
        metadata=None,
        case_set=case_set,
        serving=ServingConfig(model_name=config.serving.model_name, release=False),
        # What is never released needs nobody's signature, and a fork has no key.
        signing=SigningConfig(unsigned=True),
    )


def result_key(inputs: Inputs, champion: CaseScores | None) -> str:
    """Hash of all that decides a verdict, wherever on a machine it lies."""
    data = inputs.config.data
    return sha256_json(
        {
            "format": RESULT_FORMAT,
            "training": inputs.training_sha256,
            "case_source": inputs.case_source_sha256,
            "policy": inputs.policy.sha256,
            "golden": inputs.golden_sha256,
            "champion": champion.scores_sha256 if champion else None,
            "settings": [data.window, data.window_spans, data.drift],
        }
    )


def _from_cache(
    cache: Cache | None, key: str, baseline: Baseline, champion: CaseScores | None
) -> JudgedBaseline | None:
    kept = cache.find(key) if cache else None
    if kept is None or not fits(kept.decision, baseline):
        return None
    gated = gated_by(baseline, kept.decision, kept.scores, champion)
    return JudgedBaseline(
        baseline.name, CANDIDATE, gated, None, report=kept.report, from_cache=True
    )


def _run(
    work: Work,
    inputs: Inputs,
    baseline: Baseline,
    champion: CaseScores | None,
    listener: Callable[[Event], None],
) -> JudgedBaseline:
    """What a run comes to; raises CasegateError for whatever ended it without a verdict."""
    root, place = inputs.workspace.root, None
    if champion:
        place = root / "ci" / f"champion-{champion.scores_sha256[:16]}.json"
        save_scores(champion, place)
    why = Why("commit", "; ".join(work.plan.reasons)[:200])
    try:
        outcome = run(inputs.config, root, listener=listener, why=why, champion_scores=place)
    except CasegateError as error:
        raise _with_log_kept(error, root, work.asked.out) from error
    scores = load_scores(outcome.report.parent / SCORES)
    gated = gated_by(baseline, outcome.decision, scores, champion)
    return JudgedBaseline(baseline.name, CANDIDATE, gated, None, report=outcome.report)


def fits(decision: Decision, baseline: Baseline) -> bool:
    """Whether a kept decision is by what judges now; its key says so already, if nobody lies."""
    golden = baseline.golden.scores.scores_sha256 if baseline.golden else None
    hashes = decision.hashes
    wanted = (baseline.policy.sha256, baseline.case_set.merkle_root, golden)
    return (hashes["policy"], hashes["case_set"], hashes["golden_scores"]) == wanted


def _with_log_kept(error: CasegateError, root: Path, out: Path) -> CasegateError:
    """The error, with the log of its run where it outlives the workspace."""
    logs = sorted((root / "runs").glob(f"*/{LOG}"))
    if logs and str(logs[-1]) in str(error):
        kept = out / LOG
        write_atomically(kept, logs[-1].read_bytes())
        return type(error)(str(error).replace(str(logs[-1]), str(kept)))
    return error


def _compare_with_base(
    gated: Gated, baseline: Baseline, changes: Changes, cache: Cache | None
) -> Compared | None:
    """What the candidate is compared with: the base's own result where the cache has it, else the
    released model, else golden; None where there is none of them.
    """
    if cache and changes.checkout and changes.base:
        tree = changes.checkout.tree(changes.base)
        kept = cache.of_tree(tree) if tree else None
        if kept and kept.decision.hashes["case_set"] == gated.decision.hashes["case_set"]:
            name = f"the base, {changes.base[:12]}"
            return Compared(name, kept.decision, _flips(gated, "base", kept.scores))
    for name in ("champion", "golden"):
        if name in gated.scores:
            scores = gated.scores[name]
            decision = judge_scores(baseline, scores, name)
            return Compared(name, decision, _flips(gated, name, scores))
    return None


def _flips(gated: Gated, name: str, base: CaseScores) -> Flips | None:
    cases = JudgedCases(gated.case_set)
    models: Mapping[str, CaseScores] = {"candidate": gated.scores["candidate"], name: base}
    outputs, faults = align_outputs(models, gated.case_set, cases, clustered=False)
    if faults:
        return None
    return describe_flips(cases, outputs.pop("candidate"), outputs)[0]
