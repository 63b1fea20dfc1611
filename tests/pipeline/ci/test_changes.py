"""What a commit changes, in real repositories, whole and shallow."""

from pathlib import Path

import pytest

from components.records.errors import UsageError
from pipeline.ci.changes import Changes, find_changes
from pipeline.ci.git import is_revision
from pipeline.ci.provider import CiJob, WantedBase
from tests.pipeline.ci.making import Repository
from tests.refusing import refused

LOCAL = CiJob()
IN_CI = CiJob("GitHub Actions")


@pytest.fixture
def work(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "work")
    repository.commit(a="1", b="1")
    return repository


def found(repository: Repository, job: CiJob = LOCAL, **given: str | None) -> Changes:
    asked: dict[str, str | None] = {"base": None, "head": None, **given}
    return find_changes(repository.root, job, ours=(), **asked)


def paths(changes: Changes) -> dict[str, str] | None:
    return None if changes.found is None else {c.path: c.status for c in changes.found}


def named(commit: str) -> CiJob:
    return CiJob("GitHub Actions", WantedBase((commit,), commit, "the base"))


def test_a_commit_is_compared_with_the_one_before(work: Repository) -> None:
    work.commit(b="2", c="1")
    assert paths(found(work)) == {"b": "M", "c": "A"}


def test_a_checkout_of_somebody_else_is_named_as_such(
    work: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # as git's own tests have it
    assert "safe.directory" in found(work).summary and paths(found(work)) is None
    with refused(UsageError, work.root, "safe.directory"):
        found(work, base="HEAD")


def test_a_rename_counts_as_both_paths(work: Repository) -> None:
    work.git("mv", "a", "d")
    work.commit()
    assert paths(found(work)) == {"a": "D", "d": "A"}


def test_what_is_not_committed_counts(work: Repository) -> None:
    work.commit(b="2")
    work.write("a", "2")
    work.write("new", "1")
    changes = found(work)
    assert paths(changes) == {"a": "M", "b": "M", "new": "A"}
    assert not changes.clean


def test_in_ci_what_a_job_left_behind_does_not_count(work: Repository) -> None:
    work.commit(b="2")
    work.write("a", "2")
    work.write(".venv/x", "1")
    assert paths(found(work, IN_CI)) == {"a": "M", "b": "M"}


def test_results_and_cache_are_no_change(work: Repository) -> None:
    work.commit(b="2")
    work.write("ci-results/x", "1")
    work.write("ci-results-of-mine", "1")
    changes = find_changes(work.root, LOCAL, base=None, head=None, ours=[work.root / "ci-results"])
    assert paths(changes) == {"b": "M", "ci-results-of-mine": "A"}


def test_the_first_commit_is_all_change(work: Repository) -> None:
    changes = found(work)
    assert changes.found is None
    assert changes.summary == "the first commit: everything counts as changed"


def test_no_commit_and_no_checkout_are_all_change(tmp_path: Path) -> None:
    assert found(Repository(tmp_path / "empty")).found is None
    (tmp_path / "plain").mkdir()
    changes = find_changes(tmp_path / "plain", LOCAL, base=None, head=None, ours=())
    assert (changes.checkout, changes.found) == (None, None)


def test_a_branch_is_compared_with_where_it_parted(work: Repository) -> None:
    first = work.git("rev-parse", "HEAD")
    work.git("checkout", "-q", "-b", "mine")
    work.commit(mine="1")
    work.git("checkout", "-q", "main")
    work.commit(theirs="1")
    work.git("checkout", "-q", "--detach", "mine")
    changes = found(work, base="main")
    assert (paths(changes), changes.base) == ({"mine": "A"}, first)


@pytest.mark.process
def test_the_default_branch_of_origin_is_the_base_without_a_word(
    work: Repository, tmp_path: Path
) -> None:
    clone = work.clone(tmp_path / "clone")
    clone.commit(x="1")
    clone.commit(y="1")
    assert paths(found(clone)) == {"x": "A", "y": "A"}


@pytest.mark.process
def test_on_the_default_branch_the_commit_before_is_the_base(
    work: Repository, tmp_path: Path
) -> None:
    work.commit(b="2")
    assert paths(found(work.clone(tmp_path / "clone"))) == {"b": "M"}


@pytest.mark.process
def test_a_shallow_clone_fetches_exactly_the_base(work: Repository, tmp_path: Path) -> None:
    base = work.git("rev-parse", "HEAD")
    work.commit(b="2")
    work.commit(c="2")
    clone = work.clone(tmp_path / "clone", "--depth=1")
    assert clone.git("rev-list", "--count", "--all") == "1"
    changes = found(clone, named(base))
    assert (paths(changes), changes.base) == ({"b": "M", "c": "A"}, base)
    assert clone.git("rev-list", "--count", base, "HEAD") == "2"
    assert "where the branches parted is not known here" in changes.summary


@pytest.mark.process
def test_a_shallow_clone_fetches_a_branch_by_its_name(work: Repository, tmp_path: Path) -> None:
    work.git("checkout", "-q", "-b", "mine")
    work.commit(mine="1")
    clone = work.clone(tmp_path / "clone", "--depth=1", "--branch=mine")
    wanted = WantedBase(("refs/remotes/origin/main",), "refs/heads/main", "main")
    assert paths(found(clone, CiJob("GitHub Actions", wanted))) == {"mine": "A"}


@pytest.mark.process
def test_a_shallow_clone_without_a_word_fetches_the_commit_before(
    work: Repository, tmp_path: Path
) -> None:
    work.commit(b="2")
    assert paths(found(work.clone(tmp_path / "clone", "--depth=1"))) == {"b": "M"}


@pytest.mark.process
def test_a_whole_clone_stays_whole(work: Repository, tmp_path: Path) -> None:
    clone = work.clone(tmp_path / "clone")
    later = work.commit(b="2")
    assert paths(found(clone, named(later))) is not None
    assert not clone.checkout.shallow


@pytest.mark.process
def test_a_base_that_cannot_be_had_leaves_everything_changed(
    work: Repository, tmp_path: Path
) -> None:
    work.commit(b="2")
    clone = work.clone(tmp_path / "clone", "--depth=1")
    (tmp_path / "work").rename(tmp_path / "gone")
    assert found(clone, named("b" * 40)).found is None
    assert found(clone).found is None
    assert "cannot be had" in found(clone).summary


def test_a_base_that_a_person_names_has_to_be_there(work: Repository) -> None:
    with refused(UsageError, "--base nowhere: "):
        found(work, base="nowhere")


def test_another_head_than_is_checked_out_is_refused(work: Repository) -> None:
    before = work.git("rev-parse", "HEAD")
    head = work.commit(b="2")
    assert paths(found(work, head=head)) == {"b": "M"}
    with refused(UsageError, "--head ", before[:12], head[:12]):
        found(work, head=before)


@pytest.mark.parametrize("word", ["--output=/tmp/x", "-x", "a..b", "a b", "HEAD:a", "", "a\0b"])
def test_an_option_is_no_revision(work: Repository, word: str) -> None:
    assert not is_revision(word)
    with pytest.raises(UsageError):
        found(work, base=word)
    assert work.checkout.commit(word) is None
    assert work.checkout.fetch(word) is None


def test_a_path_may_hold_anything(work: Repository) -> None:
    work.commit(**{"a\nM\tb": "1", 'ü "x': "1"})
    assert paths(found(work)) == {"a\nM\tb": "A", 'ü "x': "A"}


def test_a_base_that_is_the_head_leaves_nothing_changed(work: Repository) -> None:
    changes = found(work, base="HEAD")
    assert (changes.found, changes.clean) == ((), True)


def test_where_git_cannot_say_everything_counts(work: Repository) -> None:
    work.commit(b="2")
    (work.root / ".git" / "index").write_bytes(b"no index")
    changes = found(work)
    assert changes.found is None
    assert changes.summary.startswith("git cannot say what is not committed")
