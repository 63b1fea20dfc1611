"""The plain words of every report, so that no two formats name one thing differently."""

from components.decision import (
    EXIT_BROKEN,
    EXIT_INTEGRITY,
    EXIT_NOTHING_EVALUATED,
    CheckResult,
    Comparison,
    Decision,
    Verdict,
)

MEANING = {
    Verdict.PASS: "may be released",
    Verdict.FAIL: "must not be released",
    Verdict.INCONCLUSIVE: "not released: not proven",
}
STOPPED = {
    EXIT_INTEGRITY: "it could not be judged, because the evidence does not fit together",
    EXIT_NOTHING_EVALUATED: "there was nothing to judge it on",
    EXIT_BROKEN: "the gate failed its own test, so nothing it says can be relied on",
}
PATIENTS = {
    "independent": "each image counts as a case of its own",
    "clustered": "images of one patient count together in the intervals",
    "aggregated": "the images of a patient are one case",
}
SUBJECTS = {
    "negative_flips": "Cases turned wrong",
    "sentinel": "Never-miss cases",
    "latency": "Latency",
    "step_time": "Step of training",
    "privacy": "Privacy of the training",
    "site": "Judged at a site",
    "looks": "Looks at the case set",
    "coverage": "Training cases",
    "attention": "Heat in the lesions",
    "evaluator": "Evaluator",
    "servable": "Served",
    "alike": "Cases called alike",
    "apart": "Scores apart, mean",
    "agreement": "Original images",
    "scores": "Scores",
    "self_test": "Self-test",
    "baseline": "Baseline",
    "export": "Exported artefact",
}
METRICS = {"auc": "AUC", "brier": "Brier score", "ece": "expected calibration error"}


def sentence(decision: Decision) -> str:
    """The verdict for a person: on how many cases, and what it means for a release."""
    cases = f"{decision.case_set['cases']:,} historical cases"
    gates = [check for check in decision.checks if check.role == "gate"]
    if decision.exit_code in STOPPED:
        return f"The candidate must not be released: {STOPPED[decision.exit_code]}."
    if decision.verdict is Verdict.PASS:
        return f"{_passed(decision, gates)} on {cases}."
    if decision.verdict is Verdict.FAIL:
        failed = sum(check.open and check.verdict is Verdict.FAIL for check in gates)
        unproven = sum(check.open for check in gates) - failed
        return (
            f"The candidate must not be released: {failed} of {counted(len(gates), 'check')} "
            f"failed on {cases}"
            + (f", and {unproven} more could not be proven." if unproven else ".")
        )
    left = [check for check in gates if check.open]
    if _awaits_approval(decision):
        return (
            f"The candidate is not released yet: no check failed on {cases}, but nobody has "
            "approved a baseline, and the first one is a person's decision."
        )
    if not left:
        return f"The candidate is not released: no check judged it on {cases}."
    return (
        f"The candidate is not released: no check failed, but {cases} are too few to prove "
        f"{len(left)} of {counted(len(gates), 'check')}."
    )


def headline(decision: Decision) -> str:
    """What the verdict means for a release, in three or four words."""
    if decision.verdict is Verdict.PASS and decision.already_released:
        return "already released"
    if decision.verdict is Verdict.PASS and any(check.waived for check in decision.checks):
        return "may be released, with a waiver"
    if _awaits_approval(decision):
        return "not released yet: nobody has approved a baseline"
    return MEANING[decision.verdict]


def blocking(decision: Decision) -> list[CheckResult]:
    """The checks that stand in the way of a release, FAIL before INCONCLUSIVE."""
    left = [check for check in decision.checks if check.open]
    return sorted(left, key=lambda check: check.verdict is not Verdict.FAIL)


def regressed_first(decision: Decision) -> list[Comparison]:
    """The slices that regressed, then the others, those with the smallest p first."""
    return sorted(decision.comparisons, key=lambda row: (not row.regressed, row.holm))


def _awaits_approval(decision: Decision) -> bool:
    """Whether a person's approval of a baseline is all that is missing."""
    left = [check for check in decision.checks if check.open]
    unproven = decision.verdict is Verdict.INCONCLUSIVE
    return bool(left) and unproven and all(check.rule == "baseline" for check in left)


def _passed(decision: Decision, gates: list[CheckResult]) -> str:
    waived = sum(check.waived for check in gates)
    if decision.already_released:
        return "The candidate is the model that is already released, and passes"
    if waived:
        return (
            f"The candidate may be released, but only because {counted(waived, 'check')} that "
            f"did not pass {'was' if waived == 1 else 'were'} waived: "
            f"{len(gates) - waived} of {len(gates)} passed"
        )
    number = f"all {len(gates)} checks" if len(gates) > 1 else "its one check"
    return f"The candidate may be released: it passed {number}"


def counted(number: int, word: str) -> str:
    """Such as `1 check` and `1,200 checks`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def standing(check: CheckResult) -> str:
    """The verdict of a check and what it weighs, such as `FAIL, waived`."""
    word = check.verdict.value
    if check.waived:
        word += ", waived"
    return f"{word}, supporting" if check.role == "supporting" else word


def explain(check: CheckResult) -> str:
    """Which check it is and why it came out so, such as `latency.p95: 9.1 ms, wanted 5 ms`."""
    return f"{check.check}: {check.reason}"


def title(check: CheckResult) -> str:
    """What a person calls the check, such as `Sensitivity, change against golden`."""
    against = "" if check.against == "none" else f" against {check.against}"
    named = {
        "floor": ", floor",
        "ceiling": ", ceiling",
        "non_inferiority": f", change{against}",
        "site": "",
    }
    return subject(check) + named.get(check.rule, against)


def subject(check: CheckResult) -> str:
    """What the check is about, such as `Sensitivity in device=Aster` or `Never-miss cases`."""
    named = SUBJECTS.get(check.rule, check.rule.replace("_", " "))
    if check.rule == "export":
        named += check.check.removeprefix("exports").replace("[", " ").rstrip("]")
    if check.rule == "site":
        about = metric_name(check.metric) if check.metric else "Judged"
        against = f", change against {check.against}" if check.against != "none" else ""
        return f"{about} at {site_name(check)}{against}"
    where = "" if check.slice in (None, "overall") else f" in {check.slice}"
    return f"{metric_name(check.metric) if check.metric else named}{where}"


def site_name(check: CheckResult) -> str:
    """Which hospital a check of rule `site` is of."""
    return check.check.partition("[")[2].partition("]")[0]


def metric_name(metric: str) -> str:
    """Such as `AUC` and `Sensitivity`."""
    known = METRICS.get(metric, metric.replace("_", " "))
    return known[:1].upper() + known[1:]


def number(value: float | None, *, signed: bool = False) -> str:
    """Three decimals, fewer for large numbers; `-` where there is none."""
    if value is None:
        return "-"
    if abs(value) >= 100 or (abs(value) >= 1 and value == int(value) and not signed):
        return f"{value:+.0f}" if signed else f"{value:.0f}"
    digits = 3 if abs(value) < 10 else 1
    return f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"


def interval(check: CheckResult) -> str:
    """Such as `0.912 to 0.951`; `-` where there is none."""
    if check.lower is None or check.upper is None:
        return "-"
    signed = is_change(check)
    return f"{number(check.lower, signed=signed)} to {number(check.upper, signed=signed)}"


def is_change(check: CheckResult) -> bool:
    """Whether its numbers are differences, which carry a sign."""
    compared = check.rule == "site" and check.against != "none"
    return compared or check.rule in ("non_inferiority", "attention")


def difference(row: Comparison) -> float:
    """Change of the metric on the slice, candidate minus baseline."""
    n = row.both + row.gained + row.lost + row.neither
    return (row.gained - row.lost) / n if n else 0.0


def p_value(value: float) -> str:
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"


def looks(decision: Decision) -> str:
    """How often the case set has judged, against what was planned."""
    used, planned = decision.looks.used, decision.looks.planned
    if used is None:
        return f"not counted here; {planned} planned"
    return f"{used} of {planned} planned" + (", more than planned" if used > planned else "")
