"""What is not as it was recorded, and how two values are compared to find that."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from components.records.errors import CasegateError


@dataclass(frozen=True)
class Difference:
    """Something that is not as it was recorded.

    Attributes:
      what: the kind of evidence: ledger, record, decision, scores, file, policy, case set, golden,
        training data, model, metadata or signature.
      where: the file, or the row of ML Metadata.
      recorded, found: a hash or a value, shortened for reading.
    """

    what: str
    where: str
    recorded: str
    found: str

    @property
    def sentence(self) -> str:
        return f"{self.where}: {self.what}: recorded {self.recorded}, found {self.found}"


Differences = Iterator[Difference]


def short(value: object) -> str:
    """A value as a table shows it: hashes by their beginning."""
    text = "nothing" if value is None else str(value)
    text = " ".join(text.split())
    return f"{text[:12]}..." if len(text) == 64 else text[:120]


def unlike(
    what: str,
    where: Path,
    wanted: object,
    read: Callable[[Path], object],
    recorded: str | None = None,
) -> Differences:
    """The difference between what is recorded and what is there, if there is one.

    Args:
      read: gives what is there; why it cannot be read is a difference too.
      recorded: in words, where they say more than the value.
    """
    try:
        found = read(where)
    except CasegateError as error:
        found = str(error)
    except OSError as error:
        found = error.strerror or "unreadable"
    if found != wanted:
        yield Difference(what, str(where), recorded or short(wanted), short(found))
