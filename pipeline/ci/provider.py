"""What a CI provider says of the job: what to compare with, and whether this is to be released.

Read from the variables that each provider documents, and from nothing else; all of them are words
of the outside, and what they name is checked before it is used.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.ci.git import COMMIT, is_revision
from pipeline.settings.provenance import GITHUB, GITLAB, JENKINS, ci_job

LABEL = "release"
MOST_EVENT_BYTES = 32 << 20


@dataclass(frozen=True)
class WantedBase:
    """The commit to compare with.

    Attributes:
      names: revisions to look for in the checkout, in this order.
      fetch: what to ask the remote for where none of them is there; None where that is no use.
      label: who named it, for a person.
    """

    names: tuple[str, ...]
    fetch: str | None
    label: str


@dataclass(frozen=True)
class CiJob:
    """Attributes:
    provider: None where no CI runs this.
    release: why this is a candidate for release; None where it is not.
    page: where the job's files can be had, None where that is not known; `{file}` stands for one.
    """

    provider: str | None = None
    base: WantedBase | None = None
    release: str | None = None
    page: str | None = None


def job(environ: Mapping[str, str]) -> CiJob:
    provider, _, url = ci_job(environ)
    read = {GITHUB: _github, GITLAB: _gitlab, JENKINS: _jenkins}.get(provider or "")
    return read(environ, url) if read else CiJob(provider)


def _github(environ: Mapping[str, str], url: str | None) -> CiJob:
    event = _event(environ.get("GITHUB_EVENT_PATH"))
    request, group = _mapping(event, "pull_request"), _mapping(event, "merge_group")
    base = (
        _commit(_mapping(request, "base").get("sha"), "the pull request's base")
        or _commit(group.get("base_sha"), "the merge queue's base")
        or _branch(environ.get("GITHUB_BASE_REF"), "GITHUB_BASE_REF")
        or _commit(event.get("before"), "the push before this one")
    )
    labels = request.get("labels")
    listed = labels if isinstance(labels, list) else []
    named = [label.get("name") for label in listed if isinstance(label, dict)]
    release = f"label {LABEL}" if LABEL in named else None
    if environ.get("GITHUB_REF_TYPE") == "tag":
        release = f"tag {environ.get('GITHUB_REF_NAME', '')}"
    return CiJob(GITHUB, base, release, f"{url}#artifacts" if url else None)


def _gitlab(environ: Mapping[str, str], url: str | None) -> CiJob:
    merged, before = "CI_MERGE_REQUEST_DIFF_BASE_SHA", "CI_COMMIT_BEFORE_SHA"
    base = _commit(environ.get(merged), merged) or _commit(environ.get(before), before)
    labels = environ.get("CI_MERGE_REQUEST_LABELS", "").split(",")
    release = f"label {LABEL}" if LABEL in [label.strip() for label in labels] else None
    if tag := environ.get("CI_COMMIT_TAG"):
        release = f"tag {tag}"
    return CiJob(GITLAB, base, release, f"{url}/artifacts/file/{{file}}" if url else None)


def _jenkins(environ: Mapping[str, str], url: str | None) -> CiJob:
    target, previous = "CHANGE_TARGET", "GIT_PREVIOUS_SUCCESSFUL_COMMIT"
    base = _branch(environ.get(target), target) or _commit(environ.get(previous), previous)
    tag = environ.get("TAG_NAME")
    page = f"{url.rstrip('/')}/artifact/{{file}}" if url else None
    return CiJob(JENKINS, base, f"tag {tag}" if tag else None, page)


def _commit(sha: Any, name: str) -> WantedBase | None:
    """None for what is no commit, such as the zeros of a branch that was not there before."""
    if not isinstance(sha, str) or not COMMIT.fullmatch(sha) or not sha.strip("0"):
        return None
    return WantedBase((sha,), sha, f"{name}, {sha[:12]}")


def _branch(branch: str | None, name: str) -> WantedBase | None:
    if not branch:
        return None
    if not is_revision(branch):
        return WantedBase((), None, f"{name}, whose name is none for a branch")
    names = (f"refs/remotes/origin/{branch}",)
    return WantedBase(names, f"refs/heads/{branch}", f"{name}, {branch}")


def _event(path: str | None) -> Mapping[str, Any]:
    """GitHub's account of what happened; empty where it cannot be read."""
    try:
        if not path or Path(path).stat().st_size > MOST_EVENT_BYTES:
            return {}
        event = json.loads(Path(path).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _mapping(event: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = event.get(key)
    return found if isinstance(found, dict) else {}
