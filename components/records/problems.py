"""How an error reaches whoever waits for it in another process.

A command says it as JSON on one line. In a component, Beam turns an exception into a traceback in a
string, and TFX deletes the outputs of one that raises; so there the refusal is written beside the
pipeline before it is raised.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.records import errors
from components.records.files import write_atomically
from components.records.text import printable


@contextmanager
def report_error(path: str) -> Iterator[None]:
    """Writes a CasegateError of the block to `path`, then lets it go on."""
    try:
        yield
    except errors.CasegateError as error:
        record = {"code": error.code, "error": type(error).__name__, "message": str(error)}
        write_atomically(Path(path), json.dumps(record).encode())
        raise


def read_problem(path: Path) -> errors.CasegateError | None:
    """The error that a component left behind, or None."""
    if not path.exists():
        return None
    record = json.loads(path.read_text())
    named = {kind.__name__: kind for kind in errors.KINDS.values()}
    kind = errors.KINDS.get(record.get("code")) or named.get(record["error"])  # 0.1: by name alone
    return (kind or errors.CasegateError)(record["message"])


def json_line(error: errors.CasegateError) -> str:
    """The error as one line of JSON, in ASCII, whatever it says and wherever it is printed."""
    return json.dumps({"error": error.as_json()})


def parse_json_line(line: str) -> errors.CasegateError | None:
    """The error of a `json_line`, its message printable; None for any other line."""
    if not line.startswith('{"error": '):
        return None
    try:
        stated = json.loads(line)["error"]
        kind, message = errors.KINDS[stated["code"]], str(stated["message"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    if stated.get("exit_code") != kind.exit_code:
        return None
    return kind(printable(message))
