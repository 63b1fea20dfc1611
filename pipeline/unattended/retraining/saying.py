"""Says what goes on to somebody who may have stopped listening."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Saying:
    """Called with a line, passes it on; a closed pipe on the other side ends nothing."""

    say: Callable[[str], None]

    def __call__(self, line: str) -> None:
        with suppress(OSError):
            self.say(line)

    @contextmanager
    def instead(self, what: str) -> Iterator[None]:
        """Says that `what`, where the block raises: it comes beside a run and changes nothing."""
        try:
            yield
        except Exception as error:
            self(f"{what}: {type(error).__name__}: {' '.join(str(error).split())}")

    @contextmanager
    def writing(self, place: Path) -> Iterator[None]:
        """Says that a place cannot be written to, on a full disk; what comes next goes on."""
        try:
            yield
        except OSError as error:
            self(f"{place}: cannot be written to: {error.strerror or error}")
