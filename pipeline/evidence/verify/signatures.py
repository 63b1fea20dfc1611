"""Signed statements held against the run records, the ledger and the files that they name."""

from collections.abc import Iterator

from components.attestation.keys import load_trusted
from components.lineage.record import RunRecord
from components.records.errors import CasegateError
from components.records.run_files import DECISION_ATTESTATION
from pipeline.evidence.difference import Difference, short
from pipeline.evidence.signatures import signed_statements, trusted_folder
from pipeline.evidence.subject import Evidence, Subject


class Signatures:
    """Attributes:
    checked: how many statements were checked; `unsigned` counts decisions that nobody signed.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self.checked: dict[str, int] = {}

    def of_run(self, record: RunRecord) -> Iterator[Difference]:
        if record.decision is None:
            return
        folder = self._evidence.workspace.run_folder(record.run_id)
        wanted = record.decision.statement_sha256
        envelope = folder / DECISION_ATTESTATION
        if wanted is None:
            self._count("unsigned decisions")
            if envelope.exists():
                yield Difference("signature", str(envelope), "unsigned", "an envelope")
            return
        try:
            trusted = load_trusted(trusted_folder(folder))
            subject = Subject(record.run_id, None)
            for what, checked in signed_statements(self._evidence, subject, trusted):
                if checked is None and what == "decision":
                    yield Difference("signature", str(envelope), short(wanted), "nothing")
                if checked is None:
                    continue
                self._count("signed statements")
                if what == "decision" and checked.statement_sha256 != wanted:
                    found = short(checked.statement_sha256)
                    yield Difference("signature", str(envelope), short(wanted), found)
                if not checked.signers:
                    keys = ", ".join(key[:12] for key in checked.unknown)
                    yield Difference("signature", str(envelope), "a trusted key", f"only {keys}")
        except CasegateError as error:
            yield Difference("signature", str(envelope), short(wanted), str(error))

    def _count(self, what: str) -> None:
        self.checked[what] = self.checked.get(what, 0) + 1
