"""Which work a set of changed paths asks for."""

import pytest

from components.records.errors import ConfigError
from pipeline.ci.changes import Change, Changes
from pipeline.ci.plan import CommitPlan, fits, make_plan
from pipeline.settings.sections import CiConfig
from tests.refusing import refused


def planned(*paths: str, settings: str | None = "casegate.yaml", **given: str) -> CommitPlan:
    found = tuple(Change(path, "M") for path in paths)
    changes = Changes(None, "base", "head", found, "compared")
    return make_plan(changes, CiConfig(), settings=settings, **given)


@pytest.mark.parametrize(
    ("paths", "kind"),
    [
        ([], "nothing"),
        (["README.md"], "nothing"),
        (["docs/use.md", "docs/pictures/a.png", "pipeline/notes.md"], "nothing"),
        (["LICENSE", ".gitignore"], "nothing"),
        (["baselines/chest/policy.yaml"], "judge"),
        (["baselines/chest/README.md"], "judge"),
        (["baselines/chest/policy.yaml", "README.md"], "judge"),
        (["data/span-0001/a.png"], "full"),
        (["data/README.md"], "full"),
        (["model.py"], "full"),
        (["pipeline/model/networks/small.py", "README.md"], "full"),
        (["casegate.yaml"], "full"),
        (["uv.lock"], "full"),
        (["tests/test_model.py"], "full"),
        (["src/docs/use.txt"], "full"),
        (["LICENSE.py"], "full"),
        (["docs"], "full"),
        (["baselines"], "full"),
        (["baselines/chest/policy.yaml", "model.py"], "full"),
        (["nowhere/at all\n"], "full"),
    ],
)
def test_paths_ask_for_the_least_that_answers_them(paths: list[str], kind: str) -> None:
    assert planned(*paths).kind == kind


def test_settings_are_never_documentation() -> None:
    assert planned("docs/casegate.md", settings="docs/casegate.md").kind == "full"


def test_unknown_changes_ask_for_everything() -> None:
    plan = make_plan(Changes(None, None, None, None, "shallow"), CiConfig())
    assert (plan.kind, plan.reasons) == ("full", ("shallow",))


def test_a_candidate_for_release_is_run_whatever_changed() -> None:
    plan = planned("README.md", release="tag v1")
    assert (plan.kind, plan.release) == ("full", "tag v1")


def test_baselines_and_code_in_one_change_are_pointed_out() -> None:
    (finding,) = planned("baselines/chest/golden.json", "model.py").findings
    assert "baselines/chest/golden.json" in finding
    assert "model.py" in finding
    assert planned("baselines/chest/golden.json", "README.md").findings == ()


@pytest.mark.parametrize(
    ("pattern", "path", "wanted"),
    [
        ("**/*.md", "a.md", True),
        ("**/*.md", "a/b/c.md", True),
        ("**/*.md", "a.md/b", False),
        ("docs/**", "docs/a/b", True),
        ("docs/**", "docs", False),
        ("docs/*", "docs/a/b", False),
        ("docs/*", "docs/a", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a.c", "abc", False),
        ("data/**/x", "data/x", True),
        ("LICENSE", "sub/LICENSE", False),
        ("LICENSE", "LICENSE/x.py", False),
        ("docs/", "docs/a", False),
        ("!docs", "docs", False),
        ("#a", "#a", True),
    ],
)
def test_a_star_stays_in_its_folder_and_two_do_not(pattern: str, path: str, wanted: bool) -> None:
    assert fits(path, pattern) is wanted


def test_what_is_no_pattern_is_refused() -> None:
    with refused(ConfigError, "docs"):
        fits("docs", "docs\\")


def test_a_reason_shows_no_control_characters() -> None:
    assert "\x1b" not in planned("a\x1b[31m.py").reasons[0]
