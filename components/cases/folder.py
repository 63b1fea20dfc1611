"""A folder of images sorted into `train/` and `test/` (perhaps `val/`), one subfolder per class.

What a class folder's name means is in `components.cases.labels`, and what a file's name says of the
patient in `components.cases.patients`. A folder that could be a split and is none is refused: it
would go unused, or hold what somebody believes to be trained on.
"""

import functools
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from components.cases.files import IMAGE_SUFFIXES, FileListing, FileSource, ImageFile
from components.cases.labels import OUT, map_labels
from components.cases.patients import EACH_FILE, parse_name, refuse_unknown_numbers
from components.cases.reading import PLAIN, Reading
from components.cases.splits import SPLIT_WORDS, SplitCheck, assign_split, require_both_classes
from components.records.case import NEGATIVE, POSITIVE, ReadAs
from components.records.errors import SourceError, suggestion
from components.records.text import spell

_LEFT_BY_ARCHIVERS = ("__macosx",)
_ONE_PATIENT = (
    ": move it to one side, or say with data.patient_pattern what a patient is where a number in "
    "another folder means another one"
)


def open_folder(path: Path, spec: str, reading: Reading = PLAIN) -> FileSource:
    """The source in a folder that has `train/` and `test/`.

    Where `val/` is absent, tune is a fifth of train's patients.

    Raises:
      SourceError: a split or a class is missing, misnamed or empty, two files are one case, or
        names may carry patients that nobody named.
    """
    root = path.resolve()
    listing = list_class_folders(root, reading=reading)
    check = SplitCheck(_ONE_PATIENT)
    for split, files in listing.files.items():
        require_both_classes(spec, split, (file.label for file in files if file.is_image))
        for file in (file for file in files if file.is_image):
            check.add(f"{spec}: {file.path}", split, file.patient_id, case_id=file.case_id)
    return FileSource(root, spec, root.name, list_class_folders, reading, listing.read_as)


def list_class_folders(root: Path, span: str = "", reading: Reading = PLAIN) -> FileListing:
    """The files of each split, in the order of their paths.

    Args:
      span: name of the span that the folder is, "" for a source of its own. A span needs no
        test folder and may lack a class; its case ids begin with its name, since paths are
        unique within it only.
    """
    try:
        folders = class_folders(root, reading, span)
        changed = tuple((root / folder).stat().st_mtime_ns for folder, _ in folders)
        return _list_entries(root, folders, changed, span, reading)
    except OSError as error:
        raise SourceError(f"{error.filename}: cannot be read: {error.strerror}") from None


def class_folders(
    root: Path, reading: Reading = PLAIN, span: str = ""
) -> tuple[tuple[str, int | None], ...]:
    """Each class folder with its label, None where it is left out, such as ("train/NORMAL", 0).

    Raises:
      SourceError: a split or a class is missing, misnamed or means nothing known.
      OSError: a folder cannot be read.
    """
    splits = _split_folders(root, needed=("train",) if span else ("train", "test"))
    labels = _class_labels(root, splits, reading, may_lack=bool(span))
    return tuple(
        (f"{split}/{name}", labels[name.lower()])
        for split in splits
        for name in sorted(_visible_folders(root / split))
    )


def is_carved(folders: Iterable[tuple[str, int | None]], reading: Reading) -> bool:
    """Whether tuning cases are carved from the training patients."""
    return reading.tune_from_train is not None or not any(
        split_of_folder(folder) == "tune" for folder, _ in folders
    )


def _split_folders(root: Path, needed: Sequence[str]) -> list[str]:
    present = sorted(_visible_folders(root))
    for folder in present:
        if folder not in SPLIT_WORDS:
            clause = suggestion(folder, SPLIT_WORDS)
            raise SourceError(
                f"{root}: unknown folder '{folder}' beside train{clause}; rename it if it is one "
                "of these, or move it out of this folder: what is in it would go unused"
            )
    for folder in needed:
        if folder not in present:
            wanted = " and ".join(f"{name}/" for name in needed)
            raise SourceError(f"{root}: no folder '{folder}'; wanted {wanted}")
    _refuse_loose_images(root, present)
    tuning = [folder for folder in present if SPLIT_WORDS[folder] == "tune"]
    if len(tuning) > 1:
        raise SourceError(f"{root}: folders {tuning} to tune on; wanted one of them")
    return present


def _refuse_loose_images(root: Path, splits: Sequence[str]) -> None:
    for folder in splits:
        for name in sorted(entry.name for entry in (root / folder).iterdir()):
            if name.lower().endswith(IMAGE_SUFFIXES) and _is_visible(name):
                raise SourceError(
                    f"{root / folder}: {spell(name)} stands beside the class folders; move it into "
                    "one of them, or out: it would go unused"
                )


def _class_labels(
    root: Path, splits: Sequence[str], reading: Reading, *, may_lack: bool
) -> dict[str, int | None]:
    """The label of every class folder, by its name in small letters.

    Args:
      may_lack: one class alone will do.

    Raises:
      SourceError: an unknown class, not one of each, or other classes than in train though nobody
        named them.
    """
    if reading.labels:
        words = {
            name: str(root / split) for split in splits for name in _visible_folders(root / split)
        }
        return _by_name(map_labels(dict(sorted(words.items())), dict(reading.labels)))
    names = sorted(_visible_folders(root / "train"))
    labels = _by_name(map_labels(dict.fromkeys(names, str(root / "train")), {}))
    for label in () if may_lack else (NEGATIVE, POSITIVE):
        if label not in labels.values():
            raise SourceError(
                f"{root / 'train'}: class folders {names}, none of which is "
                f"{'positive' if label else 'negative'}; wanted one of each"
            )
    if len(names) > 2:
        raise SourceError(
            f"{root / 'train'}: class folders {names}, some of which mean the same; wanted one of "
            f"each, or data.labels with 0, 1 or {OUT} for each"
        )
    _refuse_other_classes(root, splits, labels, may_lack=may_lack)
    return labels


def _refuse_other_classes(
    root: Path, splits: Sequence[str], labels: Mapping[str, int | None], *, may_lack: bool
) -> None:
    for split in splits:
        found = sorted(name.lower() for name in _visible_folders(root / split))
        if found != sorted(labels) and not (may_lack and set(found) < set(labels)):
            raise SourceError(
                f"{root / split}: class folders {found}; wanted {sorted(labels)}, as in train"
            )


def _by_name(labels: Mapping[str, int | None]) -> dict[str, int | None]:
    return {name.lower(): label for name, label in labels.items()}


# Every shard needs the listing; it is kept until a folder's entries change. It holds names only.
@functools.lru_cache(maxsize=2)
def _list_entries(
    root: Path,
    folders: tuple[tuple[str, int | None], ...],
    changed: tuple[int, ...],
    span: str,
    reading: Reading,
) -> FileListing:
    carve = is_carved(folders, reading)
    tuning = any(split_of_folder(folder) == "tune" for folder, _ in folders)
    by_split: dict[str, list[ImageFile]] = {"train": [], "tune": [], "test": []}
    known_as: Counter[str] = Counter()
    unnamed: list[PurePosixPath] = []
    for folder, label in folders:
        split = split_of_folder(folder)
        if label is None or (carve and split == "tune"):
            continue
        names = sorted(entry.name for entry in (root / folder).iterdir())
        for path in (PurePosixPath(folder, name) for name in names if _is_visible(name)):
            file, found = _image_file(path, label, span, reading)
            if file.is_image:
                known_as[found] += 1
            if file.is_image and not found:
                unnamed.append(path.with_suffix(""))
            into = assign_split(file.patient_id, reading.shares()) if carve else split
            by_split[into if split == "train" else split].append(file)
    if reading.patient_pattern != EACH_FILE:
        refuse_unknown_numbers(str(root), unnamed)
    labels = {PurePosixPath(folder).name: label for folder, label in folders}
    return FileListing(by_split, ReadAs(labels, known_as, _tuned_on(reading, carve, tuning)))


def _tuned_on(reading: Reading, carve: bool, tuning: bool) -> tuple[str, ...]:
    if not carve:
        return ()
    left_out = "; the folder to tune on is left out" if tuning else ""
    return (f"tuning: {reading.shares()['tune']:g} of the training patients{left_out}",)


def split_of_folder(folder: str) -> str:
    """The split of a class folder, such as "train/NORMAL"."""
    return SPLIT_WORDS[PurePosixPath(folder).parts[0]]


def _image_file(
    path: PurePosixPath, label: int, span: str, reading: Reading
) -> tuple[ImageFile, str]:
    """The file, and what its patient was found by."""
    stem = path.with_suffix("")
    if not ImageFile(str(path), "", "", label, {}).is_image:
        return ImageFile(str(path), str(stem), str(stem), label, {}), ""
    name = parse_name(stem, label, reading.patient_pattern)
    # Without the span: what may be one patient is kept in one split.
    case_id = f"{span}/{stem}" if span else str(stem)
    return ImageFile(
        str(path), case_id, name.patient or str(stem), label, name.attributes
    ), name.known_as


def _visible_folders(folder: Path) -> set[str]:
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_dir() and _is_visible(entry.name)}


def _is_visible(name: str) -> bool:
    hidden = ("thumbs.db", *_LEFT_BY_ARCHIVERS)
    return not name.startswith(".") and name.lower() not in hidden
