"""How a component's refusal reaches the person who ran the pipeline.

Beam turns an exception into a traceback in a string, and TFX deletes the outputs of a
component that raises. So the refusal is written beside the pipeline before it is raised.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components import errors
from components.baselines.files import write_atomically


@contextmanager
def reported(path: str) -> Iterator[None]:
    """Writes a CasegateError of the block to `path`, then lets it go on."""
    try:
        yield
    except errors.CasegateError as error:
        record = {"error": type(error).__name__, "message": str(error)}
        write_atomically(Path(path), json.dumps(record).encode())
        raise


def read_problem(path: Path) -> errors.CasegateError | None:
    """The error that a component left behind, or None."""
    if not path.exists():
        return None
    record = json.loads(path.read_text())
    kind = getattr(errors, record["error"], errors.CasegateError)
    problem: errors.CasegateError = kind(record["message"])
    return problem
