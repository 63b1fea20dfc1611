"""Changed baselines, one by one: the released model judged by each, and by what it was before."""

import tempfile
from pathlib import Path

from components.records.clock import time_id
from pipeline.ci.checked import JudgedBaseline, Work
from pipeline.ci.rejudge import RejudgedBaseline, rejudge
from pipeline.ci.rows import Compared


def judge_anew(work: Work, folders: tuple[Path, ...]) -> tuple[JudgedBaseline, ...]:
    """Verifies each of the baselines in `folders` and judges the released model by it.

    Raises:
      IntegrityError, PolicyError, NothingEvaluated: as `rejudge`.
    """
    found = []
    with tempfile.TemporaryDirectory() as place:
        for folder in folders:
            with work.steps.step(f"judge {folder.name}") as step:
                anew = rejudge(
                    folder, work.changes, work.registry, run_id=time_id(), place=Path(place)
                )
                judged = _as_judged(anew)
                step.detail = f"{anew.judged}: {judged.remark}"
            found.append(judged)
    return tuple(found)


def _as_judged(anew: RejudgedBaseline) -> JudgedBaseline:
    now, compared = anew.gated.decision.verdict.value, None
    remark = f"{now}; {anew.no_before}"
    if anew.before:
        compared = Compared("the base's policy", anew.before)
        remark = f"under the base's: {anew.before.verdict.value}; under these: {now}"
    return JudgedBaseline(anew.name, anew.judged, anew.gated, compared, remark, anew.limits)
