"""A hospital that judges on its own pictures, and a coordinator that sends it candidates."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.attestation.keys import Signer, new_key
from components.attestation.site import MODEL_FOLDER, REQUEST_FILE, signed_request
from components.baselines.golden import save_golden
from components.cases.lock import lock_source
from components.cases.sources import open_source
from components.records.files import sha256_tree, write_atomically
from pipeline.run.model_scores import score_models
from tests.components.cases.making import write_npz
from tests.components.planting import approved

RUN = "20260101T000000.000000Z"
WHEN = {"asked_at": "2026-01-01T00:00:00.000Z", "answer_by": "2099-01-01T00:00:00.000Z"}
POLICY = """\
name: ward
leakage: stop
planned_looks: 5
patients: independent
checks:
  - {metric: sensitivity, slice: overall, floor: 0.8, margin: 0.1, rationale: planted}
  - {metric: specificity, slice: overall, floor: 0.8, margin: 0.1, rationale: planted}
"""
DARK, BRIGHT = 40, 120  # what a device adds to every picture


class Brightness(tf.Module):
    """Calls a picture positive that is brighter than its background, a frame one pixel wide.

    Args:
      harmed: above which background it calls every second picture wrong.
    """

    def __init__(self, threshold: float, harmed: float = 256) -> None:
        super().__init__()
        self.operating_point = tf.Variable(0.5)
        self.threshold, self.harmed = threshold, harmed

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")])
    def serving_default(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        probability = tf.map_fn(self._score, image, fn_output_signature=tf.float32)
        return {
            "probability": probability,
            "label": tf.cast(probability >= self.operating_point, tf.int64),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, {"image": tf.io.FixedLenFeature([], tf.string)})
        return self.serving_default(parsed["image"])

    def _score(self, image: tf.Tensor) -> tf.Tensor:
        pixels = tf.cast(tf.io.decode_image(image, channels=1, expand_animations=False), tf.float32)
        frame = tf.reduce_mean(pixels[0, :, 0])
        contrast = tf.reduce_mean(pixels[1:-1, 1:-1, 0]) - frame
        score = tf.sigmoid((contrast - self.threshold) / 8)
        odd = tf.math.floormod(tf.cast(pixels[3, 3, 0], tf.int32), 2) == 1
        return tf.where((frame > self.harmed) & odd, 1 - score, score)


def save_model(path: Path, threshold: float, harmed: float = 256) -> Path:
    module = Brightness(threshold, harmed)
    names = ("serve_examples", "serving_default")
    tf.saved_model.save(module, str(path), {name: getattr(module, name) for name in names})
    return path


def pictures(seed: int, background: int, rows: int = 200) -> npt.NDArray[Any]:
    """Every second one brighter inside than its frame, which is as the device makes it."""
    random = np.random.default_rng(seed)
    found = random.integers(0, 20, (rows, 16, 16)) + background
    found[1::2, 1:-1, 1:-1] += 60
    found[:, 0] = background
    return found.astype(np.uint8)


class Hospital:
    """Its folder holds all of it: key, pictures, baseline and workspace."""

    def __init__(self, root: Path, name: str, golden: Path, *, background: int = DARK) -> None:
        self.root, self.name, self.folder = root, name, root / "baseline"
        seed = sum(name.encode())
        test = pictures(seed, background)
        labels = (np.arange(len(test)) % 2).astype(np.uint8)[:, None]
        root.mkdir()
        self.images = write_npz(root / "own.npz", test_images=test, test_labels=labels)
        self.key, self.public, _ = new_key(root / "keys", name)
        source = open_source(str(self.images))
        self.case_set = lock_source(
            source, self.folder / "case_set.json", author="A. Radiologist", reason="test"
        )
        (self.folder / "policy.yaml").write_text(POLICY)
        scores = score_models({"golden": golden}, self.case_set, source)["golden"]
        save_golden(approved(scores), self.folder / "golden.json")
        self.workspace = root / "workspace"

    def arguments(self, request: Path, inbox: Path, coordinator: Path) -> list[str]:
        given = {
            "case-set": self.folder / "case_set.json",
            "images": self.images,
            "coordinator": coordinator,
            "key": self.key,
            "inbox": inbox,
            "workspace": self.workspace,
        }
        options = [word for name, value in given.items() for word in (f"--{name}", str(value))]
        return ["site", "judge", str(request), *options]


class Coordinator:
    """Puts candidates into an outbox and takes answers out of an inbox."""

    def __init__(self, root: Path) -> None:
        self.outbox, self.inbox = root / "outbox", root / "inbox"
        _, self.public, self.signer = new_key(root / "keys", "coordinator")

    def ask(
        self, model: Path, run_id: str = RUN, *, signer: Signer | None = None, **when: str
    ) -> Path:
        folder = self.outbox / run_id
        for path in (p for p in model.rglob("*") if p.is_file()):
            name = path.relative_to(model)
            write_atomically(folder / MODEL_FOLDER / name, path.read_bytes())
        asked = signed_request(
            sha256_tree(model),
            [signer or self.signer],
            run_id=run_id,
            policy="chest",
            **{**WHEN, **when},
        )
        write_atomically(folder / REQUEST_FILE, asked)
        return folder

    def answer(self, site: str, run_id: str = RUN) -> Path:
        return self.inbox / run_id / f"{site}.dsse.json"
