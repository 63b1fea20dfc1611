"""Something that is not as it was recorded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """Attributes:
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


def short(value: object) -> str:
    """A value as a table shows it: hashes by their beginning."""
    text = "nothing" if value is None else str(value)
    text = " ".join(text.split())
    return f"{text[:12]}..." if len(text) == 64 else text[:120]
