"""What comes in: told from its header, and kept in the spool until its report is sent.

The spool is the one place where a patient's data lie on this machine's disk: a folder for its
owner's eyes only, whose files are removed as soon as nothing waits for them.
"""

import io
from collections.abc import Callable
from pathlib import Path

from pydicom import Dataset

from components.dicom.admission import ABSENT
from components.dicom.facts import FileFacts, facts_of, parse_dataset, why_left_out
from components.dicom.header import text
from components.dicom.pseudonyms import Pseudonyms
from components.records.clock import current_time
from components.records.errors import SourceError
from components.records.files import write_atomically
from pipeline.pacs.queue import ANSWER, DEAD, PICTURE, WAITING, PacsQueue
from pipeline.pacs.settings import IntendedUse, PacsConfig

Say = Callable[[str], None]
_SHOWN = 12  # digits of a key in the log
_OLD_S = 3600.0


def short(key: str) -> str:
    """A key as the log has it."""
    return key[:_SHOWN]


class StudyIntake:
    """Takes instances, from wherever they come."""

    def __init__(
        self, config: PacsConfig, queue: PacsQueue, pseudonyms: Pseudonyms, say: Say
    ) -> None:
        self._config, self._queue, self._pseudonyms, self._say = config, queue, pseudonyms, say
        self._swept = 0.0
        self._spool = config.folder / "spool"
        self._spool.mkdir(mode=0o700, parents=True, exist_ok=True)

    def key(self, instance: str) -> str:
        """What stands for a SOPInstanceUID, as in training data and prediction log."""
        return self._pseudonyms.of("case", instance)

    def facts(self, dataset: Dataset) -> FileFacts:
        """What a data set says of itself, without whom it is of."""
        return facts_of(dataset, self._pseudonyms, self._config.intended_use.admission)

    def take(self, content: bytes, *, again: bool = True) -> None:
        """Keeps an instance, or writes down why nothing is done with it; on disk on return.

        Args:
          again: whether one that came before is tried again; else another node was sooner.

        Raises:
          SourceError: it is no DICOM, or has no SOPInstanceUID.
        """
        dataset = parse_dataset(io.BytesIO(content), pixels=False)
        if dataset is None or not dataset.get("SOPInstanceUID"):
            raise SourceError("no DICOM instance with a SOPInstanceUID")
        facts = self.facts(dataset)
        kind, why = PICTURE, _not_intended(dataset, self._config.intended_use)
        why = why or why_left_out(facts, self._config.intended_use.admission)
        if self._config.feedback and dataset.get("VerificationFlag") == "VERIFIED":
            kind, why = ANSWER, ""
        if not why:
            write_atomically(self.path(facts.case_id), content, private=True)
        state = self._queue.add(facts.case_id, facts.study, kind, left_out=why, again=again)
        if state not in (WAITING, DEAD):
            self.forget(facts.case_id)
        words = f"not for this model: {why}" if why else f"{kind} taken"
        self._say(f"{short(facts.case_id)}: {words}")

    def path(self, key: str) -> Path:
        """Where an instance lies while it waits."""
        return self._spool / f"{key}.dcm"

    def forget(self, key: str) -> None:
        """Removes what was kept of it."""
        self.path(key).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Removes what a crash left of instances that nothing waits for; now and then."""
        now = current_time().timestamp()
        if now - self._swept < _OLD_S / 6:
            return
        self._swept = now
        kept = {item.key for item in self._queue.items(WAITING, DEAD)}
        for path in self._spool.iterdir():
            # A younger one may be about to be written into the queue.
            if path.stem not in kept and now - path.stat().st_mtime > _OLD_S:
                path.unlink(missing_ok=True)


def _not_intended(dataset: Dataset, use: IntendedUse) -> str:
    intent = text(dataset, "PresentationIntentType") or ABSENT
    if intent not in use.intents:
        return "another presentation intent"
    burned = text(dataset, "BurnedInAnnotation") == "YES" and not use.burned_in
    return "names may be burned into it" if burned else ""
