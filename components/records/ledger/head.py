"""`ledger.head`: how far the chain went, so that a tail cut off is missed.

Written after each entry, so it may be one entry behind after a crash, and is never ahead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from components.records.errors import IntegrityError
from components.records.files import canonical_json
from components.records.ledger.entry import FIRST_PREVIOUS, Entry


@dataclass(frozen=True)
class Head:
    """Number and hash of the last entry; 0 and `FIRST_PREVIOUS` where there is none."""

    seq: int
    sha256: str

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> "Head":
        if not entries:
            return cls(0, FIRST_PREVIOUS)
        return cls(entries[-1].seq, entries[-1].entry_sha256)

    def to_bytes(self) -> bytes:
        return canonical_json({"seq": self.seq, "entry_sha256": self.sha256}) + b"\n"


def read_head(path: Path) -> Head:
    """The recorded head; that of an empty ledger where there is no file.

    Raises:
      IntegrityError: the file is not one that `append` wrote.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Head(0, FIRST_PREVIOUS)
    except OSError as error:
        raise IntegrityError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        read = orjson.loads(content)
        head = Head(read["seq"], read["entry_sha256"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        head = None
    if head is None or head.to_bytes() != content:
        raise IntegrityError(
            f"{path}: got something else than the number and hash of the last entry: it was "
            "altered; compare with a copy that is older"
        )
    return head


def check_head(head: Head, entries: Sequence[Entry], *, path: Path, head_path: Path) -> None:
    """Raises IntegrityError where `entries`, a sound chain, is not the one the head names."""
    if head.seq > len(entries):
        raise IntegrityError(
            f"{path}: entry {len(entries) + 1} is missing: {head_path.name} knows of {head.seq} "
            f"entries, the ledger ends after {len(entries)}; restore the end from a copy"
        )
    # One entry more than recorded is what a crash between the two writes leaves.
    if head.seq < len(entries) - 1:
        raise IntegrityError(
            f"{path}:{head.seq + 2}: entry {head.seq + 2} does not fit: {head_path.name} knows of "
            f"{head.seq} entries only; the head was removed or replaced, or entries were added "
            "by hand: compare with a copy that is older"
        )
    if head != Head.of(entries[: head.seq]):
        raise IntegrityError(
            f"{path}:{head.seq}: entry {head.seq} does not fit: it is not the one that "
            f"{head_path.name} names; the ledger was rewritten: compare with a copy that is older"
        )
