"""A decision on given scores, in the form that was asked for, on the way to a screen or a file."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from components.records.errors import PolicyError
from components.report.context import ReportContext
from components.report.words import sentence
from pipeline.run.score_gate import Gated

if TYPE_CHECKING:
    from rich.console import Console

    from components.records.case import Source


def rendered(gated: Gated, form: str) -> str:
    """The whole text of a report, as components/report/ makes it, or as a terminal shows it."""
    if form == "text":
        return as_text(gated)
    from components.report.evidence import ReportEvidence
    from components.report.formats import FORMATS

    evidence = ReportEvidence(gated.case_set, gated.scores)
    if form == "html" and gated.images:
        from pipeline.run.explain import ask_maps

        images = _pictures(gated, gated.images)
        maps = {name: ask_maps(model, images) for name, model in gated.models.items()}
        evidence = replace(evidence, picture=images.get, maps=maps)
    return FORMATS[form](gated.decision, evidence, context_of(gated))


def as_text(gated: Gated, *, terminal: bool = False) -> str:
    """The table of checks, for a terminal or for a file."""
    from components.report.terminal import page_text, show_decision

    def show(page: "Console") -> None:
        words = sentence(gated.decision)
        show_decision(page, gated.decision, sentence=words, synthetic=gated.synthetic)

    return page_text(show, terminal=terminal)


def context_of(gated: Gated) -> ReportContext:
    """Where the reader finds the policy: relative to the checkout, with the line of each check."""
    root = Path(os.environ.get("GITHUB_WORKSPACE") or ".").resolve()
    path = gated.policy_path.resolve()
    if not path.is_relative_to(root):
        return ReportContext(synthetic=gated.synthetic)
    shown = path.relative_to(root).as_posix()
    return ReportContext(gated.synthetic, policy_path=shown, policy_lines=_policy_lines(path))


def _policy_lines(path: Path) -> dict[str, int]:
    """The line of each part of a policy, by the name that its checks begin with."""
    from components.gate.policy import load_policy
    from components.records.yaml_lines import read_yaml

    document = read_yaml(path, path.read_bytes(), error=PolicyError)
    places = {check.name: ("checks", i) for i, check in enumerate(load_policy(path).checks)}
    same = ("negative_flips", "sentinels", "latency", "attention", "step_time", "privacy")
    parts = {"looks": "planned_looks", **{part: part for part in same}}
    known = {**places, **{name: (key,) for name, key in parts.items() if key in document.data}}
    return {name: int(document.locate(at).rpartition(":")[2]) for name, at in known.items()}


def _pictures(gated: Gated, images: "Source") -> dict[str, bytes]:
    """Those of the cases that changed, where the image is the one that was locked."""
    from components.cases.images import pixels_sha256
    from components.cases.lock import read_pictures
    from components.report.worklist import pictured

    found = read_pictures(images, pictured(gated.decision, gated.case_set))
    locked = {case.case_id: case.pixels_sha256 for case in gated.case_set.cases}
    return {id_: image for id_, image in found.items() if pixels_sha256(image) == locked[id_]}
