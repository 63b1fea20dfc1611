"""One commit checked: what changed, the least that has to be done about it, and what came of it.

Imports what a step needs only when it comes to it: a change of documentation ends within a second.
"""

from collections.abc import Mapping
from dataclasses import replace

from pipeline.ci.changes import find_changes
from pipeline.ci.checked import CheckedCommit, CheckRequest, JudgedBaseline, Steps, Watching, Work
from pipeline.ci.plan import FULL, JUDGE, NOTHING, make_plan
from pipeline.ci.provider import job


def check(
    asked: CheckRequest, steps: Steps, environ: Mapping[str, str], watching: Watching
) -> CheckedCommit:
    """Checks what is checked out.

    Args:
      watching: shows the run while it lasts; given to it as a context.

    Raises:
      UsageError: what was asked makes no sense here; nothing was checked.
    """
    known, config = job(environ), asked.config
    with steps.step("changes") as step:
        changes = find_changes(
            asked.folder, known, base=asked.base, head=asked.head, ours=asked.ours
        )
        step.detail = changes.summary
    with steps.step("plan") as step:
        release = "--release" if asked.release else known.release
        checkout, path = changes.checkout, asked.config_path
        settings = checkout.relative(path) if checkout and path else None
        plan = make_plan(changes, config.ci, settings=settings, release=release)
        step.detail = f"{plan.kind}: {'; '.join(plan.reasons)}"
    checked = CheckedCommit(plan, changes, known, (), {}, steps.seconds)
    return checked if plan.kind == NOTHING else _judged(checked, asked, steps, watching)


def _judged(
    checked: CheckedCommit, asked: CheckRequest, steps: Steps, watching: Watching
) -> CheckedCommit:
    """With what came of judging, or with the error that ended it."""
    from components.records.errors import CasegateError
    from pipeline.ci.changed_baselines import touched_folders

    plan, changes = checked.plan, checked.changes
    notes: dict[str, str] = {}
    judged: tuple[JudgedBaseline, ...] = ()
    registry = error = None
    try:
        if asked.address is None:
            notes["registry"] = "none named: only golden is compared with"
        else:
            from pipeline.ci.registry import find_registry

            with steps.step("registry") as step:
                registry, notes["registry"] = find_registry(asked.address)
                step.detail = notes["registry"]
        folders = touched_folders(changes, plan.judging) if changes.checkout else ()
        if plan.kind == JUDGE and not folders:
            plan = replace(plan, kind=FULL, reasons=(*plan.reasons, "of no baseline known here"))
        work = Work(asked, plan, changes, steps, registry, notes)
        if plan.kind == JUDGE:
            from pipeline.ci.changed_baselines import rejudge_baselines

            judged = rejudge_baselines(work, folders)
        else:
            from pipeline.ci.commit_run import judge_by_run

            judged = judge_by_run(work, folders, watching)
    except CasegateError as raised:
        error = raised
    return replace(checked, plan=plan, judged=judged, notes=notes, error=error)
