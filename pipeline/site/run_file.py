"""The files of a run that the site shows: a fixed list, each only as it was recorded.

A report is a page that a program wrote from data, so it is shown under a content policy of its own
that admits its one known script and nothing else, in an origin that can reach none of the others.
"""

import base64
import functools
import hashlib
import os
import stat
from pathlib import Path

from components.lineage.record import RunRecord
from components.records import run_files as names
from components.records.errors import ConfigError, IntegrityError
from pipeline.site.content import Document

MOST_BYTES = 64 * 2**20
_JSON, _TEXT, _HTML = "application/json", "text/plain; charset=utf-8", "text/html; charset=utf-8"

# What each is for, in a few words, and what it is sent as.
SHOWN: dict[str, tuple[str, str]] = {
    names.HTML_REPORT: ("the report", _HTML),
    names.REPORT: ("the report, as Markdown", _TEXT),
    names.DECISION: ("the decision", _JSON),
    names.RUN_RECORD: ("the run record", _JSON),
    "config.json": ("the configuration", _JSON),
    names.REQUEST: ("what the gate was asked", _JSON),
    names.SCORES: ("the candidate's scores", _JSON),
    names.CHAMPION_SCORES: ("the champion's scores", _JSON),
    names.LINEAGE: ("the run's part of ML Metadata", _JSON),
    names.DIFF: ("uncommitted changes", _TEXT),
    names.LOG: ("the log", _TEXT),
    names.DECISION_ATTESTATION: ("the signed decision", _JSON),
    names.RELEASE_ATTESTATION: ("the signed release", _JSON),
}
# Checked by their own hash, or by their signatures: a further person may add one later.
_NOT_IN_RECORD = (names.RUN_RECORD, names.DECISION_ATTESTATION, names.RELEASE_ATTESTATION)

_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
POLICY_OF_TEXT = f"{_NOTHING}; sandbox"


def policy_of_document(*, script: bool) -> str:
    """For a whole page that is not the site's own: its style and pictures, and no other origin."""
    admitted = f"{_NOTHING}; style-src 'unsafe-inline'; img-src data:"
    if not script:
        return f"{admitted}; sandbox"
    return f"{admitted}; script-src '{_script_hash()}'; sandbox allow-scripts"


@functools.cache
def _script_hash() -> str:
    """The report's script, as content policies name it; another version's does not run."""
    from components.report.html import FOLDER

    script = (FOLDER / "report.js").read_bytes()
    return f"sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}"


def shown_files(folder: Path) -> list[str]:
    """Those of SHOWN that lie in a run's folder, in that order."""
    paths = {name: folder / name for name in SHOWN}
    return [name for name, path in paths.items() if path.is_file() and not path.is_symlink()]


def run_document(folder: Path, name: str, record: RunRecord) -> Document:
    """A file of a run, as it is sent.

    Raises:
      ConfigError: there is none of this name, or none that may be shown.
      IntegrityError: it is not the file that was recorded.
    """
    if name not in SHOWN:
        raise ConfigError(f"{name}: not a file that is shown; known: {', '.join(SHOWN)}")
    path = folder / name
    body = _read(path)
    wanted = record.files.get(name)
    got = hashlib.sha256(body).hexdigest()
    if name not in _NOT_IN_RECORD and got != wanted:
        known = f"the record says {wanted[:12]}..." if wanted else "the record does not name it"
        raise IntegrityError(f"{path}: hashes to {got[:12]}..., {known}; restore it")
    media_type = SHOWN[name][1]
    policy = policy_of_document(script=True) if media_type == _HTML else POLICY_OF_TEXT
    return Document(body, media_type, policy)


def _read(path: Path) -> bytes:
    """The file's bytes; never through a link, which may lead anywhere."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be shown: {error.strerror}") from None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_BYTES:
            raise ConfigError(f"{path}: cannot be shown: no file, or more than {MOST_BYTES} bytes")
        return file.read(MOST_BYTES + 1)
