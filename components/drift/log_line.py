"""One line of a prediction log, checked against schemas/prediction.json by hand.

jsonschema would take minutes for what a busy server writes in a day; a test compares the two.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson

MOST_BYTES = 1 << 16  # of a line; more can only be pixels
MOST_TEXT = 500
MOST_PATH = 4096

_LABEL_KEYS = frozenset({"at", "case_id", "label"})
_OF_PREDICTIONS = ("score", "positive", "model_version", "model_sha256", "quality", "attributes")
KEYS = _LABEL_KEYS | {*_OF_PREDICTIONS, "patient_id", "pixels_sha256", "image"}

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND = timedelta(milliseconds=1)


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
    case_id = _text(content, "case_id")
    at_ms = milliseconds(content.get("at"))
    if at_ms > latest_ms:
        raise ValueError(f"at: got {_short(content['at'])}, which has not come yet")
    label = content.get("label")
    if label is not None and (type(label) is not int or label not in (0, 1)):
        raise ValueError(f"label: got {_short(label)}, wanted 0 or 1")
    if "label" in content and label is None:
        raise ValueError("label: got null, wanted 0 or 1; leave the key out where it is unknown")
    score = _score(content)
    if score is not None:
        _check_model(content)
        _check_features(content)
        _check_image(content)
    return Line(case_id, at_ms, score, label, content, frozenset(content.keys() - KEYS))


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


def _score(content: Mapping[str, Any]) -> float | None:
    """The score; None for a line that is there for its label alone."""
    if "score" not in content:
        if "label" in content and not any(key in content for key in _OF_PREDICTIONS):
            return None
        raise ValueError("key 'score' is missing")
    score = content["score"]
    if type(score) not in (int, float) or not 0 <= score <= 1:
        raise ValueError(f"score: got {_short(score)}, wanted a number from 0 to 1")
    return float(score)


def _check_model(content: Mapping[str, Any]) -> None:
    version, sha256 = content.get("model_version"), content.get("model_sha256")
    if version is None and sha256 is None:
        raise ValueError("names no model; wanted model_version or model_sha256")
    if "model_version" in content and (type(version) is not int or version < 1):
        raise ValueError(f"model_version: got {_short(version)}, wanted a whole number from 1 on")
    if "model_sha256" in content:
        _check_sha256(content, "model_sha256")
    if "positive" in content and type(content["positive"]) is not bool:
        raise ValueError(f"positive: got {_short(content['positive'])}, wanted true or false")


def _check_features(content: Mapping[str, Any]) -> None:
    quality, attributes = content.get("quality", {}), content.get("attributes", {})
    for name, part in (("quality", quality), ("attributes", attributes)):
        if type(part) is not dict:
            raise ValueError(f"{name}: got {_short(part)}, wanted names with values")
    for name, value in quality.items():
        if value is not None and type(value) not in (int, float):
            raise ValueError(f"quality.{_short(name)}: got {_short(value)}, wanted a number")
    for name, value in attributes.items():
        if value is not None and not (type(value) is str and len(value) <= MOST_TEXT):
            raise ValueError(f"attributes.{_short(name)}: got {_short(value)}, wanted text")


def _check_image(content: Mapping[str, Any]) -> None:
    if "patient_id" in content:
        _text(content, "patient_id")
    if "pixels_sha256" in content:
        _check_sha256(content, "pixels_sha256")
    if "image" in content:
        image = content["image"]
        if type(image) is not str or not 1 <= len(image) <= MOST_PATH or image[:5] == "data:":
            raise ValueError(f"image: got {_short(image)}, wanted the path of a file")


def _check_sha256(content: Mapping[str, Any], key: str) -> None:
    value = content[key]
    if type(value) is not str or not _SHA256.fullmatch(value):
        raise ValueError(f"{key}: got {_short(value)}, wanted 64 hex digits")


def _text(content: Mapping[str, Any], key: str) -> str:
    value = content.get(key)
    if type(value) is not str or not 1 <= len(value) <= MOST_TEXT:
        got = _short(value) if key in content else "nothing"
        raise ValueError(f"{key}: got {got}, wanted text of 1 to {MOST_TEXT} characters")
    return value


def _short(value: Any) -> str:
    """The value as JSON, cut where it is long: a log may hold what nobody wants to read."""
    text = json.dumps(value)  # in ASCII, so that it cannot turn or break a line
    return text if len(text) <= 40 else f"{text[:37]}..."
