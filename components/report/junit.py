"""JUnit XML, one test case per check, so that any CI server shows the gate as it shows tests.

Keeps to the schemas of Jenkins and of Ant, but that Ant's knows no output of a single test case:
there a waived check could not be distinguished from one that passed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from xml.etree import ElementTree

from components.decision import CheckResult, Decision, Verdict
from components.report.context import ReportContext
from components.report.exports import export_faults
from components.report.words import explain, sentence, standing

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
FAULTS = ("scores", "self_test")  # the gate could not judge, which is not a failed check


def junit(decision: Decision, context: ReportContext) -> str:
    """The decision as one test suite; what is not PASS and still blocks is a failure or an error.

    INCONCLUSIVE is a failure of type `inconclusive`, never skipped: CI servers count skipped tests
    as harmless. Waived and supporting checks pass, and say so.
    """
    return junit_document([decision_suite(decision, context)])


def decision_suite(decision: Decision, context: ReportContext) -> ElementTree.Element:
    """A suite with a case per check."""
    name = f"casegate {decision.case_set['name']} version {decision.case_set['version']}"
    return suite(
        f"{name}, policy {decision.policy}",
        [_case(check) for check in decision.checks],
        at=decision.created,
        facts=_facts(decision, context),
        output=_output(decision),
    )


def junit_document(suites: Iterable[ElementTree.Element]) -> str:
    """The whole file."""
    root = ElementTree.Element("testsuites")
    for number, one in enumerate(suites):
        one.set("id", str(number))
        root.append(one)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def suite(
    name: str,
    cases: Sequence[ElementTree.Element],
    *,
    at: str,
    facts: Mapping[str, str],
    output: str,
) -> ElementTree.Element:
    """Args:
    at: when it was judged, ISO 8601 in UTC.
    facts: what its properties say.
    """
    found = ElementTree.Element(
        "testsuite",
        {
            "name": _text(name),
            "tests": str(len(cases)),
            "failures": str(sum(case.find("failure") is not None for case in cases)),
            "errors": str(sum(case.find("error") is not None for case in cases)),
            "time": "0",
            "skipped": "0",
            "timestamp": at[:19],
            "hostname": "localhost",
            "id": "0",
            "package": "casegate",
        },
    )
    properties = ElementTree.SubElement(found, "properties")
    for key, value in facts.items():
        ElementTree.SubElement(properties, "property", {"name": _text(key), "value": _text(value)})
    found.extend(cases)
    ElementTree.SubElement(found, "system-out").text = _text(output)
    ElementTree.SubElement(found, "system-err")
    return found


def case(
    name: str, place: str, *, kind: str = "", sort: str = "", message: str = "", text: str = ""
) -> ElementTree.Element:
    """Args:
    kind: failure or error; empty for a case that passes, of which `text` is the output.
    sort: which failure or error it is.
    """
    found = ElementTree.Element(
        "testcase", {"name": _text(name), "classname": _text(place), "time": "0"}
    )
    if kind:
        of = {"type": sort, "message": _text(message)}
        ElementTree.SubElement(found, kind, of).text = _text(text)
    elif text:
        ElementTree.SubElement(found, "system-out").text = _text(text)
    return found


def _case(check: CheckResult) -> ElementTree.Element:
    name, place = check.check, f"casegate.{check.metric or check.rule}"
    if check.open:
        kind = "error" if check.rule in FAULTS else "failure"
        sort = check.rule if kind == "error" else check.verdict.value.lower()
        text = f"{standing(check)}: {check.reason}{_numbers(check)}"
        return case(name, place, kind=kind, sort=sort, message=check.reason, text=text)
    if check.verdict is not Verdict.PASS:
        text = f"{standing(check)}, does not block: {check.reason}{_numbers(check)}"
        return case(name, place, text=text)
    return case(name, place)


def _numbers(check: CheckResult) -> str:
    """The figures in full, one per line."""
    names = ("n", "estimate", "lower", "upper", "limit", "method")
    found = {name: getattr(check, name) for name in names}
    found["n"] = check.n or None
    return "".join(f"\n{name}: {value}" for name, value in found.items() if value is not None)


def _facts(decision: Decision, context: ReportContext) -> dict[str, str]:
    """What the suite's properties say: the verdict, the looks and every hash."""
    planned, used = decision.looks.planned, decision.looks.used
    supporting = [check for check in decision.checks if check.role == "supporting"]
    return {
        "verdict": decision.verdict.value,
        "exit_code": str(decision.exit_code),
        "run_id": decision.run_id,
        "looks": f"{'not counted' if used is None else used} of {planned}",
        "synthetic": str(context.synthetic).lower(),
        **{f"waived.{c.check}": c.verdict.value for c in decision.checks if c.waived},
        **{f"supporting.{c.check}": c.verdict.value for c in supporting},
        **{f"exports.{each.kind}": each.verdict.value for each in decision.exports},
        **{f"sha256.{name}": value or "none" for name, value in sorted(decision.hashes.items())},
        "sha256.decision": decision.decision_sha256,
    }


def _output(decision: Decision) -> str:
    waivers = [
        f"waiver ({w.state}): {w.check} by {w.by} and {w.second} until {w.expires}: {w.reason}"
        for w in decision.waivers
    ]
    exports = [
        f"{export.kind}: {check.verdict.value}: {explain(check)}"
        for export in decision.exports
        for check in export_faults(decision, export)
    ]
    return "\n".join([sentence(decision), *waivers, *exports, *decision.findings])


def _text(text: str) -> str:
    """`text` without the characters that XML cannot hold, not even escaped."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
