"""SARIF 2.1.0: the checks that do not pass, at the lines of the policy that ask for them.

Code scanning services then follow a finding from run to run and show it beside the policy.
"""

import json
import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import quote

from components.decision import EXIT_BROKEN, CheckResult, Decision, Verdict
from components.records.files import sha256_json
from components.records.text import one_line
from components.report.context import ReportContext
from components.report.words import sentence, standing, title

HELP = {
    "floor": "How good the candidate must be in itself. PASS where the lower bound reaches the "
    "floor, FAIL where even the upper bound is below it, else INCONCLUSIVE: more cases are needed.",
    "ceiling": "A value that must stay low. PASS where the upper bound is within the ceiling, FAIL "
    "where even the lower bound is above it, else INCONCLUSIVE.",
    "non_inferiority": "How much may be lost against a baseline on the same cases. PASS where the "
    "lower bound of the change is above minus the margin, FAIL where its upper bound is below.",
    "negative_flips": "The share of all cases that were right before and are wrong now has a "
    "ceiling. Every one of them is listed in the report.",
    "sentinel": "A case marked never-miss that a baseline has right must not be wrong now.",
    "latency": "How long one image may take.",
    "step_time": "How long a step of the training may take.",
    "privacy": "How much anybody may learn from the model of a patient it was trained on: epsilon, "
    "computed of the noise and the draws of its training. Without a promise it fails.",
    "site": "A hospital that the policy names judges the candidate on its own cases, which stay "
    "there, and signs what it says. No verdict, or one that is not its own, is no PASS.",
    "looks": "A fixed case set wears out with every look at it; the policy plans how many.",
    "coverage": "A slice that is judged must be among the training cases too: on few cases a model "
    "can be right by chance about a kind that it never saw.",
    "attention": "The heat of the model's maps must not move out of the lesions, where these are "
    "known: a model that looks elsewhere may be right for the wrong reason.",
    "evaluator": "TensorFlow Model Analysis judges the same model from the images; it can only "
    "block.",
    "servable": "The model must answer in the loader that TensorFlow Serving uses, by both "
    "signatures, in batches and one by one, with the scores that are judged.",
    "agreement": "The model must score the bytes that the source has of a case as it scores the "
    "picture that was judged: what a client sends is not decoded by us.",
    "export": "The model in the form of another runtime is judged by its own scores on the same "
    "cases. One that does not pass is not released; the model is, unless the policy requires it.",
    "alike": "An exported artefact must call the cases as the model does. PASS where the lower "
    "bound of the share reaches the floor, FAIL where even the upper bound is below it.",
    "apart": "The scores of an exported artefact must lie near the model's, whatever it calls.",
    "scores": "Every locked case must be scored exactly once, with a finite number.",
    "self_test": "The gate was tried on planted inputs and gave a wrong answer: it is broken, and "
    "nothing it says can be relied on.",
    "baseline": "There must be approved golden scores, and a baseline must not be the candidate "
    "itself.",
}

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def sarif(decision: Decision, context: ReportContext) -> str:
    """The decision as one SARIF run; no result where every check passes."""
    return sarif_document([decision_run(decision, context)])


def sarif_document(runs: Sequence[dict[str, Any]]) -> str:
    """The whole file."""
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": list(runs)}
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def decision_run(decision: Decision, context: ReportContext) -> dict[str, Any]:
    """A run with a result per check that does not pass."""
    results = [
        _result(check, decision, context)
        for check in decision.checks
        if check.verdict is not Verdict.PASS
    ]
    rules = sorted({check.rule for check in decision.checks})
    for result in results:
        result["ruleIndex"] = rules.index(result["ruleId"])
    return {
        **sarif_run(
            _identity(decision),
            [_rule(rule) for rule in rules],
            results,
            successful=decision.exit_code != EXIT_BROKEN,
            exit_code=decision.exit_code,
            description=sentence(decision),
        ),
        "properties": {
            "verdict": decision.verdict.value,
            "synthetic": context.synthetic,
            "sha256": {**decision.hashes, "decision": decision.decision_sha256},
            "exports": {
                each.kind: {"verdict": each.verdict.value, "sha256": each.sha256}
                for each in decision.exports
            },
        },
    }


def sarif_run(
    identity: str,
    rules: Sequence[dict[str, Any]],
    results: Sequence[dict[str, Any]],
    *,
    successful: bool,
    exit_code: int,
    description: str,
) -> dict[str, Any]:
    """Args:
    identity: category and run, parted by a slash.
    """
    return {
        "tool": {"driver": {"name": "casegate", **_version(), "rules": list(rules)}},
        "automationDetails": {"id": identity},
        "invocations": [
            {
                "executionSuccessful": successful,
                "exitCode": exit_code,
                "exitCodeDescription": description,
            }
        ],
        "results": list(results),
        "columnKind": "unicodeCodePoints",
    }


def _result(check: CheckResult, decision: Decision, context: ReportContext) -> dict[str, Any]:
    message = f"{standing(check)}: {title(check)} ({check.check}): {check.reason}"
    names = ("metric", "slice", "against", "n", "estimate", "lower", "upper", "limit", "method")
    level = "error" if check.verdict is Verdict.FAIL else "warning"
    result: dict[str, Any] = {
        "ruleId": check.rule,
        "level": level if check.open else "note",
        "message": {"text": sarif_message(message)},
        "partialFingerprints": {
            "casegateCheck/v1": sha256_json(
                [decision.case_set["name"], decision.policy, check.check]
            )
        },
        "properties": {
            "verdict": check.verdict.value,
            "role": check.role,
            **{name: getattr(check, name) for name in names},
        },
    }
    if context.policy_path:
        result["locations"] = [_location(check, context)]
    if check.waived:
        result["suppressions"] = [_suppression(check, decision)]
    return result


def _location(check: CheckResult, context: ReportContext) -> dict[str, Any]:
    path = context.policy_path.replace("\\", "/")
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(path)}}
    if line := context.line(check):
        place["region"] = {"startLine": line}
    return {"physicalLocation": place}


def _suppression(check: CheckResult, decision: Decision) -> dict[str, str]:
    """A waiver is what SARIF calls an accepted suppression."""
    notes = [w for w in decision.waivers if w.check == check.check and w.state == "applied"]
    reasons = [
        f"waived by {note.by} and {note.second} until {note.expires}: {note.reason}"
        for note in notes
    ]
    words = one_line("; ".join(reasons) or "waived", " ")
    return {"kind": "external", "status": "accepted", "justification": words}


def _rule(rule: str) -> dict[str, Any]:
    help_text = HELP.get(rule, rule)
    name = rule.replace("_", " ").title().replace(" ", "")
    return {
        "id": rule,
        **({"name": name} if name.lower() != rule else {}),  # a name that is the id says nothing
        "shortDescription": {"text": help_text.split(". ")[0].rstrip(".") + "."},
        "fullDescription": {"text": help_text},
        "help": {"text": help_text},
        "defaultConfiguration": {"level": "error"},
    }


def _identity(decision: Decision) -> str:
    """Category and run; the slash that parts them must stand nowhere else."""
    return f"casegate {_segment(decision.case_set['name'])}/{_segment(decision.run_id)}"


def _segment(value: str | int) -> str:
    return one_line(str(value), " ").replace("/", "-")


def _version() -> dict[str, str]:
    try:
        return {"version": version("casegate")}
    except PackageNotFoundError:
        return {}


def sarif_message(text: str) -> str:
    """A message in which nothing can become a link or a placeholder (SARIF 3.11.5, 3.11.6)."""
    text = one_line(text, " ")
    text = re.sub(r"([\[\]\\])", r"\\\1", text) if re.search(r"\]\s*\(", text) else text
    return re.sub(r"[{}]", lambda brace: brace[0] * 2, text)
