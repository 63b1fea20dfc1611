"""What git refuses of a change of baselines; each rule yields what does not hold."""

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from components.baselines.names import CASE_SET, GOLDEN
from components.records.errors import CasegateError, ConfigError, IntegrityError
from components.records.ledger.ledger import Entry, Ledger
from pipeline.ci.hooks.revision import Revision, Rule
from pipeline.governance.governed_change import (
    GovernedChange,
    case_set_faults,
    golden_faults,
    history_faults,
    policy_faults,
)

LINKS = {"120000": "a link", "160000": "a submodule"}
_APPROVED = re.compile(r"\bapproved[ -]by\b\s*:?\s*[^\s:]", re.IGNORECASE)
# What a picture, or a container of arrays, begins with; at an offset where it is not the start.
_MAGIC: tuple[tuple[str, int, bytes], ...] = (
    ("PNG image", 0, b"\x89PNG\r\n\x1a\n"),
    ("JPEG image", 0, b"\xff\xd8\xff"),
    ("GIF image", 0, b"GIF8"),
    ("TIFF image", 0, b"II*\x00"),
    ("TIFF image", 0, b"MM\x00*"),
    ("WebP image", 8, b"WEBP"),
    ("JPEG 2000 image", 4, b"jP  "),
    ("DICOM file", 128, b"DICM"),
    ("NIfTI image", 344, b"n+1\x00"),
    ("NumPy array", 0, b"\x93NUMPY"),
    ("HDF5 file", 0, b"\x89HDF\r\n\x1a\n"),
    ("Parquet file", 0, b"PAR1"),
    ("ZIP archive, as NPZ is", 0, b"PK\x03\x04"),
    ("gzip archive", 0, b"\x1f\x8b"),
    ("PDF document", 0, b"%PDF-"),
)
_TEXTUAL = (
    ("SVG image", re.compile(rb"<svg[\s>]", re.IGNORECASE)),
    ("image in a data: address", re.compile(rb"data:image/", re.IGNORECASE)),
    ("portable bitmap in text", re.compile(rb"\AP[1-6]\s")),
    ("PostScript image", re.compile(rb"\A%!PS")),
    ("XPM image", re.compile(rb"/\* XPM \*/")),
    ("pointer to a file that git does not hold", re.compile(rb"\Aversion https://git-lfs\.")),
)
_ENCODED = re.compile(rb"[A-Za-z0-9+/_-]{64,}(?:\s+[A-Za-z0-9+/_-]{16,})*={0,2}")
_NUMBERS = re.compile(rb"(?:\b\d{1,5}\b[\s,;\[\]]+){256,}")
_HASH = re.compile(rb"[0-9a-f]{64}")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_LONGEST_TEXT = 2_000  # characters of base64 in one piece; the longest key has some hundred


def _each(faults: Callable[[GovernedChange], Iterator[CasegateError]]) -> Rule:
    return lambda revision: chain.from_iterable(map(faults, revision.baselines))


# A policy keeps its schema and can be passed; a case set amends the one before it.
policies, case_sets = _each(policy_faults), _each(case_set_faults)


def no_pixels(revision: Revision) -> Iterator[CasegateError]:
    """Nothing below the baselines is a picture, or hides what it is."""
    for path in revision.here:
        if blob := revision.after.get(path):
            what = LINKS.get(blob.mode) or picture_in(revision.checkout.content(blob))
            if what:
                yield IntegrityError(
                    f"{path}: got {what}, wanted text; baselines never hold pixels"
                )


def alone(revision: Revision) -> Iterator[CasegateError]:
    """What judges changes in a commit of its own, by approval, and its history only grows."""
    others = [path for path in revision.changed if path not in revision.here]
    if revision.here and others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        words = f"changes together with {others[0]}{more}; what judges is committed alone"
        yield IntegrityError(f"{revision.here[0]}: {words}")
    for change in revision.baselines:
        yield from history_faults(change)
        yield from golden_faults(change)
    if revision.message is not None:
        yield from named_approver(revision)


def named_approver(revision: Revision) -> Iterator[CasegateError]:
    """The message of a commit that changes what judges says who approved it."""
    message = _plain(revision.message or "")
    for change in revision.baselines:
        names = set()
        if change.new.golden is not None and change.touches(GOLDEN):
            approval = change.new.golden.approval
            names.add(approval.rescored[-1].by if approval.rescored else approval.by)
        if change.new.case_set is not None and change.touches(CASE_SET):
            names.add(change.new.case_set.author)
        for name in sorted(names):
            if _plain(name) not in message:
                words = f"was approved by {name}, whom the commit's message does not name"
                yield IntegrityError(f"{change.folder}: {words}; add 'Approved by: {name}'")
        if not names and not _APPROVED.search(message):
            words = "changes, and the commit's message names nobody who approved that"
            yield IntegrityError(f"{change.folder}: {words}; add 'Approved by: NAME'")


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def recorded_in(ledger: Path) -> Rule:
    """The rule that golden and amendments have their entry in this ledger.

    Raises:
      ConfigError: there is no ledger in that place.
      IntegrityError: its chain does not fit.
    """
    if not ledger.is_file():
        raise ConfigError(f"--ledger {ledger}: no such file; give a workspace's ledger.jsonl")
    entries = Ledger(ledger).entries()

    def rule(revision: Revision) -> Iterator[CasegateError]:
        for change in revision.baselines:
            yield from _unrecorded(change, entries, ledger)

    return rule


def _unrecorded(
    change: GovernedChange, entries: Sequence[Entry], ledger: Path
) -> Iterator[CasegateError]:
    golden, cases = change.new.golden, change.new.case_set
    amendments = [entry.body for entry in entries if entry.kind == "amendment"]
    approvals = [entry.body for entry in entries if entry.kind == "approval"]
    if golden is not None and change.touches(GOLDEN):
        known = {body.get("to_golden_sha256") for body in (*approvals, *amendments)}
        if golden.golden_sha256 not in known:
            words = f"is golden {golden.golden_sha256[:12]}..., which no entry of {ledger} has"
            yield change.broken(GOLDEN, f"{words}: it was not approved there")
    if cases is not None and cases.parent is not None and change.touches(CASE_SET):
        steps = {(body["from_root"], body["to_root"]) for body in amendments}
        if (cases.parent, cases.merkle_root) not in steps:
            words = f"is version {cases.version}, an amendment that no entry of {ledger} has"
            yield change.broken(CASE_SET, words)


def picture_in(content: bytes) -> str | None:
    """What kind of picture, or of content that may hide one, is in a file; None for a text.

    Whatever the file is called: an image of a patient that reached a repository stays in it for
    ever, and in every copy.
    """
    if kind := _kind(content):
        return kind
    if not _is_text(content):
        return "binary file"
    for kind, pattern in _TEXTUAL:
        if pattern.search(content):
            return kind
    for piece in _ENCODED.finditer(content):
        if kind := _encoded(piece.group()):
            return kind
    return "table of numbers, as pixels are" if _NUMBERS.search(content) else None


def _kind(content: bytes) -> str | None:
    for kind, at, magic in _MAGIC:
        if content[at : at + len(magic)] == magic:
            return kind
    return None


def _is_text(content: bytes) -> bool:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not any(ord(letter) < 32 and letter not in "\t\n\r\f" for letter in text)


def _encoded(piece: bytes) -> str | None:
    """What is wrong with a piece of what may be base64."""
    if all(_HASH.fullmatch(word) for word in piece.split()):
        return None
    letters = b"".join(piece.split()).translate(_URL_SAFE).rstrip(b"=")
    if kind := _kind(base64.b64decode(letters[: len(letters) // 4 * 4])):
        return f"{kind}, in base64"
    if len(letters) > _LONGEST_TEXT:
        return f"{len(letters)} characters of encoded bytes in one piece"
    return None
