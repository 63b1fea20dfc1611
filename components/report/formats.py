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


FORMATS: Mapping[str, Format] = {
    "github": lambda decision, shown, context: github(decision, context),
    "html": lambda decision, shown, context: html_report(
        decision, shown, synthetic=context.synthetic
    ),
    "json": lambda decision, shown, at: decision.to_json(),
    "junit": lambda decision, shown, context: junit(decision, context),
    "markdown": lambda decision, shown, at: report(decision, synthetic=at.synthetic),
    "sarif": lambda decision, shown, context: sarif(decision, context),
}
