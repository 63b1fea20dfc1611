"""An exported artefact: a released model in the form of another runtime, as files in a folder.

The folder is complete when it leaves its exporter: the model's files, `labels.txt`, `release.json`
(the record of the model it was made from) and `export.json`. A release adds its signature alone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from components.records.errors import IntegrityError
from components.records.files import canonical_json, sha256_file, sha256_tree, write_atomically
from components.records.run_files import RELEASE_ATTESTATION
from components.records.schema import read_json

TFLITE_INT8, TFLITE_FLOAT16, TFLITE_FLOAT, TFJS = (
    *("tflite_int8", "tflite_float16", "tflite_float"),
    "tfjs",
)
KINDS = (TFLITE_INT8, TFLITE_FLOAT16, TFLITE_FLOAT, TFJS)
TFLITE, NODE_WASM = "tflite", "node_wasm"
# Where an artefact of each kind has to be scored before anything can be said of it.
RUNTIMES: Mapping[str, tuple[str, ...]] = {
    TFLITE_INT8: (TFLITE,),
    TFLITE_FLOAT16: (TFLITE,),
    TFLITE_FLOAT: (TFLITE,),
    TFJS: (NODE_WASM, "chromium_wasm"),
}
WEBGL = "chromium_webgl"  # where there is one, and somebody asks for it

EXPORTS = "exports"  # in a run's folder and in a workspace
EXPORT_RECORD = "export.json"
LABELS = "labels.txt"  # a line each: negative, positive
SOURCE_RECORD = "release.json"
TFLITE_MODEL, TFJS_MODEL = "model.tflite", "model.json"

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Representative:
    """The tuning cases that quantisation was calibrated on.

    Attributes:
      rule: how they were drawn, in one line.
      cases: how many.
      sha256: hex, over their ids and prepared pixels, in the order in which they were used.
    """

    rule: str
    cases: int
    sha256: str


@dataclass(frozen=True)
class ExportRecord:
    """What `export.json` says.

    The model takes prepared pixels, float32 (n, image_size, image_size, 1) in [0, 1] (or what its
    input tensor's scale and zero point make of them), and gives logits, (n, 1).

    Attributes:
      kind: one of `KINDS`.
      model_sha256: hex, over the files of the SavedModel that it was made from.
      image_size: side of its input, in pixels.
      operating_point: a probability, in [0, 1]: chosen on the tuning split, in `runtime`.
      runtime: one of its kind's runtimes, and `runtime_version` what it was.
      converter: its name and version.
      files: SHA-256 (hex) of each file of the model, by its name in the folder.
      heatmap: whether it gives a second output, float32 (n, h, w) in [0, 1].
      representative: None where nothing was calibrated.
    """

    kind: str
    model_sha256: str
    image_size: int
    operating_point: float
    runtime: str
    runtime_version: str
    converter: str
    files: Mapping[str, str]
    heatmap: bool = False
    representative: Representative | None = None


def save_export_record(record: ExportRecord, folder: Path) -> None:
    """Writes `export.json` atomically."""
    document = {"schema_version": SCHEMA_VERSION, **asdict(record)}
    write_atomically(folder / EXPORT_RECORD, canonical_json(document) + b"\n")


def read_export_record(path: Path) -> ExportRecord:
    """What `export.json` says, whatever lies beside it; IntegrityError where it is no such file."""
    document = read_json(path, "export")
    del document["schema_version"]
    drawn = document.pop("representative")
    return ExportRecord(**document, representative=Representative(**drawn) if drawn else None)


def load_export_record(folder: Path) -> ExportRecord:
    """What `export.json` in an artefact's folder says of the files beside it.

    Raises:
      IntegrityError: unreadable or malformed, or a file of the model is missing or another.
    """
    record = read_export_record(folder / EXPORT_RECORD)
    for name, wanted in record.files.items():
        path = folder / name
        if not path.is_file() or (got := sha256_file(path)) != wanted:
            got = "no such file" if not path.is_file() else f"SHA-256 {got[:12]}"
            raise IntegrityError(
                f"{path}: got {got}, wanted {wanted[:12]}, as {EXPORT_RECORD} has it; it was "
                "altered or cut short: export again"
            )
    return record


def export_sha256(folder: Path) -> str:
    """SHA-256 (hex) over an artefact's folder, but for the signature that its release adds.

    Raises:
      IntegrityError: as `sha256_tree`.
    """
    return sha256_tree(folder, but=RELEASE_ATTESTATION)
