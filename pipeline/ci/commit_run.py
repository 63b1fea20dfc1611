"""A commit judged by a run: on which cases, from the cache or by the pipeline, and beside what."""

import tempfile
from dataclasses import replace
from pathlib import Path

from components.records.clock import time_id
from components.records.files import write_atomically
from components.records.run_files import HTML_REPORT
from pipeline.ci.cache import Cache
from pipeline.ci.checked import CANDIDATE, JudgedBaseline, Watching, Work
from pipeline.ci.compare import compare_with_base
from pipeline.ci.full import Ran, champion_of, ci_config, prepared, result_files, run_full
from pipeline.ci.limits import LimitChange
from pipeline.ci.place import run_workspace
from pipeline.ci.rejudge import changed_limits
from pipeline.ci.rows import Compared
from pipeline.ci.verify import verify_baseline


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
        with steps.step("inputs") as step:
            inputs, baseline = prepared(config, root)
            champion = champion_of(work.registry, baseline)
            if work.registry and champion is None:
                notes["registry"] += f"; it has no scores of {baseline.name}"
            notes["case set"] = _which(work, baseline.name)
            step.detail = f"judged on {baseline.name}, {len(baseline.case_set.cases)} cases"
        with steps.step("result") as step, watching() as listener:
            ran = run_full(
                inputs,
                baseline,
                champion,
                cache=cache,
                why="; ".join(work.plan.reasons)[:200],
                listener=listener,
                out=asked.out,
            )
            step.detail = "from the cache" if ran.from_cache else notes["workspace"]
        compared = compare_with_base(ran.gated, baseline, work.changes, cache, time_id())
        notes["cache"] = _kept(work, cache, ran)
        return (replace(_as_judged(ran, compared, asked.out), limits=limits),)


def _verified(work: Work, folders: tuple[Path, ...]) -> tuple[LimitChange, ...]:
    """What the change does to limits of changed baselines, all of which are sound."""
    found: list[LimitChange] = []
    with tempfile.TemporaryDirectory() as place:
        for folder in folders:
            with work.steps.step(f"verify {folder.name}"):
                baseline = verify_baseline(folder, work.changes)
                limits = changed_limits(baseline, work.changes, Path(place))
            found += [replace(one, what=f"{baseline.name}: {one.what}") for one in limits]
    return tuple(found)


def _which(work: Work, name: str) -> str:
    """Which cases judge, and that a look at the locked ones was spent where it was."""
    release = work.plan.release
    if release is None and work.asked.config.ci.baseline is not None:
        return f"{name}, the development one: no look at the locked one is spent"
    why = f"for a release ({release})" if release else "as ci.baseline names no other"
    return f"{name}, the locked one, {why}; the ledger of releases does not count this look"


def _kept(work: Work, cache: Cache | None, ran: Ran) -> str:
    """Puts a result into the cache; one line on it."""
    if cache is None:
        return "none"
    changes = work.changes
    tree = changes.checkout.tree("HEAD") if changes.checkout and changes.clean else None
    if ran.from_cache:
        cache.note_tree(tree, ran.key)
        return f"hit, {ran.key[:12]}"
    return cache.keep(ran.key, result_files(ran), tree=tree) or f"kept, {ran.key[:12]}"


def _as_judged(ran: Ran, compared: Compared | None, out: Path) -> JudgedBaseline:
    """The result, with its page copied to where it outlives the workspace."""
    kept = out / HTML_REPORT
    write_atomically(kept, ran.report.read_bytes())
    return JudgedBaseline(
        ran.baseline.name,
        CANDIDATE,
        ran.gated,
        compared,
        report=kept,
        from_cache=ran.from_cache,
    )
