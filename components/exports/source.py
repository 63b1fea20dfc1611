"""What an exporter takes of a model and of its tuning cases."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.exports.pixels import prepared_batch
from components.records.errors import Unservable
from components.records.export import Representative
from components.records.run_files import RELEASE_RECORD
from components.scoring.score import read_batches, read_columns
from components.scoring.serving_session import read_meta_graph
from components.scoring.serving_terms import FLOAT, Fault, shape_of

SCORE_PIXELS = "score_pixels"
OF_EACH_CLASS = 128
RULE = (
    f"of each class the {OF_EACH_CLASS} tuning cases whose ids have the lowest SHA-256, or all "
    "where there are fewer; in the order of these"
)


@dataclass(frozen=True, eq=False)
class TuningCases:
    """The tuning split, as it was judged when the model was trained.

    Attributes:
      ids, pictures: n; encoded images.
      labels: int64 (n,), 1 positive, 0 negative.
    """

    ids: Sequence[str]
    pictures: Sequence[bytes]
    labels: npt.NDArray[np.int64]

    @classmethod
    def of_records(cls, records: Sequence[str]) -> "TuningCases":
        """Of gzipped TFRecord files of Examples."""
        batches = [(ids, images) for ids, _, images, _ in read_batches(records)]
        known = {row["case_id"]: row["label"] for row in read_columns(records)}
        ids = [name for names, _ in batches for name in names]
        pictures = [picture for _, images in batches for picture in images]
        return cls(ids, pictures, np.array([known[name] for name in ids], np.int64))

    def representative(self, size: int) -> tuple[npt.NDArray[np.float32], Representative]:
        """The pixels that quantisation is calibrated on, (n, size, size, 1), and what is kept."""
        rank = [hashlib.sha256(case_id.encode()).digest() for case_id in self.ids]
        order = sorted(range(len(rank)), key=rank.__getitem__)
        of_class = ([i for i in order if self.labels[i] == label] for label in (0, 1))
        drawn = sorted(
            (i for found in of_class for i in found[:OF_EACH_CLASS]), key=rank.__getitem__
        )
        pixels = prepared_batch((self.pictures[i] for i in drawn), size)
        digest = hashlib.sha256()
        for i, picture in zip(drawn, pixels):
            digest.update(f"{self.ids[i]}\0".encode() + picture.astype("<f4").tobytes())
        return pixels, Representative(RULE, len(drawn), digest.hexdigest())


def input_side(saved_model: Path) -> int:
    """The side of the network's input, in pixels.

    Raises:
      Unservable: the model has no signature that can be exported.
    """
    try:
        signatures = read_meta_graph(saved_model).signature_def
        if SCORE_PIXELS not in signatures:
            raise Fault(
                f"no signature {SCORE_PIXELS}, from which artefacts are made: it was trained "
                "elsewhere, or by an earlier version"
            )
        given, gives = signatures[SCORE_PIXELS].inputs, signatures[SCORE_PIXELS].outputs
        shape = shape_of(given["pixels"]) if set(given) == {"pixels"} else None
        size = shape[1] if shape and len(shape) == 4 else 0
        kinds = {tensor.dtype for tensor in (*given.values(), *gives.values())}
        if shape != [-1, size, size, 1] or "logit" not in gives or kinds != {FLOAT}:
            raise Fault(
                f"{SCORE_PIXELS} is not as schemas/serving_contract.json has it: pixels "
                "[-1, size, size, 1] in, logit [-1, 1] out, all float32"
            )
    except Fault as error:
        raise Unservable(str(error)) from None
    return size


def record_of(saved_model: Path) -> bytes:
    """The model's release record, as it lies in its folder; empty of a model without one."""
    path = saved_model / RELEASE_RECORD
    return path.read_bytes() if path.exists() else b"{}\n"


def labels_of(release: bytes) -> tuple[str, str]:
    """What a release record calls negative and positive; these words where it has only numbers."""
    named: dict[str, int] = json.loads(release).get("labels") or {}
    words = [[word for word, value in named.items() if value == label] for label in (0, 1)]
    if not all(words) or any(word.isdigit() for some in words for word in some):
        return "negative", "positive"
    negative, positive = (" or ".join(" ".join(word.split()) for word in some) for some in words)
    return negative, positive
