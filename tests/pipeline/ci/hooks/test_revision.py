"""Which commits are looked at, and what git may be asked."""

from pathlib import Path

import pytest

from components.records.errors import ConfigError
from pipeline.ci.hooks.revision import check_revisions
from pipeline.ci.hooks.rules import alone, no_pixels, policies
from tests.pipeline.ci.hooks.making import BASELINE, POLICY, Repo
from tests.refusing import refused

pytestmark = pytest.mark.process  # git, many times

PNG = b"\x89PNG\r\n\x1a\n0000"
RAISED = POLICY.replace("0.60", "0.65")


def test_a_picture_that_a_later_commit_removes_is_found_in_its_commit(repo: Repo) -> None:
    start = repo.git("rev-parse", "HEAD")
    repo.stage(f"{BASELINE}/scan.txt", PNG)
    bad = repo.commit()
    repo.git("rm", "--quiet", f"{BASELINE}/scan.txt")
    repo.commit()
    (pair,) = check_revisions([no_pixels], repo.root, baselines="baselines", old=start, new="HEAD")
    assert pair[0].name == bad and "got PNG image" in str(pair[1])
    assert repo.found(no_pixels, old=bad, new="HEAD") == []


def test_each_commit_of_a_range_has_to_stand_alone_and_to_name_somebody(repo: Repo) -> None:
    start = repo.git("rev-parse", "HEAD")
    repo.stage(f"{BASELINE}/policy.yaml", RAISED)
    repo.stage("README.md", "better")
    repo.commit("Raise the floor")
    words = repo.found(alone, old=start, new="HEAD")
    assert ["changes together" in words[0], "names nobody" in words[1]] == [True, True]


def test_a_range_from_zeros_begins_with_the_first_commit(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "new")
    repo.stage(f"{BASELINE}/scan", PNG)
    repo.commit()
    assert len(repo.found(no_pixels, old="0" * 40, new="HEAD")) == 1


def test_a_merge_is_not_blamed_for_what_it_brings_together(repo: Repo) -> None:
    repo.git("checkout", "--quiet", "-b", "topic")
    repo.stage(f"{BASELINE}/policy.yaml", RAISED)
    repo.commit()
    repo.stage("model.py", "better = True")
    repo.commit("Better the model")
    repo.git("checkout", "--quiet", "main")
    repo.stage("README.md", "better")
    start = repo.commit("Say it better")
    repo.git("merge", "--quiet", "--no-ff", "--no-commit", "topic")
    assert repo.found(alone) == []
    repo.commit("Merge topic")
    assert repo.found(alone, old=start, new="HEAD") == []


def test_what_a_merge_smuggles_in_is_found(repo: Repo) -> None:
    repo.git("checkout", "--quiet", "-b", "topic")
    repo.stage("topic.md", "a topic")
    repo.commit("Begin a topic")
    repo.git("checkout", "--quiet", "main")
    repo.stage("README.md", "better")
    start = repo.commit("Say it better")
    repo.git("merge", "--quiet", "--no-ff", "--no-commit", "topic")
    repo.stage(f"{BASELINE}/policy.yaml", RAISED.replace("0.65", "0.99"))
    assert len(repo.found(policies)) == 1
    repo.commit("Merge topic")
    assert len(repo.found(policies, old=start, new="HEAD")) == 1


def test_the_first_commit_of_all_is_checked_while_it_is_staged(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "new")
    repo.stage(f"{BASELINE}/scan", PNG)
    repo.stage("README.md", "new")
    assert len(repo.found(no_pixels, alone)) == 2


def test_names_with_signs_of_the_shell_and_of_git_are_read_as_they_are(repo: Repo) -> None:
    name = f"{BASELINE}/:(exclude)*; $(touch gone)\n\u00e4.png"
    repo.write(name, PNG)
    repo.git("add", "--all")
    (words,) = repo.found(no_pixels)
    assert words.startswith(name) and not (repo.root / "gone").exists()


def test_from_a_folder_below_the_root_the_whole_checkout_is_meant(repo: Repo) -> None:
    repo.stage(f"{BASELINE}/scan", PNG)
    below = repo.root / BASELINE
    assert len(list(check_revisions([no_pixels], below, baselines="baselines"))) == 1


def test_a_shallow_clone_is_refused_where_it_ends(repo: Repo, tmp_path: Path) -> None:
    for number in range(3):
        repo.stage("README.md", str(number))
        last = repo.commit("Count")
    repo.git("clone", "--quiet", "--depth=2", f"file://{repo.root}", str(tmp_path / "shallow"))
    clone = Repo(tmp_path / "shallow")
    assert clone.found(no_pixels, old="HEAD~1", new="HEAD") == []
    with refused(ConfigError, "shallow clone"):
        clone.found(no_pixels, old="0" * 40, new=last)


@pytest.mark.parametrize("name", ["nowhere", "--output=gone", "", "HEAD:README.md"])
def test_what_is_no_commit_is_refused(repo: Repo, name: str) -> None:
    with refused(ConfigError, "no commit in "):
        repo.found(no_pixels, old=name, new="HEAD")
    assert not (repo.root / "gone").exists()


def test_half_a_range_is_refused(repo: Repo) -> None:
    with refused(ConfigError, "--from-ref and --to-ref"):
        repo.found(no_pixels, new="HEAD")


@pytest.mark.parametrize("folder", ["/baselines", "../baselines", "."])
def test_a_folder_outside_the_checkout_is_refused(repo: Repo, folder: str) -> None:
    with refused(ConfigError, "wanted a folder inside the checkout"):
        list(check_revisions([no_pixels], repo.root, baselines=folder))


def test_outside_of_a_checkout_git_says_so(tmp_path: Path) -> None:
    with refused(ConfigError, "not a git repository"):
        list(check_revisions([no_pixels], tmp_path, baselines="baselines"))


def test_a_conflict_is_refused(repo: Repo) -> None:
    repo.git("checkout", "--quiet", "-b", "topic")
    repo.stage(f"{BASELINE}/policy.yaml", RAISED)
    repo.commit()
    repo.git("checkout", "--quiet", "main")
    repo.stage(f"{BASELINE}/policy.yaml", POLICY.replace("0.60", "0.70"))
    repo.commit()
    with pytest.raises(AssertionError):
        repo.git("merge", "topic")
    with refused(ConfigError, "policy.yaml: is in conflict"):
        repo.found(policies)
