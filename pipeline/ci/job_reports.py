"""JUnit and SARIF of a checked commit: those of its decisions, or of the check itself.

A check that judged nothing passes, and one that was stopped is an error: never an empty file, which
CI servers take for success or for a fault of their own.
"""

import json
from typing import Any
from xml.etree import ElementTree

from components.records.clock import current_time
from components.records.text import printable
from pipeline.ci.checked import CheckedCommit


def junit(checked: CheckedCommit) -> str:
    """A suite per decision; one of the check itself where there is none."""
    root = ElementTree.Element("testsuites")
    for one in checked.judged:
        from pipeline.run.show_gate import rendered

        root.extend(ElementTree.fromstring(rendered(one.gated, "junit")))  # noqa: S314 - ours
    if checked.error or not checked.judged:
        root.append(_own_suite(checked))
    for number, suite in enumerate(root):
        suite.set("id", str(number))  # each suite was made as if it were the only one
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _own_suite(checked: CheckedCommit) -> ElementTree.Element:
    stopped = checked.error is not None
    suite = ElementTree.Element(
        "testsuite",
        {
            "name": "casegate ci",
            "tests": "1",
            "failures": "0",
            "errors": str(int(stopped)),
            "skipped": "0",
            "time": "0",
            "timestamp": current_time().strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": "localhost",
            "id": "0",
            "package": "casegate",
        },
    )
    ElementTree.SubElement(suite, "properties")
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {"name": f"plan: {checked.plan.kind}", "classname": "casegate", "time": "0"},
    )
    said = printable("; ".join(checked.plan.reasons))
    if checked.error:
        message = printable(str(checked.error))
        kind = type(checked.error).__name__
        ElementTree.SubElement(case, "error", {"type": kind, "message": message}).text = message
    ElementTree.SubElement(suite, "system-out").text = said
    ElementTree.SubElement(suite, "system-err")
    return suite


def sarif(checked: CheckedCommit) -> str:
    """One run per decision, and one of the check itself where there is none."""
    runs: list[dict[str, Any]] = []
    for one in checked.judged:
        from pipeline.run.show_gate import rendered

        runs += json.loads(rendered(one.gated, "sarif"))["runs"]
    if checked.error or not checked.judged:
        runs.append(_own_run(checked))
    schema = (
        "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    )
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": runs}, indent=2) + "\n"


def _own_run(checked: CheckedCommit) -> dict[str, Any]:
    error = checked.error
    results = []
    if error:
        text = printable(error.line).replace("{", "{{").replace("}", "}}")
        results = [{"ruleId": "stopped", "level": "error", "message": {"text": text}}]
    return {
        "tool": {
            "driver": {
                "name": "casegate",
                "rules": [
                    {
                        "id": "stopped",
                        "shortDescription": {"text": "The check ended without a verdict."},
                    }
                ],
            }
        },
        "automationDetails": {"id": "casegate ci/"},
        "invocations": [{"executionSuccessful": error is None, "exitCode": checked.exit_code}],
        "results": results,
        "columnKind": "unicodeCodePoints",
    }
