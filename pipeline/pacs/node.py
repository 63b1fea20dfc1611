"""Between an archive and the model: takes what waits, and brings a report of it, once.

Every step may be the last before a crash. What waits is on disk, what is made has ids that are
derived, and the archive is asked what it has before anything is sent and again before anything is
called sent: so an item that is begun anew ends as if it had been done once.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta

from pydicom import Dataset

from components.cases.container import write_png
from components.cases.images import inspect_image
from components.dicom.capture import write_picture
from components.dicom.facts import parse_dataset
from components.dicom.pixels import read_pixels
from components.dicom.report import read_answers, write_report
from components.dicom.result import ModelResult, picture_uid, report_uid
from components.dicom.web import ArchiveUnreachable, DicomWeb
from components.feedback.opinion import DICOM
from components.feedback.record import Record, Replayed
from components.records.clock import current_time, utc_now
from components.records.errors import CasegateError, SourceError
from pipeline.feedback import add
from pipeline.feedback.served import ServedCases
from pipeline.pacs.intake import StudyIntake, short
from pipeline.pacs.judge import Judge
from pipeline.pacs.queue import ANSWER, DEAD, LEFT_OUT, PICTURE, RECORDED, SENT, Item, PacsQueue
from pipeline.pacs.settings import PacsConfig


class Unusable(SourceError):
    """An item that no further try can help: a person has to look at it."""


class NotNow(SourceError):
    """What failed says nothing of the item."""


@dataclass(frozen=True)
class PacsNode:
    """What one process does; several may share a queue and its folder.

    Attributes:
      store: brings instances into the archive, or raises SourceError.
      log: takes the keys of a line of the prediction log.
      served, record: the prediction log as feedback reads it, and where feedback is kept.
      say: takes a line of the node's own log.
    """

    config: PacsConfig
    queue: PacsQueue
    intake: StudyIntake
    archive: DicomWeb
    judge: Judge
    store: Callable[[Sequence[Dataset]], None]
    log: Callable[..., None]
    served: ServedCases
    record: Record
    say: Callable[[str], None]

    def watch(self) -> int:
        """Takes what is new in the archive; returns how much that was.

        Raises:
          SourceError: the archive cannot be asked.
        """
        since = current_time() - timedelta(days=self.config.archive.watch_days)
        wanted = [*self.config.intended_use.modalities, *(["SR"] * self.config.feedback)]
        taken = 0
        for modality in wanted:
            asked = {"Modality": modality, "StudyDate": f"{since:%Y%m%d}-"}
            found = {self.intake.key(uids[-1]): uids for uids in self.archive.instances(asked)}
            for key in self.queue.unknown(found):
                taken += self._fetch(key, found[key])
        return taken

    def _fetch(self, key: str, uids: tuple[str, ...]) -> int:
        """Takes an instance of the archive; one that cannot be had keeps no other from coming."""
        try:
            self.intake.take(self.archive.instance(uids), again=False)
        except ArchiveUnreachable:
            raise
        except Exception as error:
            self.say(f"{short(key)}: not taken from the archive: {_words(error)}")
            return 0
        return 1

    def work(self) -> bool:
        """Does the next thing that is due; False where there is none.

        Without a release to ask only answers are worked on, and pictures wait.
        """
        kinds = (PICTURE, ANSWER) if self.judge.current() else (ANSWER,)
        item = self.queue.lease(kinds=kinds)
        if item is None:
            return False
        try:
            done, words = self._do(item)
            if self.queue.finish(item, done, words):
                self.intake.forget(item.key)
            self.say(f"{short(item.key)}: {done}{words and f', {words}'}")
        except Exception as error:  # whatever it is, the next item shall have its turn
            state, words = DEAD, _words(error)
            if isinstance(error, Unusable):
                self.queue.finish(item, state, words)
            else:
                for_ever = isinstance(error, ArchiveUnreachable | NotNow)
                state = self.queue.retry(item, words, for_ever=for_ever)
            self.say(f"{short(item.key)}: {state}: {words}")
        return True

    def _do(self, item: Item) -> tuple[str, str]:
        """What becomes of an item, and what is said of it."""
        try:
            content = self.intake.path(item.key).read_bytes()
        except FileNotFoundError:
            raise Unusable("its file is gone from the spool; send it again") from None
        dataset = parse_dataset(io.BytesIO(content), pixels=True)
        if dataset is None:
            raise Unusable("its file in the spool is damaged; send it again")
        return self._answered(dataset) if item.kind == ANSWER else self._report(item, dataset)

    def _report(self, item: Item, dataset: Dataset) -> tuple[str, str]:
        release, instance = self.judge.current(), str(dataset.SOPInstanceUID)
        if release is None:
            raise NotNow("no release can be vouched for")
        wanted = {report_uid(instance, release.sha256), picture_uid(instance, release.sha256)}
        there = self._there(dataset)
        if instance not in there:
            raise SourceError("the picture is not in the archive")
        other = item.model not in ("", release.sha256)  # spoke of it in an earlier try
        before = other and report_uid(instance, item.model) in there
        if before or wanted <= there:
            return SENT, "was there already"
        image = self._pixels(dataset)
        result = self.judge.ask(image, self.config.word, release)
        try:
            made = [write_report(dataset, result), write_picture(dataset, image, result)]
        except SourceError as error:
            raise Unusable(str(error)) from None
        if item.model != release.sha256:  # else an earlier try has written it
            self._predicted(dataset, image, result)
        if not self.queue.hold(item, release.sha256):
            raise NotNow("another node has it")
        if self.judge.current() != release:
            raise NotNow("the release changed meanwhile")
        self.store([one for one in made if one.SOPInstanceUID not in there])
        if missing := wanted - self._there(dataset):
            raise SourceError(f"the archive did not keep {len(missing)} of 2 objects")
        return SENT, f"called by {release.name} {release.version}"

    def _pixels(self, dataset: Dataset) -> bytes:
        """The picture as in training, a PNG."""
        if fault := self.intake.facts(dataset).fault:
            raise Unusable(fault)
        try:
            return write_png(read_pixels(dataset))
        except SourceError:  # whose words may quote what stands in the header
            raise Unusable("its pixels cannot be decoded") from None

    def _there(self, dataset: Dataset) -> set[str]:
        """The instances of its study, as the archive has them now."""
        return {uids[-1] for uids in self.archive.instances({}, str(dataset.StudyInstanceUID))}

    def _predicted(self, dataset: Dataset, image: bytes, result: ModelResult) -> None:
        """Writes a line of the prediction log, which names nobody."""
        facts = self.intake.facts(dataset)
        pixels, quality = inspect_image(image)
        self.log(
            facts.case_id,
            at=utc_now(),
            score=result.probability,
            positive=result.positive,
            model_version=result.version,
            model_sha256=result.sha256,
            patient_id=facts.patient_id or None,
            pixels_sha256=pixels,
            quality=asdict(quality),
            attributes=dict(facts.attributes),
        )

    def _answered(self, document: Dataset) -> tuple[str, str]:
        """Records what a reader says in a verified report, each once."""
        taken = 0
        for answer in read_answers(document, self.config.word):
            given = add.GivenOpinion(
                answer.label,
                answer.by,
                source=DICOM,
                nonce=self.intake.key(f"{answer.document}\0{answer.instance}"),
            )
            try:
                case = add.find_served(self.served, self.intake.key(answer.instance))
                add.record_opinion(self.record, case, add.tidy(given))
            except (add.UnknownCase, Replayed):
                continue
            taken += 1
        return (
            (RECORDED, "as feedback") if taken else (LEFT_OUT, "no new answer to a report of ours")
        )


def _words(error: Exception) -> str:
    """What an error says; of others than ours no more than the kind, as they quote values."""
    return str(error) if isinstance(error, CasegateError) else type(error).__name__
