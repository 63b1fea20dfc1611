from dataclasses import replace

from components.report.context import ReportContext
from tests.components.report.making import EVALUATOR, MARGIN


def test_a_check_is_found_at_the_longest_name_it_begins_with() -> None:
    lines = {"sensitivity[a=1]": 3, "sensitivity[a=1].x]": 9, "sensitivity[a=1": 5}
    context = ReportContext(policy_lines=lines)
    assert context.line(replace(MARGIN, check="sensitivity[a=1].floor")) == 3
    assert context.line(replace(MARGIN, check="sensitivity[a=1].x].floor")) == 9
    assert context.line(EVALUATOR) is None
