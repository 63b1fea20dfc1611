"""The steps of the ready CI files, run as their servers run them, with the real command."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.ci.steps import (
    CASEGATE,
    CI,
    GITLAB,
    PRE_COMMIT,
    Machine,
    Step,
    all_steps,
    checking_steps,
)
from tests.pipeline.ci.hooks.making import BASELINE, Repo

pytestmark = pytest.mark.process

INSTALLING = [step for step in all_steps() if "uv sync" in step.script]
CHECKING = checking_steps()


def named(step: Step) -> str:
    return f"{step.server}-{step.name}"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A checkout whose last commit changed documentation, and nothing else."""
    made = Repo(tmp_path / "checkout").with_baseline()
    made.stage("docs/use.md", "# Use\n")
    made.commit("Say how to use it")
    return made


@pytest.fixture
def machine(repo: Repo, tmp_path: Path) -> Machine:
    found = Machine(repo.root, tmp_path / "bin")
    found.install("casegate", f'#!/bin/sh\nexec "{CASEGATE}" "$@"\n')
    return found


def variables(step: Step, repo: Repo, tmp_path: Path) -> dict[str, str]:
    """What the server says of a change whose base is the commit before the last."""
    base = repo.git("rev-parse", "HEAD~1")
    repo.git("update-ref", "refs/remotes/origin/main", base)
    if step.server == "github":
        event = tmp_path / "event.json"
        event.write_text(json.dumps({"pull_request": {"base": {"sha": base}}}))
        named = {"GITHUB_EVENT_PATH": str(event), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
        return {"GITHUB_ACTIONS": "true", "GITHUB_REF_TYPE": "branch", **named}
    if step.server == "gitlab":
        return {"GITLAB_CI": "true", "CI_MERGE_REQUEST_DIFF_BASE_SHA": base}
    return {"JENKINS_URL": "http://localhost/", "CHANGE_TARGET": "main"}


@pytest.mark.parametrize("step", CHECKING, ids=named)
def test_a_change_of_documentation_passes_and_leaves_every_file(
    step: Step, repo: Repo, machine: Machine, tmp_path: Path
) -> None:
    done = machine.run(step, **variables(step, repo, tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    out = repo.root / "ci-results"
    assert json.loads((out / "result.json").read_text())["plan"] == "nothing"
    assert ElementTree.parse(out / "junit.xml").getroot().tag == "testsuites"
    assert json.loads((out / "casegate.sarif").read_text())["version"] == "2.1.0"
    assert "\x1b" not in done.stdout
    if step.server == "github":
        assert (tmp_path / "summary").read_text() == (out / "summary.md").read_text()


@pytest.mark.parametrize("step", CHECKING, ids=named)
def test_the_exit_code_is_the_steps(
    step: Step, repo: Repo, machine: Machine, tmp_path: Path
) -> None:
    said = variables(step, repo, tmp_path)
    machine.install("casegate", '#!/bin/sh\n[ "$1" = hook ] || exit 3\n')
    assert machine.run(step, **said).returncode == 3


@pytest.mark.parametrize("step", CHECKING, ids=named)
def test_what_a_user_set_reaches_the_command_as_one_word(
    step: Step, repo: Repo, machine: Machine, tmp_path: Path
) -> None:
    odd = "con fig; touch gone $(touch gone).yaml"
    said = variables(step, repo, tmp_path)
    names = ("CONFIG", "REGISTRY")
    prefix = "" if step.server == "github" else "CASEGATE_"
    machine.install("casegate", '#!/bin/sh\n[ "$1" = hook ] || printf "%s\\n" "$@"\n')
    done = machine.run(step, **said, **{f"{prefix}{name}": odd for name in names})
    words = done.stdout.splitlines()
    assert words[-4:] == ["--config", odd, "--registry", odd], done.stderr
    assert not (repo.root / "gone").exists()


HOOKS = [step for step in all_steps() if "casegate hook" in step.script]


@pytest.mark.parametrize("step", HOOKS, ids=named)
def test_a_picture_among_the_baselines_stops_the_job(
    step: Step, repo: Repo, machine: Machine, tmp_path: Path
) -> None:
    repo.stage(f"{BASELINE}/scan.txt", b"\x89PNG\r\n\x1a\n0000")
    repo.commit()
    said = variables(step, repo, tmp_path)
    if step.server == "github":
        said["BASE"] = repo.git("rev-parse", "HEAD~1")
    done = machine.run(step, **said)
    assert done.returncode == 4
    assert f"{BASELINE}/scan.txt: " in done.stderr and "PNG" in done.stderr
    assert not (repo.root / "ci-results").exists()


@pytest.mark.parametrize("step", INSTALLING, ids=named)
def test_installing_takes_the_locked_versions_of_the_project_that_was_named(
    step: Step, repo: Repo, machine: Machine, tmp_path: Path
) -> None:
    told, path = tmp_path / "told", tmp_path / "path"
    note = f'#!/bin/sh\necho "$(basename "$0") $*" >>"{told}"\n'
    virtual = f'[ "$2" != venv ] || {{ mkdir -p "$3/bin" && cp "{machine.bin}"/uv "$3/bin/uv" && '
    virtual += f'cp "{machine.bin}"/uv "$3/bin/pip"; }}\n'
    machine.install("uv", note)
    machine.install("python", note + virtual)
    (repo.root / "ml gate").mkdir()
    name = "PROJECT" if step.server == "github" else "CASEGATE_PROJECT"
    done = machine.run(step, GITHUB_PATH=str(path), **{name: "ml gate"})
    assert done.returncode == 0, done.stderr
    lines = told.read_text().splitlines()
    assert lines[-1] == "uv sync --frozen --no-dev --compile-bytecode --project ml gate"
    assert any("install --quiet uv>=0.5,<1" in line for line in lines)
    if step.server == "github":
        assert path.read_text() == f"{repo.root}/ml gate/.venv/bin\n"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("gitlab-ci-local"), reason="gitlab-ci-local is not installed")
def test_gitlabs_job_runs_in_a_local_runner(repo: Repo, machine: Machine, tmp_path: Path) -> None:
    repo.stage(".gitlab-ci.yml", GITLAB.read_text().replace("  image: python:3.13-trixie\n", ""))
    repo.commit("Check commits")
    repo.stage("README.md", "# Checked\n")
    repo.commit("Say that commits are checked")
    repo.git("remote", "add", "origin", "git@gitlab.example.org:team/checkout.git")
    for name in ("uv", "python"):
        machine.install(name, "#!/bin/sh\n")
    command = ["gitlab-ci-local", "--force-shell-executor", "--no-color", "casegate"]
    for given in (
        f"CI_MERGE_REQUEST_DIFF_BASE_SHA={repo.git('rev-parse', 'HEAD~1')}",
        "CI_COMMIT_TAG=v1",
    ):
        command += ["--variable", given]
    home = {"HOME": str(tmp_path), "PATH": f"{machine.bin}:{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=repo.root, env={**os.environ, **home}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing: " in done.stdout and "exported artifacts" in done.stdout


# pre-commit


@pytest.fixture
def hooked(repo: Repo, machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """The checkout with the ready configuration; its hooks come from a copy of the manifest."""
    shared = Repo(tmp_path / "casegate")
    shared.stage(".pre-commit-hooks.yaml", (CI.parent / ".pre-commit-hooks.yaml").read_text())
    shared.commit("Offer hooks")
    shared.git("tag", "v0.2.0")
    text = PRE_COMMIT.read_text().replace("https://git.example.org/casegate", str(shared.root))
    repo.stage(".pre-commit-config.yaml", text)
    repo.commit("Check commits before they are made")
    bin_ = Path(sys.executable).parent
    for name, value in (
        ("PATH", f"{machine.bin}:{bin_}:{os.environ['PATH']}"),
        ("PRE_COMMIT_HOME", str(tmp_path / "pre-commit")),
        ("GIT_CONFIG_GLOBAL", os.devnull),
    ):
        monkeypatch.setenv(name, value)
    subprocess.run(["pre-commit", "install"], cwd=repo.root, check=True, capture_output=True)
    return repo


def commit(repo: Repo, message: str) -> str:
    """What git says of an attempt; empty where the commit was made."""
    try:
        repo.commit(message)
    except AssertionError as error:
        return str(error)
    return ""


def test_git_refuses_a_commit_that_breaks_a_rule_and_makes_one_that_does_not(hooked: Repo) -> None:
    hooked.stage(f"{BASELINE}/scan.txt", b"\x89PNG\r\n\x1a\n0000")
    said = commit(hooked, "Add a scan\n\nApproved by: Dr. Ito")
    assert "got PNG image" in said and "no pixels under the baselines" in said
    hooked.git("rm", "--quiet", "--force", f"{BASELINE}/scan.txt")

    hooked.stage(f"{BASELINE}/NOTE.md", "Reviewed.\n")
    assert f"\n{BASELINE}: " in commit(hooked, "Note the review")
    hooked.stage("README.md", "better\n")
    assert "README.md" in commit(hooked, "Note\n\nApproved by: Dr. Ito")
    hooked.git("rm", "--quiet", "--cached", "README.md")
    assert commit(hooked, "Note\n\nApproved by: Dr. Ito") == ""


def test_pre_commit_looks_at_each_commit_of_a_range(hooked: Repo) -> None:
    start = hooked.git("rev-parse", "HEAD")
    hooked.stage(f"{BASELINE}/scan.txt", b"\x89PNG\r\n\x1a\n0000")
    hooked.git("commit", "--quiet", "--no-verify", "-m", "Add a scan")
    hooked.git("rm", "--quiet", f"{BASELINE}/scan.txt")
    hooked.git("commit", "--quiet", "--no-verify", "-m", "Remove it")
    command = ["pre-commit", "run", "--from-ref", start, "--to-ref", "HEAD"]
    done = subprocess.run(command, cwd=hooked.root, capture_output=True, text=True)
    assert done.returncode == 1 and "got PNG image" in done.stdout
