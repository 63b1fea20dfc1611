"""The ready CI files: as their servers' schemas want them, and safe to copy."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.ci.steps import (
    ACTION,
    CI,
    GITLAB,
    JENKINS,
    PRE_COMMIT,
    WORKFLOW,
    Step,
    all_steps,
    checking_steps,
)

pytestmark = pytest.mark.process

BIN = Path(sys.executable).parent
SCHEMAS = {"github-actions": ACTION, "github-workflows": WORKFLOW, "gitlab-ci": GITLAB}
LINES = {ACTION: 75, WORKFLOW: 45, GITLAB: 50, JENKINS: 65, PRE_COMMIT: 20}


def checked(schema: str, path: Path) -> "subprocess.CompletedProcess[str]":
    command = [BIN / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", path]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_file_keeps_its_servers_schema_and_a_misspelt_one_does_not(
    schema: str, tmp_path: Path
) -> None:
    done = checked(schema, SCHEMAS[schema])
    assert done.returncode == 0, done.stdout
    broken = tmp_path / "broken.yml"
    text = SCHEMAS[schema].read_text()
    broken.write_text(re.sub(r"^(runs|jobs|casegate):", r"\1s:", text, flags=re.MULTILINE))
    if schema == "gitlab-ci":
        broken.write_text(text.replace("artifacts:", "artefacts:"))
    assert checked(schema, broken).returncode == 1


def test_pre_commit_takes_the_manifest_and_the_configuration() -> None:
    for command, path in (
        ("validate-manifest", CI.parent / ".pre-commit-hooks.yaml"),
        ("validate-config", PRE_COMMIT),
    ):
        done = subprocess.run([BIN / "pre-commit", command, path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("step", all_steps(), ids=lambda step: f"{step.server}-{step.name}")
def test_shellcheck_finds_nothing_in_a_step(step: Step, tmp_path: Path) -> None:
    script = tmp_path / "step.sh"
    script.write_text(step.script)
    command = [BIN / "shellcheck", "--shell", "sh", "--enable", "all", script]
    # A step is a file of its own: variables come from the server, and need no braces.
    done = subprocess.run([*command, "-e", "SC2154,SC2250,SC2312"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_expression_of_github_reaches_a_shell() -> None:
    for step in all_steps():
        assert "${{" not in step.script
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert not [s for job in workflow["jobs"].values() for s in job["steps"] if "run" in s]


def test_groovy_puts_nothing_into_a_script() -> None:
    text = JENKINS.read_text()
    assert '"""' not in text and not re.search(r'sh\s*"', text)


def test_the_workflow_asks_for_little_and_ends() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert workflow["permissions"] == {"contents": "read", "security-events": "write"}
    assert set(workflow[True]) == {"pull_request", "push"}  # YAML reads `on` as true
    (job,) = workflow["jobs"].values()
    assert job["timeout-minutes"] <= 60 and "permissions" not in job
    checkout, action = job["steps"]
    assert checkout["with"]["persist-credentials"] is False
    assert action["with"]["sarif"] == "${{ !github.event.pull_request.head.repo.fork }}"
    assert "secrets." not in WORKFLOW.read_text() + ACTION.read_text()


def test_each_action_has_a_version() -> None:
    text = WORKFLOW.read_text() + ACTION.read_text()
    used = re.findall(r"uses: (\S+)", text)
    assert len(used) == 6
    for name in used:
        assert name.startswith("./") or re.search(r"@v\d+$", name), name


def test_gitlab_shows_the_tests_and_keeps_what_was_found() -> None:
    job = yaml.safe_load(GITLAB.read_text())["casegate"]
    assert job["artifacts"]["when"] == "always"
    assert job["artifacts"]["reports"] == {"junit": "ci-results/junit.xml"}
    assert job["cache"]["paths"] == [".casegate-cache"]


def test_every_check_takes_the_same_cache_and_leaves_its_results_in_the_same_place() -> None:
    steps = checking_steps()
    assert len(steps) == 3
    for step in steps:
        assert "--cache .casegate-cache --out ci-results" in step.script


@pytest.mark.parametrize("path", LINES, ids=lambda path: path.name)
def test_a_file_stays_short_because_the_command_does_the_work(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LINES[path]


def test_what_a_user_has_to_set_stands_at_the_top() -> None:
    for path in (WORKFLOW, GITLAB, JENKINS):
        lines = path.read_text().splitlines()
        (at,) = [n for n, line in enumerate(lines) if "Set these to your repository's" in line]
        assert at <= 6, path


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("npm-groovy-lint"), reason="npm-groovy-lint is not installed")
def test_the_jenkinsfile_is_groovy_and_a_broken_one_is_not(tmp_path: Path) -> None:
    for name, text, code in (
        ("good", JENKINS.read_text(), 0),
        ("bad", JENKINS.read_text().replace("steps {", "steps "), 1),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "Jenkinsfile").write_text(text)
        command = ["npm-groovy-lint", "--path", folder, "--files", "**/Jenkinsfile", "--noserver"]
        done = subprocess.run([*command, "--failon", "error"], capture_output=True, text=True)
        assert done.returncode == code, done.stdout
