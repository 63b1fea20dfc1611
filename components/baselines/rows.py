"""JSON with one row per line, so that a change to one case is one line of a git diff."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from components.baselines.files import canonical_json

NAMED = 3  # how many ids an error spells out


def json_with_rows(header: Mapping[str, Any], key: str, rows: Iterable[Any]) -> bytes:
    """A JSON object: each entry of `header` on a line, then `key`: each of `rows` on a line."""
    lines = [
        f"{json.dumps(name)}: {canonical_json(value).decode()}," for name, value in header.items()
    ]
    body = ",\n".join(canonical_json(row).decode() for row in rows)
    return "\n".join(["{", *lines, f"{json.dumps(key)}: [", body, "]", "}", ""]).encode()


def first_few(ids: Iterable[str]) -> str:
    """The count and the first ids in order: "7 (a, b, c, ...)"."""
    ordered = sorted(ids)
    more = ", ..." if len(ordered) > NAMED else ""
    return f"{len(ordered)} ({', '.join(ordered[:NAMED])}{more})"
