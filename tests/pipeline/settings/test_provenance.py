import hashlib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.settings import provenance
from pipeline.settings.provenance import code_sha256, environment, git_state


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of one module, whose hash is not remembered from test to test."""
    for folder in provenance.SOURCES:
        (tmp_path / folder).mkdir()
    (tmp_path / "pipeline" / "a.py").write_text("x = 1\n")
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)
    code_sha256.cache_clear()
    yield tmp_path
    code_sha256.cache_clear()


def hash_now() -> str:
    code_sha256.cache_clear()
    return code_sha256()


@pytest.mark.parametrize(
    "edit",
    [
        lambda root: (root / "pipeline" / "a.py").write_text("x = 2\n"),
        lambda root: (root / "pipeline" / "a.py").rename(root / "pipeline" / "b.py"),
        lambda root: (root / "pipeline" / "a.py").rename(root / "components" / "a.py"),
        lambda root: (root / "components" / "empty.py").touch(),
        lambda root: (root / "schemas" / "x.json").write_text("{}"),
        lambda root: (root / "schemas" / "features.pbtxt").touch(),
        lambda root: (root / "pipeline" / "x.yaml").touch(),
    ],
)
def test_every_edit_of_the_source_changes_the_code_hash(
    checkout: Path, edit: Callable[[Path], object]
) -> None:
    before = hash_now()
    edit(checkout)
    assert hash_now() != before


def test_what_is_no_source_leaves_the_code_hash(checkout: Path) -> None:
    before = hash_now()
    (checkout / "pipeline" / "a.pyc").touch()
    (checkout / "README.md").touch()
    assert hash_now() == before


def test_the_code_hash_does_not_depend_on_where_the_project_lies(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hash_now()
    moved = checkout.rename(checkout.with_name(f"{checkout.name}-moved"))
    monkeypatch.setattr(provenance, "REPOSITORY", moved)
    assert hash_now() == before


def test_the_environment_names_versions_and_the_lock_file() -> None:
    found = environment()
    assert found["tensorflow"].startswith("2.") and found["tfx"].startswith("1.")
    assert found["python"].startswith("3.") and len(found["lock_file_sha256"]) == 64


def test_an_absent_lock_file_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(provenance, "LOCK_FILE", tmp_path / "uv.lock")
    assert environment()["lock_file_sha256"] == "absent"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=T", "-c", "user.email=t@example.org"]
    return subprocess.run(
        [*command, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "a.py").write_text("x = 1\n")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "--quiet", "--no-verify", "-m", "first")
    return tmp_path


def test_a_clean_checkout_has_its_commit(repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    assert git_state(repository) == {"git_commit": head, "git_dirty": False}


@pytest.mark.parametrize("name", ["a.py", "new.py"])
def test_an_edited_or_new_file_makes_it_dirty(repository: Path, name: str) -> None:
    (repository / name).write_text("x = 2\n")
    assert git_state(repository)["git_dirty"] is True


def test_a_folder_inside_somebody_elses_checkout_has_no_commit(repository: Path) -> None:
    (repository / "vendored").mkdir()
    assert git_state(repository / "vendored") == {"git_commit": None, "git_dirty": None}


def test_without_git_nothing_is_claimed(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_state(repository) == {"git_commit": None, "git_dirty": None}


# Who, where, and what was committed


@pytest.mark.parametrize(
    "environ, wanted",
    [
        ({}, (None, None, None)),
        ({"CI": "true"}, ("CI", None, None)),
        (
            {
                "GITHUB_ACTIONS": "true", "GITHUB_JOB": "gate", "GITHUB_REPOSITORY": "a/b",
                "GITHUB_SERVER_URL": "https://github.com", "GITHUB_RUN_ID": "7",
            },
            ("GitHub Actions", "gate", "https://github.com/a/b/actions/runs/7"),
        ),
        (
            {"GITLAB_CI": "true", "CI": "true", "CI_JOB_NAME": "gate", "CI_JOB_URL": "https://x/1"},
            ("GitLab CI", "gate", "https://x/1"),
        ),
        (
            {"JENKINS_URL": "https://j", "JOB_NAME": "gate", "BUILD_URL": "https://j/1"},
            ("Jenkins", "gate", "https://j/1"),
        ),
    ],
)  # fmt: skip
def test_the_ci_job_is_known_by_its_providers_variables(
    environ: dict[str, str], wanted: tuple[str | None, ...], tmp_path: Path
) -> None:
    found = provenance.where(environ, tmp_path)
    assert (found.ci_provider, found.ci_job, found.ci_url) == wanted
    assert found.commit_author is None


def test_a_file_is_committed_only_as_it_is_in_its_commit(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("floor: 0.9\n")
    assert provenance.committed(path) == (None, None)
    git(tmp_path, "init", "-q")
    assert provenance.committed(path) == (None, None)
    git(tmp_path, "add", "policy.yaml")
    assert provenance.committed(path) == (None, None)
    git(tmp_path, "commit", "-q", "-m", "criteria", "--date", "2020-01-01T00:00:00+0200")
    commit, time = provenance.committed(path)
    assert commit == git(tmp_path, "rev-parse", "HEAD")
    assert time is not None and time.endswith("Z") and not time.startswith("2020")
    path.write_text("floor: 0.1\n")
    assert provenance.committed(path) == (None, None)


def test_the_environment_names_every_package_and_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provenance.recorded_environment.cache_clear()
    monkeypatch.setenv("CASEGATE_CONTAINER_IMAGE", "registry/x@sha256:1")
    monkeypatch.setenv("CASEGATE_METADATA_PASSWORD", "s3cret")
    found = provenance.recorded_environment()
    provenance.recorded_environment.cache_clear()
    assert found.container == "registry/x@sha256:1"
    assert found.packages["numpy"] == np.__version__ and len(found.packages) > 100
    assert "s3cret" not in str(found)


def test_other_versions_of_what_decides_are_a_new_platform() -> None:
    now = provenance.recorded_environment()
    other = {**now.packages, "tensorflow": "2.1", "rich": "1", "casegate": "0"}
    [remark] = provenance.new_platform(replace(now, python="3.9.1", packages=other))
    assert remark.startswith("new software platform")
    for moved in (
        f"Python 3.9.1 -> {now.python}",
        f"tensorflow 2.1 -> {now.packages['tensorflow']}",
    ):
        assert moved in remark
    assert not any(name in remark for name in ("rich", "casegate", "numpy"))
    assert provenance.new_platform(replace(now, cpu="another")) == ()


def test_the_difference_is_kept_to_the_byte_and_applies_again(checkout: Path) -> None:
    git(checkout, "init", "-q")
    odd = {"latin.txt": b"caf\xe9\n", "dos.txt": b"one\r\ntwo\r\n"}
    for name in odd:
        (checkout / name).write_bytes(b"before\r\n")
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "first")
    for name, content in odd.items():
        (checkout / name).write_bytes(content)
    found, diff = provenance.code(checkout)
    assert found.diff_sha256 == hashlib.sha256(diff).hexdigest()
    git(checkout, "checkout", "-q", ".")
    assert provenance.code(checkout)[1] == b""
    subprocess.run(["git", "-C", str(checkout), "apply"], input=diff, check=True)
    assert {name: (checkout / name).read_bytes() for name in odd} == odd
