"""What a request is answered with, whichever protocol it came by."""

import hashlib
import struct
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote

import numpy as np
import simplejpeg
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from components.cases.images import inspect_image
from components.drift.log_writer import PredictionLog
from components.records.case import MIN_SIDE
from components.records.clock import utc_now
from components.scoring.served import EXPLAIN, ServedAnswer
from components.scoring.serving_session import NO_LABEL
from pipeline.serving.messages import metadata_pb2, read_examples, status_pb2
from pipeline.serving.refused import Refused, Status
from pipeline.serving.releases import LoadedRelease, Releases
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace

LABELS = ("released", "stable")  # one: what the gate released is what is stable
CASE_ID = "x-case-id"
LONGEST_ID = 500
BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
AVAILABLE, END, FAILED_PRECONDITION = 30, 50, 9  # as TensorFlow Serving numbers them


@dataclass(frozen=True)
class ModelSpec:
    """Which model a request is for; without version and label, what is released."""

    name: str
    version: int | None = None
    label: str | None = None


class Service:
    """Answers by the release that may be served, and counts and logs what it answered."""

    def __init__(self, config: Config, workspace: Workspace, log: PredictionLog) -> None:
        self.config, self._log, self.name = config, log, config.serving.model_name
        self.draining, self.registry = False, CollectorRegistry()
        words, kind = "casegate_serving_{}".format, dict[str, Any](registry=self.registry)
        self._requests = Counter(words("requests"), "By protocol", ["protocol", "code"], **kind)
        self._seconds = Histogram(
            words("seconds"), "To an answer", ["protocol"], buckets=BUCKETS_S, **kind
        )
        sizes = [2**power for power in range(11)]
        batch = Histogram(words("batch"), "Images in a batch", buckets=sizes, **kind)
        self.releases = releases = Releases(config, workspace, batch.observe)
        gauges: dict[str, Callable[[], float]] = {
            "version": lambda: self._current(lambda it: it.release.version),
            "refused": lambda: bool(releases.refused),
            "refusals": lambda: releases.refusals,
            "swaps": lambda: releases.swaps,
            "waiting": lambda: self._current(lambda it: it.batcher.waiting),
            "restarts": lambda: self._current(lambda it: it.batcher.restarts),
            "log_lines_lost": lambda: log.lost,
        }
        for name, value in gauges.items():
            Gauge(words(name), "As docs/server.md says", **kind).set_function(value)

    def _current(self, ask: Callable[[LoadedRelease], float]) -> float:
        return ask(self.releases.current) if self.releases.current else 0

    def count(self, protocol: str, code: str, since: float) -> None:
        """Counts a request that was answered; `since` by `time.perf_counter`."""
        self._requests.labels(protocol, code).inc()
        self._seconds.labels(protocol).observe(time.perf_counter() - since)

    @property
    def unready(self) -> str:
        """Why no request should come; empty where one may."""
        if self.draining:
            return "it is being stopped"
        return "" if self.releases.current else f"no version is served: {self.releases.refused}"

    def find(self, spec: ModelSpec) -> LoadedRelease:
        """The release that a request is for.

        Raises:
          Refused: it is not served.
        """
        loaded = self.releases.current
        kind = f"Latest({spec.name})" if spec.version is None else f"Specific({spec.version})"
        absent = Refused(f"Servable not found for request: {kind}", Status.NOT_FOUND)
        if spec.name != self.name:
            raise absent
        if loaded is None:
            raise Refused("no version is served; see the model's status", Status.UNAVAILABLE)
        if spec.label not in (None, *LABELS):
            raise Refused(f"Unrecognized servable version label: {spec.label}")
        if spec.version not in (None, loaded.release.version):
            raise absent
        return loaded

    def status(self, spec: ModelSpec) -> Any:
        """The GetModelStatusResponse: what is served, and what is refused and why."""
        answer, releases = status_pb2.GetModelStatusResponse(), self.releases
        served = releases.current.release.version if releases.current else None
        for version, state, why in (
            (served, AVAILABLE, ""),
            (releases.newest if releases.refused else None, END, releases.refused),
        ):
            if spec.name == self.name and version and spec.version in (None, version):
                one = answer.model_version_status.add(version=version, state=state)
                one.status.error_code = FAILED_PRECONDITION if why else 0
                one.status.error_message = why
        if not answer.model_version_status:
            which = "any versions" if spec.version is None else f"version {spec.version}"
            raise Refused(f"Could not find {which} of model {spec.name}", Status.NOT_FOUND)
        return answer

    def metadata(self, spec: ModelSpec) -> Any:
        """The GetModelMetadataResponse. Raises Refused: as `find`."""
        loaded, answer = self.find(spec), metadata_pb2.GetModelMetadataResponse()
        answer.model_spec.name = loaded.release.name
        answer.model_spec.version.value = loaded.release.version
        signatures = metadata_pb2.SignatureDefMap(signature_def=loaded.signatures)
        answer.metadata["signature_def"].Pack(signatures)
        return answer

    async def answer(
        self,
        loaded: LoadedRelease,
        signature: str,
        inputs: list[bytes],
        *,
        case_ids: Iterable[str],
        timeout_s: float | None = None,
    ) -> dict[str, np.ndarray]:
        """What the model says of each input, by the names of its outputs; it could read them all.

        Args:
          case_ids: what came as CASE_ID, URL-encoded ids with commas between them, one for each
            input; nothing takes the hashes of the images.
          timeout_s: what is left until the client's own deadline.

        Raises:
          Refused: the request, or the moment, does not allow it.
        """
        limits = self.config.server
        if not 0 < len(inputs) <= limits.queue:
            raise Refused(f"got {len(inputs)} inputs, wanted 1 to {limits.queue}")
        ids = [unquote(part.strip()) for value in case_ids for part in value.split(",")]
        if ids and (len(ids) != len(inputs) or not all(0 < len(id_) <= LONGEST_ID for id_ in ids)):
            raise Refused(f"{CASE_ID}: wanted {len(inputs)} ids of 1 to {LONGEST_ID} characters")
        try:
            is_example = "examples" in loaded.signatures[signature].inputs
            pictures = read_examples(inputs) if is_example else inputs
            pixels = sum(count_pixels(picture, number) for number, picture in enumerate(pictures))
        except ValueError as error:
            raise Refused(str(error)) from None
        if pixels > limits.max_pixels:
            raise Refused(f"got {pixels:,} pixels, wanted at most {limits.max_pixels:,}")
        most = limits.timeout_seconds
        timeout_s = most if timeout_s is None else min(timeout_s, most)
        found = await loaded.batcher.ask(signature, inputs, pixels=pixels, timeout_s=timeout_s)
        if (unread := np.flatnonzero(found.label == NO_LABEL)).size:
            raise Refused(f"input {unread[0]}: cannot be decoded")
        if not ((found.probability >= 0) & (found.probability <= 1)).all():
            raise Refused("the model gave no probability", Status.INTERNAL)
        self._write(loaded, pictures, found, ids)
        outputs = {"probability": found.probability, "label": found.label}
        return {**outputs, "heatmap": found.heatmap} if signature == EXPLAIN else outputs

    def _write(
        self, loaded: LoadedRelease, pictures: list[bytes], found: ServedAnswer, ids: Sequence[str]
    ) -> None:
        at = utc_now()
        for number, picture in enumerate(pictures):
            self._log.put(
                ids[number] if ids else hashlib.sha256(picture).hexdigest(),
                at=at,
                score=float(found.probability[number]),
                positive=bool(found.label[number] == 1),
                model_version=loaded.release.version,
                model_sha256=loaded.release.sha256,
                further=partial(facts_of, picture),
            )


def facts_of(picture: bytes) -> Mapping[str, Any]:
    """What the prediction log has of a picture: how good it is, and the hash of its pixels."""
    pixels_sha256, quality = inspect_image(picture)
    return {"pixels_sha256": pixels_sha256, "quality": asdict(quality)}


def count_pixels(picture: bytes, number: int) -> int:
    """Width times height, as the header of a PNG or JPEG has them; nothing is decoded.

    Raises:
      ValueError: it is neither, or too small; it is called input `number`.
    """
    width = height = 0
    try:
        if picture.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack_from(">II", picture, 16)
        elif picture.startswith(b"\xff\xd8\xff"):
            height, width, *_ = simplejpeg.decode_jpeg_header(picture)
    except (ValueError, struct.error):
        pass  # a size of 0, as of what is no image
    if min(width, height) < MIN_SIDE:
        raise ValueError(f"input {number}: no PNG or JPEG image of {MIN_SIDE} pixels or more")
    return int(width) * int(height)
