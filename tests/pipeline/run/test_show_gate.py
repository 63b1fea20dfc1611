"""What a report shows beside the decision: the right pictures, and where the policy says so."""

from pathlib import Path

import pytest

from components.baselines.case_set import load_case_set
from components.cases.lock import lock_source
from components.cases.sources import open_source
from pipeline.run.score_gate import Gated, GateRequest, gate
from pipeline.run.show_gate import as_text, context_of
from tests.components.cases.making import picture, write_npz
from tests.components.planting import scored
from tests.pipeline.score_making import Team, casegate, write_scores


@pytest.fixture
def team(tmp_path: Path) -> Team:
    return Team(tmp_path)


def gated(team: Team) -> Gated:
    models = {"candidate": team.candidate(2), "champion": team.champion}
    return gate(GateRequest(case_set=str(team.case_set), models=models, points=("0.5",)))


def page(tmp_path: Path, images: Path, candidate: Path | None = None) -> str:
    """The HTML of a candidate that lost one of 20 locked cases, or of a SavedModel."""
    place = tmp_path / "baseline" / "case_set.json"
    cases = load_case_set(place)
    (place.parent / "policy.yaml").write_text(
        "{name: p, leakage: stop, planned_looks: 3, checks: "
        "[{metric: sensitivity, slice: overall, floor: 0.5, rationale: planted}]}"
    )
    files = {
        name: write_scores(tmp_path / f"{name}.csv", scored(cases, wrong=wrong))
        for name, wrong in (("candidate", [1]), ("champion", []))
    }
    if candidate:
        files["candidate"] = candidate
    options = [word for name, path in files.items() for word in (f"--{name}", path)]
    more = ["--operating-point", "0.5", "--images", images, "--format", "html"]
    result = casegate("gate", "--case-set", place, *options, *more)
    assert "<table" in result.stdout, result.output
    return result.stdout


def test_a_picture_is_shown_only_where_it_is_the_locked_one(tmp_path: Path) -> None:
    data = write_npz(tmp_path / "chest.npz")
    place = tmp_path / "baseline" / "case_set.json"
    lock_source(open_source(str(data)), place, author="A. Radiologist", reason="test")
    assert "data:image/png" in page(tmp_path, data)
    other = write_npz(tmp_path / "chest.npz", test_images=picture(7, (20, 8, 8)))
    assert "data:image/png" not in page(tmp_path, other)


@pytest.mark.tensorflow
def test_a_saved_model_shows_why_beside_the_pictures_or_the_page_says_that_it_does_not(
    tmp_path: Path,
) -> None:
    from tests.components.scoring import making

    data = write_npz(tmp_path / "chest.npz")
    place = tmp_path / "baseline" / "case_set.json"
    lock_source(open_source(str(data)), place, author="A. Radiologist", reason="test")
    shown = page(tmp_path, data, making.save(making.Explained(), tmp_path / "new"))
    assert "data:image/jpeg" in shown and "where the score came from, candidate" in shown
    assert "where the score came from, champion" not in shown and "No maps of" not in shown
    silent = page(tmp_path, data, making.save(making.Sized(), tmp_path / "old"))
    assert "data:image/png" in silent and "data:image/jpeg" not in silent
    assert "No maps of candidate" in silent


def test_annotations_point_to_the_lines_of_the_policy(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(team.root))
    context = context_of(gated(team))
    assert context.policy_path == "chest/policy.yaml"
    text = team.policy.read_text().splitlines()
    wanted = {
        "sensitivity[overall]": "- metric: sensitivity",
        "specificity[device=Aster]": "- metric: specificity",
        "negative_flips": "negative_flips:",
        "looks": "planned_looks: 3",
    }
    for name, words in wanted.items():
        assert text[context.policy_lines[name] - 1].strip() == words
    assert context.policy_lines.keys() == wanted.keys()


def test_a_policy_outside_the_checkout_is_not_pointed_to(
    team: Team, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path / "elsewhere"))
    assert context_of(gated(team)).policy_path == ""


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(
    team: Team, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = as_text(gated(team)).splitlines()
    assert max(map(len, lines)) <= width
    assert ("estimate" in " ".join(lines)) == (width == 120)
