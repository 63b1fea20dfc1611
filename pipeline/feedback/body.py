"""What a request for the feedback endpoint says, held to its contract key by key."""

import json
import re
from dataclasses import dataclass
from typing import Any

from components.records.errors import UsageError, suggestion

KEYS = ("case_id", "pixels_sha256", "label", "note", "nonce")
_SHA256 = re.compile("[0-9a-f]{64}")
_NONCE = re.compile(r"[\x21-\x7e]{8,100}")


class MalformedRequest(UsageError):
    """A body that is no request."""


@dataclass(frozen=True)
class OpinionBody:
    """Attributes:
    case_id, pixels_sha256: one of them names the case.
    """

    case_id: str | None
    pixels_sha256: str | None
    label: str
    note: str | None
    nonce: str


def parse_body(content: bytes) -> OpinionBody:
    """The request in a body.

    Raises:
      MalformedRequest: why it is none; what it says is not repeated, since it may be of a patient.
    """
    said = _object(content)
    for key in said:
        if key == "by":
            raise MalformedRequest("by: leave it out; the token says who you are")
        if key not in KEYS:
            raise MalformedRequest(f"unknown key{suggestion(key[:40], KEYS)}")
    for key in KEYS:
        if said.get(key) is not None and not isinstance(said[key], str):
            raise MalformedRequest(f"{key}: wanted text")
    case_id, pixels, nonce = (said.get(key) for key in ("case_id", "pixels_sha256", "nonce"))
    if (case_id is None) == (pixels is None):
        raise MalformedRequest("wanted case_id or pixels_sha256, one of them")
    if pixels is not None and not _SHA256.fullmatch(pixels):
        raise MalformedRequest("pixels_sha256: wanted 64 hex digits")
    if nonce is None or not _NONCE.fullmatch(nonce):
        raise MalformedRequest("nonce: wanted 8 to 100 printable ASCII characters, new each time")
    if said.get("label") is None:
        raise MalformedRequest("label: wanted positive, negative or unsure")
    return OpinionBody(case_id, pixels, said["label"], said.get("note"), nonce)


def _object(content: bytes) -> dict[str, Any]:
    try:
        said = json.loads(content, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise MalformedRequest("wanted one JSON object, in UTF-8, with each key once") from None
    if not isinstance(said, dict):
        raise MalformedRequest("wanted a JSON object")
    return said


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found
