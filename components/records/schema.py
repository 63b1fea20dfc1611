"""Governed JSON files checked against their contract in schemas/, with errors in one line."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from components.records.errors import CasegateError, IntegrityError, suggestion
from components.records.files import sha256_json

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
JsonPath = Sequence[str | int]


@dataclass(frozen=True)
class Rows:
    """The long list of a document, of which jsonschema would take minutes for a million rows.

    Attributes:
      key: where it stands.
      sound: whether a row is as the schema wants it; where one is not, jsonschema says why.
    """

    key: str
    sound: Callable[[Any], bool]


def read_json(path: Path, schema: str, *, rows: Rows | None = None) -> dict[str, Any]:
    """The document at `path`, which satisfies schemas/<schema>.json.

    Raises:
      IntegrityError: no such file, not JSON, a key stands twice, NaN, or the schema forbids it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise IntegrityError(f"{path}: cannot be read: {reason}") from error
    return parse_json(text, schema, where=str(path), rows=rows)


def read_known(path: Path, hash_key: str, sha256: str) -> dict[str, Any] | None:
    """The document at `path`, if its hash is the one that was recorded of it; else None.

    What was recorded was checked against its schema when it was written; not doing so again spares
    a reading command the import of jsonschema.

    Args:
      hash_key: the key that holds the hash over the canonical JSON of all other keys.
    """
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(document, dict) or document.get(hash_key) != sha256:
        return None
    rest = {key: value for key, value in document.items() if key != hash_key}
    return document if sha256_json(rest) == sha256 else None


def parse_json(text: str, schema: str, *, where: str, rows: Rows | None = None) -> dict[str, Any]:
    """As `read_json`, from text; `where` names it in errors."""
    try:
        document = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except ValueError as error:
        raise IntegrityError(f"{where}: not valid JSON: {error}") from error
    checked = document if rows is None else _without_sound(document, rows)
    check_document(checked, schema, locate=lambda path: where, error=IntegrityError)
    assert isinstance(document, dict)  # every schema says so
    return document


def _without_sound(document: Any, rows: Rows) -> Any:
    """The document without its rows, if there is nothing wrong with any of them."""
    found = document.get(rows.key) if isinstance(document, dict) else None
    if isinstance(found, list) and all(map(rows.sound, found)):
        return {**document, rows.key: []}
    return document


def check_document(
    document: Any,
    schema: str,
    *,
    locate: Callable[[JsonPath], str],
    error: type[CasegateError],
) -> None:
    """Raises `error` for the first fault in `document`, at `locate(path of the fault)`."""
    fault = next(_validator(schema).iter_errors(document), None)
    if fault is None:
        return
    place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in fault.path)
    at = f"{place.lstrip('.')}: " if place else ""
    raise error(f"{locate(list(fault.path))}: {at}{_explain(fault)}")


def _explain(fault: "ValidationError") -> str:
    instance: Any = fault.instance
    limit: Any = fault.validator_value
    if fault.validator == "additionalProperties" and isinstance(fault.schema, dict):
        known = fault.schema.get("properties", {})
        unknown = next(str(key) for key in instance if key not in known)
        return f"unknown key '{unknown}'{suggestion(unknown, known)}"
    if fault.validator == "required":
        missing = next(key for key in limit if key not in instance)
        return f"key '{missing}' is missing"
    if fault.validator == "enum":
        noun = fault.path[-1] if fault.path else "value"
        known = [str(value) for value in limit]
        return f"unknown {noun} '{instance}'{suggestion(str(instance), known)}"
    if wanted := _WANTED.get(str(fault.validator)):
        described = fault.schema.get("description") if isinstance(fault.schema, dict) else None
        if fault.validator not in _DESCRIBED or described is None:
            described = wanted.format(limit)
        return f"got {_short(instance)}, wanted {described}"
    return fault.message if len(fault.message) < 200 else f"{fault.message[:200]}..."


_DESCRIBED = ("anyOf", "oneOf", "pattern")  # of which a schema's description says more
_WANTED = {
    "anyOf": "another value",
    "oneOf": "another value",
    "pattern": "text matching {}",
    "type": "{}",
    "const": "{}",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} character",
    "minItems": "at least {} entries",
}


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


@cache
def _validator(schema: str) -> "Draft202012Validator":
    import_jsonschema()
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads((SCHEMAS / f"{schema}.json").read_text("utf-8")))


def import_jsonschema() -> None:
    """Imports jsonschema without what takes it seconds; for before a library imports it whole."""
    # With every optional format checker installed, jsonschema compiles an IRI grammar at import:
    # five seconds for a format that no schema here uses. A None entry makes that import fail,
    # which jsonschema expects.
    grammar = "rfc3987_syntax"
    blocked = "jsonschema" not in sys.modules and grammar not in sys.modules
    if blocked:
        sys.modules[grammar] = None  # type: ignore[assignment]
    try:
        import jsonschema  # noqa: F401
    finally:
        if blocked:
            del sys.modules[grammar]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key '{twice}' stands twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"got {name}, wanted a number")
