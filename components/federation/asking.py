"""Puts a candidate where sites read it, and takes what they answer within the time."""

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from components.attestation.envelope import MOST_BYTES
from components.attestation.site import ANSWER_SUFFIX, MODEL_FOLDER, REQUEST_FILE, SiteAnswers
from components.records.errors import ConfigError
from components.records.files import sync_tree, write_atomically, writing_to

LOOK_S = 1.0


def ask_sites(
    model: Path,
    request: bytes,
    names: Iterable[str],
    *,
    run_id: str,
    outbox: Path,
    inbox: Path,
    wait_s: float,
    say: Callable[[str], None],
) -> SiteAnswers:
    """What the sites answered, each as it came and unverified.

    The candidate lies in the outbox while it is waited for, and no longer.

    Args:
      model: a SavedModel's folder.
      request: the signed envelope that asks about it.
      wait_s: seconds; a site that is later has not answered.
      say: gets a line whenever those that are waited for are others.

    Raises:
      ConfigError: the outbox cannot be written to, or has a folder of this run already.
    """
    placed = _place(model, request, outbox / run_id)
    until = time.monotonic() + wait_s
    waiting, found, seen = dict.fromkeys(names), dict[str, bytes](), dict[str, bytes]()
    try:
        say(_waiting(waiting))
        while waiting and time.monotonic() < until:
            time.sleep(min(LOOK_S, max(0.0, until - time.monotonic())))
            there = _look(inbox, run_id, waiting)
            # What another program copies here may be half there; twice alike is whole.
            whole = {name: it for name, it in there.items() if seen.get(name) == it}
            seen = there
            found |= whole
            if whole:
                waiting = {name: None for name in waiting if name not in whole}
                say(_waiting(waiting) if waiting else "every site has answered")
    finally:
        shutil.rmtree(placed, ignore_errors=True)
    answers = {**_look(inbox, run_id, waiting), **found}
    # What is no text is no envelope either; the gate says so of the site.
    texts = {name: content.decode(errors="replace") for name, content in answers.items()}
    return SiteAnswers(request.decode(), texts)


def _waiting(names: Iterable[str]) -> str:
    return f"waits for the verdict of {', '.join(names)}"


def _place(model: Path, request: bytes, folder: Path) -> Path:
    """The folder, which is there whole or not at all."""
    if folder.exists():
        raise ConfigError(f"{folder}: is there already; wanted an outbox of this workspace alone")
    staged = folder.with_name(f".{folder.name}.incoming")
    with writing_to(folder):
        shutil.copytree(model, staged / MODEL_FOLDER)
        write_atomically(staged / REQUEST_FILE, request)
        sync_tree(staged)
        staged.rename(folder)
    return folder


def _look(inbox: Path, run_id: str, names: Iterable[str]) -> dict[str, bytes]:
    """What lies in the folders of these sites now."""
    found = {
        name: _read(inbox / name / run_id / f"{name}{ANSWER_SUFFIX}", inbox / name)
        for name in names
    }
    return {name: content for name, content in found.items() if content is not None}


def _read(path: Path, own: Path) -> bytes | None:
    """The first bytes of a site's answer, as many as an envelope may have and one more.

    None where there is none: a link is none either, as it may lead to what is not the site's.
    """
    try:
        if not path.resolve().is_relative_to(own.resolve()):
            return None
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            return file.read(MOST_BYTES + 1)
    except (OSError, RuntimeError):  # a loop of links
        return None
