"""A folder of images sorted into `train/` and `test/` (perhaps `val/`), one subfolder per class.

Names of the Kermany chest radiographs carry more, and are read: `person100_bacteria_475.jpeg` is
an image of patient person100 with bacterial pneumonia, `NORMAL2-IM-0381-0001.jpeg` one of patient
NORMAL2-IM-0381 (another than IM-0381: the two series are numbered apart). It is not documented
that a number means the same patient in another folder, so the patient is
`<split>/<class>/<number>`, and a patient who is in both folders goes unseen.
"""

import functools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from components.cases.files import FilesBySplit, FileSource, ImageFile
from components.cases.splits import TRAIN_TUNE, SplitCheck, assign_split, require_both_classes
from components.records.case import NEGATIVE, POSITIVE
from components.records.errors import SourceError, suggestion

LABELS: Mapping[str, int] = {
    **dict.fromkeys(("normal", "negative", "0"), NEGATIVE),
    **dict.fromkeys(("pneumonia", "abnormal", "positive", "1"), POSITIVE),
}
SPLIT_FOLDERS: Mapping[str, str] = {"train": "train", "val": "tune", "test": "test"}

_PNEUMONIA_NAME = re.compile(r"(person\d+)_(bacteria|virus)_\d+(?:_\d+)*")
_NORMAL_NAME = re.compile(r"((?:NORMAL\d*-)?IM-\d+)(?:-\d+)+")
_AETIOLOGY = {"bacteria": "bacterial", "virus": "viral"}


def open_folder(path: Path, spec: str) -> FileSource:
    """The source in a folder that has `train/` and `test/`.

    Where `val/` is absent, tune is a fifth of train's patients.

    Raises:
      SourceError: a split or a class is missing, misnamed or empty, or two files are one case.
    """
    root = path.resolve()
    for split, files in list_class_folders(root).items():
        require_both_classes(spec, split, (file.label for file in files if file.is_image))
        check = SplitCheck()
        for file in (file for file in files if file.is_image):
            check.add(f"{spec}: {file.path}", split, file.patient_id, case_id=file.case_id)
    return FileSource(root, spec, root.name, list_class_folders)


def parse_name(stem: str, label: int) -> tuple[str | None, Mapping[str, str]]:
    """Patient (number with its prefix) and attributes from a Kermany file name without suffix.

    Returns:
      (None, {}) for other names. The aetiology is bacterial or viral as the name says, and none
      for the name of a normal image with a negative label.
    """
    if match := _PNEUMONIA_NAME.fullmatch(stem):
        return match[1], {"aetiology": _AETIOLOGY[match[2]]}
    if match := _NORMAL_NAME.fullmatch(stem):
        # Other exports number their images IM-... too, so a positive one says nothing.
        return match[1], {"aetiology": "none"} if label == NEGATIVE else {}
    return None, {}


def list_class_folders(root: Path, span: str = "") -> FilesBySplit:
    """The files of each split, in the order of their paths.

    Args:
      span: name of the span that the folder is, "" for a source of its own. A span needs no
        test folder and may lack a class; its case ids begin with its name, since paths are
        unique within it only.
    """
    try:
        present = _visible_folders(root)
        for folder in sorted(present - set(SPLIT_FOLDERS)):
            clause = suggestion(folder, SPLIT_FOLDERS)
            if "did you mean" in clause:  # a misspelt val/ would silently go unused
                raise SourceError(f"{root}: unknown split folder '{folder}'{clause}")
        needed = ("train",) if span else ("train", "test")
        for folder in needed:
            if folder not in present:
                wanted = " and ".join(f"{name}/" for name in needed)
                raise SourceError(f"{root}: no folder '{folder}'; wanted {wanted}")
        classes = _class_labels(root, sorted(present & set(SPLIT_FOLDERS)), may_lack=bool(span))
        folders = tuple((str(folder.relative_to(root)), label) for folder, label in classes)
        changed = tuple(folder.stat().st_mtime_ns for folder, _ in classes)
        return _list_entries(root, folders, changed, span)
    except OSError as error:
        raise SourceError(f"{error.filename}: cannot be read: {error.strerror}") from None


def _class_labels(
    root: Path, split_folders: Sequence[str], *, may_lack: bool
) -> list[tuple[Path, int]]:
    """Every class folder with its label.

    Args:
      may_lack: one class alone will do, where its name is known.

    Raises:
      SourceError: not two classes, no known class name, or other classes than in train.
    """
    labels = _two_labels(root / "train", may_lack=may_lack)
    folders = []
    for split_folder in split_folders:
        names = _visible_folders(root / split_folder)
        lowered = sorted(name.lower() for name in names)
        if lowered != sorted(labels) and not (may_lack and set(lowered) < set(labels)):
            raise SourceError(
                f"{root / split_folder}: class folders {sorted(names)}; wanted {sorted(labels)}, "
                "as in train"
            )
        folders += [(root / split_folder / name, labels[name.lower()]) for name in sorted(names)]
    return folders


def _two_labels(folder: Path, *, may_lack: bool) -> dict[str, int]:
    names = sorted(name.lower() for name in _visible_folders(folder))
    if may_lack and len(names) == 1 and names[0] in LABELS:
        return {names[0]: LABELS[names[0]]}
    if len(set(names)) != 2 or len(names) != 2:
        raise SourceError(f"{folder}: class folders {names}; wanted exactly two")
    known = {name: LABELS[name] for name in names if name in LABELS}
    if not known:
        raise SourceError(f"{folder}: unknown label '{names[0]}'{suggestion(names[0], LABELS)}")
    if len(set(known.values())) < len(known):
        raise SourceError(f"{folder}: classes {names} mean the same; wanted one of each")
    # The class that is not recognised is the opposite of the one that is: NORMAL and COVID.
    opposite = {POSITIVE: NEGATIVE, NEGATIVE: POSITIVE}[next(iter(known.values()))]
    return {name: known.get(name, opposite) for name in names}


# Every shard needs the listing; it is kept until a folder's entries change. It holds names only.
@functools.lru_cache(maxsize=2)
def _list_entries(
    root: Path, folders: tuple[tuple[str, int], ...], changed: tuple[int, ...], span: str
) -> FilesBySplit:
    has_val = any(PurePosixPath(folder).parts[0] == "val" for folder, _ in folders)
    by_split: dict[str, list[ImageFile]] = {"train": [], "tune": [], "test": []}
    for folder, label in folders:
        split = SPLIT_FOLDERS[PurePosixPath(folder).parts[0]]
        names = sorted(entry.name for entry in (root / folder).iterdir())
        for name in filter(_is_visible, names):
            file = _image_file(PurePosixPath(folder, name), label, span)
            carve = split == "train" and not has_val
            by_split[assign_split(file.patient_id, TRAIN_TUNE) if carve else split].append(file)
    return by_split


def _image_file(path: PurePosixPath, label: int, span: str) -> ImageFile:
    own_id = str(path.with_suffix(""))
    patient, attributes = parse_name(path.stem, label)
    # Without the span: what may be one patient is kept in one split.
    patient_id = own_id if patient is None else str(path.with_name(patient))
    case_id = f"{span}/{own_id}" if span else own_id
    return ImageFile(str(path), case_id, patient_id, label, attributes)


def _visible_folders(folder: Path) -> set[str]:
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_dir() and _is_visible(entry.name)}


def _is_visible(name: str) -> bool:
    return not name.startswith(".") and name.lower() != "thumbs.db"
