"""Decisions and evidence made by hand, so that reports are tested on nothing but themselves."""

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from components.baselines.case_set import CaseSet, LockedCase, cases_root
from components.baselines.scores import CaseScores, OriginalsAgreement, Servability
from components.decision import (
    CheckResult,
    Comparison,
    Decision,
    Flips,
    Looks,
    SelfTest,
    SliceEstimate,
    Verdict,
    WaiverNote,
)
from components.report.evidence import ReportEvidence
from tests.components.planting import sha

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
NASTY = (
    "a|b <script>alert(\"x\")</script> 'q' [click](http://example.org) `c` {0} @all, %0A::d"
    "\r\n# e \u0416\u6f22\u5b57"
)

FLOOR = CheckResult(
    check="sensitivity[overall].floor",
    rule="floor",
    verdict=PASS,
    reason="lower bound 0.9120 reaches the floor 0.9",
    metric="sensitivity",
    slice="overall",
    n=200,
    estimate=0.95,
    lower=0.912,
    upper=0.975,
    limit=0.9,
    method="clopper_pearson",
)
MARGIN = CheckResult(
    check="sensitivity[device=Boreal].non_inferiority.champion",
    rule="non_inferiority",
    verdict=FAIL,
    reason="the loss is at least 0.0610, more than the margin 0.05",
    metric="sensitivity",
    slice="device=Boreal",
    against="champion",
    n=100,
    estimate=-0.12,
    lower=-0.19,
    upper=-0.061,
    limit=-0.05,
    method="tango",
)
FLIPS = CheckResult(
    check="negative_flips.golden",
    rule="negative_flips",
    verdict=PASS,
    reason="4 of 400 cases turned from right to wrong, within the ceiling 0.05",
    against="golden",
    n=400,
    estimate=0.01,
    lower=0.0027,
    upper=0.0254,
    limit=0.05,
    method="clopper_pearson",
)
BRIER = CheckResult(
    check="brier[overall].ceiling",
    rule="ceiling",
    verdict=INCONCLUSIVE,
    reason="the ceiling 0.09 lies within the bounds 0.0710 to 0.0980: too few cases to tell",
    metric="brier",
    slice="overall",
    n=400,
    estimate=0.084,
    lower=0.071,
    upper=0.098,
    limit=0.09,
    method="normal",
    role="supporting",
)
SENTINEL = CheckResult(
    check="sentinels.champion",
    rule="sentinel",
    verdict=FAIL,
    reason="never-miss cases turned wrong: case-0002",
    against="champion",
    n=3,
)
EVALUATOR = CheckResult("evaluator", "evaluator", PASS, "the Evaluator blessed")
AT_NORTH = CheckResult("site[north]", "site", Verdict.FAIL, "as it says")
NO_GOLDEN = CheckResult(
    "baseline.golden", "baseline", INCONCLUSIVE, "no golden scores: bootstrap by name"
)
MISALIGNED = CheckResult(
    "scores.cases.candidate",
    "scores",
    FAIL,
    "candidate scores: missing: case-0007; wanted exactly the 400 cases of planted version 1",
)


def case_set(cases: int = 400, *, ids: Sequence[str] = (), **attributes: str) -> CaseSet:
    """Positives first; two devices in turn; the third case is never to be missed."""
    locked = tuple(
        LockedCase(
            case_id=ids[i] if i < len(ids) else f"case-{i:04d}",
            patient_id=f"patient-{i // 2}",
            label=int(i < cases // 2),
            bytes_sha256=sha(f"bytes {i}"),
            pixels_sha256=sha(f"pixels {i}"),
            attributes={"device": "Aster" if i % 2 else "Boreal", **attributes},
            sentinel=i == 2,
        )
        for i in range(cases)
    )
    root = sha("root") if cases > 10_000 else cases_root(locked)
    return CaseSet(
        "planted", 1, None, "A. Radiologist", "test", "2025-03-31", "planted", locked, root
    )


def scores(cases: CaseSet, *, seed: int, worse: float = 0.0) -> CaseScores:
    """Scores of a model that separates the labels, but not wholly."""
    labels = np.array([case.label for case in cases.cases])
    noise = np.random.default_rng(seed).normal(size=labels.size)
    logits = 2.4 * (2 * labels - 1) * (1 - worse) + 1.6 * noise
    return CaseScores(
        case_ids=tuple(case.case_id for case in cases.cases),
        scores=1 / (1 + np.exp(-logits)),
        operating_point=0.45,
        model_sha256=sha(f"model {seed}"),
        scored_case_set=cases.merkle_root,
        served=Servability(None, "a loader", len(cases.cases), 2, 0.0, OriginalsAgreement()),
    )


def evidence(
    cases: CaseSet, *, pictures: bool = True, models: Sequence[str] = ()
) -> ReportEvidence:
    models = models or ("candidate", "champion", "golden")
    by_model = {name: scores(cases, seed=place) for place, name in enumerate(models)}
    image = png() if pictures else None
    return ReportEvidence(cases, by_model, (lambda _: image) if pictures else None)


def png(width: int = 24, height: int = 16, *, deep: bool = False) -> bytes:
    """A grey ramp, 8 or 16 bits deep."""
    ramp = np.linspace(0, 1, width * height).reshape(height, width)
    samples = (ramp * 4095).astype(np.uint16) if deep else (ramp * 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(samples).save(stream, format="PNG")
    return stream.getvalue()


def decision(*checks: CheckResult, **changed: object) -> Decision:
    """A decision on `checks`, by default with one of everything."""
    checks = checks or (FLOOR, MARGIN, FLIPS, SENTINEL, EVALUATOR, BRIER)
    blocking = {check.verdict for check in checks if check.open}
    verdict = next((v for v in (FAIL, INCONCLUSIVE) if v in blocking), PASS)
    lost = tuple(f"case-{i:04d}" for i in (1, 2, 4))
    made = Decision(
        run_id="run-1",
        created="2025-03-31T12:00:00Z",
        verdict=verdict,
        exit_code={PASS: 0, FAIL: 1, INCONCLUSIVE: 3}[verdict],
        policy="planted",
        alpha=0.025,
        case_set={"name": "planted", "version": 1, "cases": 400, "positives": 200},
        hashes={
            f"{name}{part}": sha(name + part)
            for name in ("candidate", "champion", "golden")
            for part in ("", "_scores")
        }
        | {"case_set": sha("root"), "policy": sha("policy")},
        operating_points=dict.fromkeys(("candidate", "champion", "golden"), 0.45),
        checks=checks,
        patients="clustered",
        looks=Looks(3, 20),
        flips=(
            Flips("champion", ("case-0010",), lost, ("case-0002",)),
            Flips("golden", ("case-0010", "case-0011"), lost[:2], ("case-0002",)),
        ),
        comparisons=(
            Comparison("champion", "sensitivity", "device=Aster", 90, 1, 1, 8, 1, 1, 1, 1, False),
            Comparison(
                "champion", "sensitivity", "device=Boreal", 70, 0, 12, 18,
                0.000488, 0.000244, 0.00053, 0.00195, True,
            ),
        ),
        self_tests=(SelfTest("golden against itself", "not inferior", "not inferior", True),),
        slices=(
            SliceEstimate("sensitivity", "overall", 200, 0.95, 0.912, 0.975, "clopper_pearson"),
        ),
        findings=("2 pictures stand twice in the training data",),
    )  # fmt: skip
    return replace(made, **changed)  # type: ignore[arg-type]


def waived() -> Decision:
    """PASS, because two people let the one failing check through."""
    note = WaiverNote(
        MARGIN.check, "A. Radiologist", "B. Physicist", "device retired", "2025-04-30", "applied"
    )
    return decision(FLOOR, replace(MARGIN, waived=True), FLIPS, EVALUATOR, waivers=(note,))


def first_run() -> Decision:
    """INCONCLUSIVE, for nobody has approved golden scores yet."""
    nothing = dict.fromkeys(("champion", "golden", "champion_scores", "golden_scores"))
    base = decision(FLOOR, EVALUATOR, NO_GOLDEN)
    return replace(
        base,
        hashes={**base.hashes, **nothing},
        operating_points={"candidate": 0.45, "champion": None, "golden": None},
        flips=(),
        comparisons=(),
        looks=Looks(None, 20),
        findings=("no champion: nothing is released yet",),
    )


def unfit() -> Decision:
    """FAIL before anything was judged: the scores are for other cases."""
    base = decision(EVALUATOR, MISALIGNED)
    return replace(
        base, exit_code=4, flips=(), comparisons=(), self_tests=(), slices=(), findings=()
    )


def hostile() -> tuple[Decision, ReportEvidence]:
    """A decision and evidence in which every text that comes from data is markup."""
    base = decision()
    nasty = replace(base.checks[1], check=NASTY, reason=NASTY, slice=f"device={NASTY}")
    note = WaiverNote(NASTY, NASTY, NASTY, NASTY, "2025-04-30", "applied")
    made = replace(
        base,
        run_id=NASTY,
        policy=NASTY,
        case_set={**base.case_set, "name": NASTY},
        checks=(nasty, *base.checks),
        slices=tuple(replace(row, slice=NASTY) for row in base.slices),
        comparisons=tuple(replace(row, slice=NASTY) for row in base.comparisons),
        flips=(Flips("champion", (NASTY,), (NASTY + "2",), (NASTY + "2",)),),
        waivers=(note,),
        self_tests=(SelfTest(NASTY, NASTY, NASTY, False),),
        findings=(NASTY,),
    )
    cases = case_set(40, ids=(NASTY, NASTY + "2"), **{NASTY: NASTY})
    return made, evidence(cases)
