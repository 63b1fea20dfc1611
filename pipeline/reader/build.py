"""Makes the reader: a folder of static files that any web server can offer, or a memory stick.

The model and the WebAssembly lie in the page's own scripts, so that its content policy can forbid
every connection, and what a person shows to it cannot leave it.
"""

import base64
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from components.exports.javascript_running import built
from components.records.errors import ConfigError
from components.records.export import (
    LABELS,
    TFJS,
    ExportRecord,
    export_sha256,
    load_export_record,
)
from components.records.files import canonical_json, write_atomically, writing_to
from pipeline.settings.config import REPOSITORY

SOURCES = REPOSITORY / "components" / "exports" / "javascript" / "reader"
PAGE, WORKER, MODEL, SCRIPT = "index.html", "worker.js", "model.js", "reader.js"
PLAIN = (PAGE, "reader.css", "icon.svg")
MANIFEST = "manifest.webmanifest"


@dataclass(frozen=True)
class ModelFacts:
    """What the page says of its model beside what its record says.

    Attributes:
      version: as TensorFlow Serving counts them; None where nobody released it.
      export_sha256: hex, over the artefact's folder.
      signers: names of the trusted keys that signed its release; none where that is allowed.
    """

    name: str
    version: int | None
    export_sha256: str
    signers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Artefact:
    """A TF.js artefact whose files are those that its record names."""

    folder: Path
    record: ExportRecord
    labels: tuple[str, str]
    facts: ModelFacts


def load_artefact(
    folder: Path, name: str, version: int | None = None, signers: tuple[str, ...] = ()
) -> Artefact:
    """The artefact in a folder, checked against its own record.

    Raises:
      ConfigError: it is of another kind than TF.js.
      IntegrityError: it was altered, or lacks a file.
    """
    record = load_export_record(folder)
    if record.kind != TFJS:
        raise ConfigError(f"{folder}: got {record.kind}, wanted {TFJS}: a browser runs no other")
    try:
        negative, positive = (folder / LABELS).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        raise ConfigError(
            f"{folder / LABELS}: wanted two lines, negative and positive; export again"
        ) from None
    facts = ModelFacts(name, version, export_sha256(folder), signers)
    return Artefact(folder, record, (negative, positive), facts)


def build(artefact: Artefact, out: Path) -> list[Path]:
    """Writes the reader of an artefact into a folder; its paths. The same gives the same bytes.

    Args:
      out: a folder that is not there yet, or is empty.

    Raises:
      ConfigError: something lies in the folder, it cannot be written, or `make tfjs` was not run.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out}: something is there already; name a new or empty folder")
    files = reader_files(artefact)
    with writing_to(out):
        for name, content in files.items():
            write_atomically(out / name, content)
    return [out / name for name in files]


def reader_files(artefact: Artefact) -> dict[str, bytes]:
    """What each file of the reader holds, by its name."""
    files = {name: (SOURCES / name).read_bytes() for name in PLAIN}
    files |= {
        MODEL: _model_script(artefact),
        SCRIPT: built(SCRIPT).read_bytes(),
        MANIFEST: canonical_json(_manifest(artefact)) + b"\n",
    }
    return {**files, WORKER: _worker(files)}


def _model_script(artefact: Artefact) -> bytes:
    record = artefact.record
    given = {
        "record": asdict(record),
        "labels": artefact.labels,
        "model": asdict(artefact.facts),
        "files": {
            name: base64.b64encode((artefact.folder / name).read_bytes()).decode()
            for name in record.files
        },
    }
    return b"globalThis.casegateReader = " + canonical_json(given) + b";\n"


def _manifest(artefact: Artefact) -> dict[str, object]:
    """What a tablet needs to put the page among its programs."""
    return {
        "name": f"{artefact.facts.name} reader",
        "short_name": artefact.facts.name[:12],
        "description": "Not a medical device.",
        "start_url": PAGE,
        "scope": "./",
        "display": "minimal-ui",
        "background_color": "#f4f5f7",
        "theme_color": "#1b1f23",
        "icons": [{"src": "icon.svg", "sizes": "any", "type": "image/svg+xml"}],
    }


def _worker(files: dict[str, bytes]) -> bytes:
    """The service worker, which keeps these files and no others, by their hashes."""
    digests = {name: hashlib.sha256(content).digest() for name, content in files.items()}
    kept = {name: f"sha256-{base64.b64encode(one).decode()}" for name, one in digests.items()}
    code = (SOURCES / WORKER).read_bytes()
    version = hashlib.sha256(canonical_json(kept) + code).hexdigest()[:16]
    head = f"self.casegateFiles = {json.dumps(kept)};\nself.casegateVersion = {version!r};\n"
    return head.encode() + code
