"""Every form in which a decision can be had, under the name that the command line offers."""

from collections.abc import Callable, Mapping

from components.decision import Decision
from components.report.context import ReportContext
from components.report.evidence import ReportEvidence
from components.report.github import github
from components.report.html import html_report
from components.report.junit import junit
from components.report.markdown import report
from components.report.sarif import sarif

Format = Callable[[Decision, ReportEvidence | None, ReportContext], str]


def _json(decision: Decision, evidence: ReportEvidence | None, context: ReportContext) -> str:
    return decision.to_json()


def _markdown(decision: Decision, evidence: ReportEvidence | None, context: ReportContext) -> str:
    return report(decision, synthetic=context.synthetic)


def _html(decision: Decision, evidence: ReportEvidence | None, context: ReportContext) -> str:
    return html_report(decision, evidence, synthetic=context.synthetic)


FORMATS: Mapping[str, Format] = {
    "github": github,
    "html": _html,
    "json": _json,
    "junit": junit,
    "markdown": _markdown,
    "sarif": sarif,
}
