"""The reports of a run: Markdown for a pull request, one HTML page for people."""

from pathlib import Path

from components.baselines.files import write_atomically
from components.baselines.golden import load_golden
from components.baselines.scores import CaseScores, load_scores
from components.cases.pictures import read_pictures
from components.decision import Decision
from components.report.evidence import Evidence
from components.report.html import html_report
from components.report.markdown import write_report
from components.report.worklist import pictured
from components.run_files import CHAMPION_SCORES, HTML_REPORT, REPORT, SCORES
from pipeline.inputs import Inputs


def write_reports(decision: Decision, inputs: Inputs) -> Path:
    """Writes `report.md` and `report.html` into the run's folder; returns the latter."""
    folder, synthetic = inputs.workspace.run_folder(inputs.run_id), inputs.case_source.synthetic
    write_report(decision, folder / REPORT, synthetic=synthetic)
    images = read_pictures(inputs.case_source, pictured(decision, inputs.case_set))
    evidence = Evidence(inputs.case_set, _scores(inputs, folder), images.get)
    page = html_report(decision, evidence, synthetic=synthetic)
    write_atomically(folder / HTML_REPORT, page.encode())
    return folder / HTML_REPORT


def _scores(inputs: Inputs, folder: Path) -> dict[str, CaseScores]:
    """What each model said that the decision compares."""
    scores = {"candidate": load_scores(folder / SCORES)}
    if (folder / CHAMPION_SCORES).exists():
        scores["champion"] = load_scores(folder / CHAMPION_SCORES)
    if inputs.golden_sha256:
        scores["golden"] = load_golden(inputs.golden_path).scores
    return scores
