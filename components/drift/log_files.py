"""The files of a prediction log, read line by line while a server may be writing to them.

Lines are checked against schemas/prediction.json by hand: jsonschema would take minutes for what a
busy server writes in a day. A test compares the two.
"""

import codecs
import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import orjson

from components.records.errors import SourceError

MOST_BYTES = 1 << 16  # of a line; more can only be pixels
MOST_TEXT = 500
MOST_PATH = 4096

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_is_sha256 = re.compile(r"[0-9a-f]{64}").fullmatch
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)


def _is_text(value: Any) -> bool:
    return type(value) is str and 1 <= len(value) <= MOST_TEXT


def _is_path(value: Any) -> bool:
    return type(value) is str and 1 <= len(value) <= MOST_PATH and value[:5] != "data:"


_Check = tuple[Callable[[Any], bool], str]
_TEXT: _Check = _is_text, f"text of 1 to {MOST_TEXT} characters"
_HASH: _Check = lambda value: type(value) is str and bool(_is_sha256(value)), "64 hex digits"
_NAMES: _Check = lambda value: type(value) is dict, "names with values"

# What the value of a key must be, and how an error says so.
_CHECKS: Mapping[str, _Check] = {
    "case_id": _TEXT,
    "label": (
        lambda value: type(value) is int and value in (0, 1),
        "0 or 1; leave the key out where it is unknown",
    ),
    "score": (lambda v: type(v) in (int, float) and 0 <= v <= 1, "a number from 0 to 1"),
    "positive": (lambda value: type(value) is bool, "true or false"),
    "model_version": (lambda value: type(value) is int and value >= 1, "a whole number from 1 on"),
    "model_sha256": _HASH,
    "quality": _NAMES,
    "attributes": _NAMES,
    "patient_id": _TEXT,
    "pixels_sha256": _HASH,
    "image": (_is_path, "the path of a file"),
}
KEYS = _CHECKS.keys() | {"at"}
_LABEL_KEYS = ("case_id", "label")
_OF_PREDICTIONS = ("positive", "model_version", "model_sha256", "quality", "attributes")


@dataclass(frozen=True)
class Line:
    """What a line holds.

    Attributes:
      at_ms: milliseconds since 1970 in UTC.
      score: None for a line that only gives a label.
      label: 1, 0, or None.
      content: the whole document, of which every known key is as the schema wants it.
      unknown: keys that the schema does not know.
    """

    case_id: str
    at_ms: int
    score: float | None
    label: int | None
    content: Mapping[str, Any]
    unknown: frozenset[str]


def read_line(line: bytes, *, latest_ms: int) -> Line:
    """The line's content.

    Args:
      latest_ms: a time after this is a fault, in milliseconds since 1970.

    Raises:
      ValueError: why the line cannot be used, in a few words.
    """
    if len(line) > MOST_BYTES:
        raise ValueError(f"longer than {MOST_BYTES:,} bytes; pixels do not belong in a log")
    try:
        content = orjson.loads(line)  # takes neither NaN nor what a double cannot hold
    except orjson.JSONDecodeError:
        raise ValueError("not JSON") from None
    if type(content) is not dict:
        raise ValueError("got no JSON object")
    if "case_id" not in content:
        raise ValueError(f"case_id: got nothing, wanted {_CHECKS['case_id'][1]}")
    at_ms = milliseconds(content.get("at"))
    if at_ms > latest_ms:
        raise ValueError(f"at: got {_short(content['at'])}, which has not come yet")
    if "score" in content:
        _check_prediction(content)
    else:
        _check_label(content)
    score = content.get("score")
    unknown = frozenset(content.keys() - KEYS)
    return Line(
        content["case_id"],
        at_ms,
        score=None if score is None else float(score),
        label=content.get("label"),
        content=content,
        unknown=unknown,
    )


def _check_prediction(content: Mapping[str, Any]) -> None:
    if content.get("model_version") is None and content.get("model_sha256") is None:
        raise ValueError("names no model; wanted model_version or model_sha256")
    _check_keys(content, content)
    for name, value in content.get("quality", {}).items():
        if value is not None and type(value) not in (int, float):
            raise ValueError(f"quality.{_short(name)}: got {_short(value)}, wanted a number")
    for name, value in content.get("attributes", {}).items():
        if value is not None and not (type(value) is str and len(value) <= MOST_TEXT):
            raise ValueError(f"attributes.{_short(name)}: got {_short(value)}, wanted text")


def _check_label(content: Mapping[str, Any]) -> None:
    """Of a line that only gives a label, which may have other keys of any kind."""
    if "label" not in content or any(key in content for key in _OF_PREDICTIONS):
        raise ValueError("key 'score' is missing")
    _check_keys(content, _LABEL_KEYS)


def _check_keys(content: Mapping[str, Any], keys: Iterable[str]) -> None:
    for key in keys:
        if key in _CHECKS and not _CHECKS[key][0](content[key]):
            raise ValueError(f"{key}: got {_short(content[key])}, wanted {_CHECKS[key][1]}")


def milliseconds(at: Any) -> int:
    """An ISO 8601 time with its zone, in milliseconds since 1970."""
    found = _TIME.fullmatch(at) if type(at) is str else None
    if found is None:
        raise ValueError(f"at: got {_short(at)}, wanted a time such as 2026-01-31T10:15:00Z")
    moment, fraction, zone = found.groups()
    try:
        parsed = datetime.fromisoformat(moment + ("+00:00" if zone == "Z" else zone))
    except ValueError:
        raise ValueError(f"at: got {_short(at)}, which is no time") from None
    thousandths = int(fraction[:3].ljust(3, "0")) if fraction else 0
    return (parsed - _EPOCH) // _MILLISECOND + thousandths


def _short(value: Any) -> str:
    """The value as JSON, cut where it is long: a log may hold what nobody wants to read."""
    text = json.dumps(value)  # in ASCII, so that it cannot turn or break a line
    return text if len(text) <= 40 else f"{text[:37]}..."


PLAIN, PACKED = ".jsonl", ".jsonl.gz"


@dataclass
class LogFile:
    """A file as far as it was read.

    Attributes:
      lines: whole ones.
      sha256: of these lines, unpacked.
      unfinished: whether a last line without its line feed was left for the next time.
    """

    name: str
    lines: int = 0
    sha256: str = ""
    unfinished: bool = False


def log_files(path: Path) -> tuple[Path, ...]:
    """The file, or the .jsonl and .jsonl.gz files of a folder by name, each once.

    A packed file whose unpacked one is still there is left out: it may be half written.

    Raises:
      SourceError: there is none, or the folder cannot be read.
    """
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise SourceError(
            f"{path}: got no such file or folder, wanted a prediction log; name it with --log, or "
            "as monitoring.log in the configuration"
        )
    try:
        named = sorted(entry for entry in path.iterdir() if entry.name.endswith((PLAIN, PACKED)))
        found = [entry for entry in named if entry.is_file()]
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    kept = [entry for entry in found if entry.suffix != ".gz" or entry.with_suffix("") not in found]
    if not kept:
        raise SourceError(f"{path}: got no {PLAIN} or {PACKED} file, wanted a prediction log")
    return tuple({entry.resolve(): entry for entry in kept}.values())


def _without_mark(line: bytes, path: Path) -> bytes:
    """The first line without the byte-order mark that some programs begin a file with."""
    if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SourceError(f"{path}: got UTF-16, wanted UTF-8; write the log in UTF-8")
    return line.removeprefix(codecs.BOM_UTF8)


def read_lines(path: Path, file: LogFile) -> Iterator[tuple[int, bytes]]:
    """Number and content of each whole line; of one that is far too long, only its beginning.

    Args:
      file: is told what was read.

    Raises:
      SourceError: the file cannot be read to its end.
    """
    digest, most = hashlib.sha256(), MOST_BYTES + 2  # one more than may be, and the line feed
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as stream:
            while line := stream.readline(most):
                with_line = digest.copy()
                with_line.update(line)
                piece = line
                while piece and not piece.endswith(b"\n"):
                    piece = stream.readline(most)
                    with_line.update(piece)
                if not piece:
                    file.unfinished = True
                    break
                digest = with_line
                file.lines += 1
                yield file.lines, line if file.lines > 1 else _without_mark(line, path)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(
            f"{path}:{file.lines + 1}: cannot be read: {reason}; nothing was compared"
        ) from None
    file.sha256 = digest.hexdigest()
