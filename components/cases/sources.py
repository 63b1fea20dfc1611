"""The one way in: what a person types becomes a data source."""

import difflib
import os
from pathlib import Path

from components.cases.folder import open_folder
from components.cases.manifest import MANIFEST, open_manifest
from components.cases.medmnist import PUBLISHED, open_medmnist
from components.cases.npz import open_npz
from components.cases.span_source import open_spans
from components.cases.spans import KIND, span_pattern
from components.records.case import Source
from components.records.errors import SourceError, suggestion

WORDS = ("phantom", *(f"medmnist:{name}" for name in PUBLISHED))


def open_source(spec: str) -> Source:
    """The source that `spec` names, checked: every split it needs is there with both classes.

    Args:
      spec: `phantom` or `phantom:KEY=VALUE,...`; `medmnist:NAME`; the path of an .npz file, of a
        folder with `manifest.csv`, or of a folder with `train/` and `test/`; or spans of training
        data, `spans:PATTERN@NUMBERS`, as `components.cases.spans` finds them.

    Raises:
      SourceError: no such source, or its data cannot be used.
    """
    kind, _, rest = spec.partition(":")
    if kind == "phantom":
        # Not needed by those who bring their own data.
        from components.phantom.source import PhantomSource

        return PhantomSource.parse(spec)
    if kind == KIND:
        return open_spans(spec)
    if kind == "medmnist":
        return open_medmnist(rest)
    path = Path(os.path.normpath(spec)).expanduser()
    canonical = os.path.normpath(spec)
    try:
        if path.is_dir():
            return _open_directory(path, canonical)
        if path.is_file():
            if path.suffix.lower() == ".npz":
                return open_npz(path, canonical)
            raise SourceError(f"{spec}: not a data source; wanted an .npz file or a folder")
    except (OSError, ValueError) as error:  # no permission; a zero byte in the path
        raise SourceError(f"{spec}: cannot be read: {error}") from None
    if span_pattern(spec):
        raise SourceError(f"{spec}: which spans? wanted spans:{canonical}@1-3, or data.source")
    raise SourceError(f"{spec}: no such file or folder{suggestion(spec, _near(spec, path))}")


def _open_directory(path: Path, spec: str) -> Source:
    if (path / MANIFEST).is_file():
        return open_manifest(path, spec)
    found = sorted(item.name for item in path.iterdir() if not item.name.startswith("."))
    if "train" not in found and "test" not in found:
        shown = f"found {found[:6]}" if found else "the folder is empty"
        raise SourceError(f"{spec}: {shown}; wanted {MANIFEST}, or train/ and test/")
    return open_folder(path, spec)


def _near(spec: str, path: Path) -> list[str]:
    """What could have been meant: the words, and what stands beside the path with a like name."""
    folder = path.parent
    names = [item.name for item in folder.iterdir()] if folder.is_dir() else []
    beside = difflib.get_close_matches(path.name, names)
    return [*WORDS, *(str(Path(spec).parent / name) for name in beside)]
