"""The released model that may be asked now, kept loaded in a process of its own."""

import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout  # another one on Python 3.10
from importlib.metadata import version

import numpy as np

from components.dicom.pixels import PIPELINE
from components.dicom.result import SOFTWARE, CodedWord, ModelResult
from components.records.errors import CasegateError, Unservable
from components.records.json_lines import parse_object
from components.records.run_files import RELEASE_RECORD
from components.scoring.running import RunningModel
from components.scoring.served import EXPLAIN, ServedRequest
from components.scoring.serving_session import NO_LABEL
from pipeline.serving.vouched import VouchedRelease, load_vouched, release_state, vouch
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace

_ANSWER_S = 120.0
_AGAIN_S = 10.0
_READ_BY = "DICOM, read by "


class Judge:
    """Asks the release that can be vouched for, as long as it can be; for one thread.

    Args:
      say: takes a line where the release changes, or none can be vouched for any more.
    """

    def __init__(self, settings: Config, workspace: Workspace, say: Callable[[str], None]) -> None:
        self._settings, self._workspace, self._say = settings, workspace, say
        self._state: object = None
        self._tried = 0.0
        self._model: RunningModel | None = None
        self._release: VouchedRelease | None = None

    def current(self) -> VouchedRelease | None:
        """The release that may be asked; None where there is none, so that pictures have to wait.

        What was rolled back or altered since is not asked once more.
        """
        state = release_state(self._settings, self._workspace)
        waited = time.monotonic() - self._tried > _AGAIN_S
        if state != self._state or (waited and not self._alive):
            self.close()
            self._tried = time.monotonic()
            try:
                self._release, self._model = _load(self._settings, self._workspace)
                self._say(f"asks {self._release.name} {self._release.version}")
            except (CasegateError, OSError) as error:
                self._say(f"no release can be asked, so pictures wait: {error}")
            self._state = state
        return self._release if self._alive else None

    @property
    def _alive(self) -> bool:
        return self._model is not None and not self._model.fault

    def ask(self, image: bytes, finding: CodedWord, release: VouchedRelease) -> ModelResult:
        """What the release says of a picture.

        Raises:
          Unservable: it does not answer, or cannot read the picture.
        """
        if self._model is None:
            raise Unservable("no model is loaded")
        request = ServedRequest(EXPLAIN, [image], spared=True)
        try:
            found = self._model.ask(request).result(_ANSWER_S)
        except FutureTimeout:
            self.close()  # another process may answer
            raise Unservable(f"{release.name}: no answer within {_ANSWER_S:g} s") from None
        if not found.label.size or found.label[0] == NO_LABEL:
            raise Unservable(f"{release.name} {release.version}: cannot read it or has no maps")
        if not 0 <= found.probability[0] <= 1 or not np.isfinite(found.heatmap).all():
            raise Unservable(f"{release.name} {release.version}: gave no probability or no map")
        return ModelResult(
            finding,
            probability=float(found.probability[0]),
            operating_point=release.operating_point,
            positive=bool(found.label[0]),
            heat=found.heatmap[0],
            model=release.name,
            version=release.version,
            sha256=release.sha256,
            software=version(SOFTWARE),
        )

    def close(self) -> None:
        """Ends the model's process."""
        if self._model is not None:
            self._model.close()
        self._model = self._release = None


def _load(settings: Config, workspace: Workspace) -> tuple[VouchedRelease, RunningModel]:
    release = check_release(settings, workspace)
    return release, load_vouched(release)


def check_release(settings: Config, workspace: Workspace) -> VouchedRelease:
    """The release that can be vouched for, and that reads DICOM as this software does.

    Raises:
      NothingEvaluated, IntegrityError: as `vouch`.
      Unservable: its record says that it was trained on pixels of another pipeline.
    """
    release = vouch(settings, workspace)
    try:
        record = parse_object((release.folder / RELEASE_RECORD).read_bytes()) or {}
    except OSError:  # it has none, as a model that was brought may
        record = {}
    for note in record.get("read_as") or ():
        if str(note).startswith(_READ_BY) and note != f"{_READ_BY}{PIPELINE}":
            raise Unservable(
                f"{release.folder}: trained on DICOM read by {str(note).removeprefix(_READ_BY)}, "
                f"and this software reads by {PIPELINE}; serve it by the software that trained it"
            )
    return release
