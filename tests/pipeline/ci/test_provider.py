"""What each provider's documented variables say of a job."""

import json
from pathlib import Path

import pytest

from pipeline.ci.provider import CiJob, job

SHA, ZEROS = "a" * 40, "0" * 40


def github(tmp_path: Path, event: object, **more: str) -> CiJob:
    place = tmp_path / "event.json"
    place.write_text(json.dumps(event))
    return job({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(place), **more})


def names(found: CiJob) -> tuple[str, ...] | None:
    return found.base.names if found.base else None


def test_github_names_the_base_of_a_pull_request(tmp_path: Path) -> None:
    event = {"pull_request": {"base": {"sha": SHA}, "labels": [{"name": "bug"}]}}
    found = github(tmp_path, event, GITHUB_BASE_REF="main")
    assert (names(found), found.release) == ((SHA,), None)


def test_github_names_the_branch_where_the_event_is_lost() -> None:
    found = job({"GITHUB_ACTIONS": "true", "GITHUB_BASE_REF": "main"})
    assert names(found) == ("refs/remotes/origin/main",)


def test_github_names_what_was_pushed_before(tmp_path: Path) -> None:
    assert names(github(tmp_path, {"before": SHA})) == (SHA,)
    assert github(tmp_path, {"before": ZEROS}).base is None


def test_a_label_or_a_tag_makes_a_candidate_for_release(tmp_path: Path) -> None:
    labelled = {"pull_request": {"labels": [{"name": "release"}]}}
    assert github(tmp_path, labelled).release == "label release"
    tag = {"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v2"}
    assert github(tmp_path, {}, **tag).release == "tag v2"
    assert job({"GITLAB_CI": "true", "CI_COMMIT_TAG": "v2"}).release == "tag v2"
    labels = {"GITLAB_CI": "true", "CI_MERGE_REQUEST_LABELS": "bug, release"}
    assert job(labels).release == "label release"
    assert job({"JENKINS_URL": "x", "TAG_NAME": "v2"}).release == "tag v2"


def test_gitlab_prefers_the_merge_requests_base() -> None:
    given = {"GITLAB_CI": "true", "CI_COMMIT_BEFORE_SHA": ZEROS}
    assert job(given).base is None
    assert names(job({**given, "CI_MERGE_REQUEST_DIFF_BASE_SHA": SHA})) == (SHA,)
    assert names(job({"GITLAB_CI": "true", "CI_COMMIT_BEFORE_SHA": SHA})) == (SHA,)


def test_jenkins_prefers_the_target_of_the_change() -> None:
    given = {"JENKINS_URL": "x", "GIT_PREVIOUS_SUCCESSFUL_COMMIT": SHA}
    assert names(job(given)) == (SHA,)
    assert names(job({**given, "CHANGE_TARGET": "main"})) == ("refs/remotes/origin/main",)


@pytest.mark.parametrize(
    "event",
    [
        [],
        {"pull_request": 3},
        {"pull_request": {"labels": 3}},
        {"pull_request": {"base": {"sha": "--upload-pack=x"}, "labels": [3, {"name": None}]}},
    ],
)
def test_a_crafted_event_names_nothing(tmp_path: Path, event: object) -> None:
    found = github(tmp_path, event)
    assert (found.base, found.release) == (None, None)


@pytest.mark.parametrize("branch", ["--output=x", "a..b", "a b", "a:b", "", "a\nb", "a^{/x}[", "-"])
def test_a_branch_that_is_none_is_looked_for_nowhere(branch: str) -> None:
    base = job({"GITHUB_ACTIONS": "true", "GITHUB_BASE_REF": branch}).base
    assert base is None or (base.names, base.fetch) == ((), None)


def test_each_provider_says_where_the_report_can_be_had() -> None:
    run = {"GITHUB_SERVER_URL": "https://h", "GITHUB_REPOSITORY": "o/r", "GITHUB_RUN_ID": "7"}
    assert job({"GITHUB_ACTIONS": "true", **run}).page == "https://h/o/r/actions/runs/7#artifacts"
    gitlab = job({"GITLAB_CI": "true", "CI_JOB_URL": "https://h/j"})
    assert gitlab.page == "https://h/j/artifacts/file/{file}"
    jenkins = job({"JENKINS_URL": "https://h", "BUILD_URL": "https://h/b/"})
    assert jenkins.page == "https://h/b/artifact/{file}"


def test_outside_of_ci_there_is_no_word_on_anything() -> None:
    assert job({}) == CiJob()
    assert job({"CI": "true"}) == CiJob("CI")
