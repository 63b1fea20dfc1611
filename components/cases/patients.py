"""Whose image a file is, as far as its name says it.

Published sets number their patients in the names of their files. A name that says nothing is a
patient of its own; but where numbers come again in many names and no pattern here knows them, they
may be patients, and one of them could stand in training and tuning: then a person has to say.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from components.records.case import NEGATIVE
from components.records.errors import SourceError
from components.records.text import spell

EACH_FILE = "each_file"


@dataclass(frozen=True)
class _Pattern:
    """How a set names its files: the first group is the patient, the second tells the aetiology.

    Attributes:
      anywhere: a number means the same patient in every folder.
    """

    name: str
    expression: re.Pattern[str]
    anywhere: bool = False
    in_path: bool = False


_PATTERNS = (
    # It is not documented that a number means the same patient in another folder.
    _Pattern("Kermany", re.compile(r"(person\d+)_(bacteria|virus)_\d+(?:_\d+)*")),
    _Pattern("Kermany", re.compile(r"((?:NORMAL\d*-)?(IM)-\d+)(?:-\d+)+")),
    # (disease)-(randomised patient id)-(number of the image of this patient).
    _Pattern(
        "Kermany version 3",
        re.compile(r"(?=[A-Z]+-(\d+)-)(BACTERIA|VIRUS|NORMAL|CNV|DME|DRUSEN)-\d+-\d+", re.I),
        anywhere=True,
    ),
    _Pattern("ChestX-ray14", re.compile(r"(000\d{5})_\d{3}"), anywhere=True),
    _Pattern("BIDS", re.compile(r"(sub-[A-Za-z0-9]+)_.+"), anywhere=True),
    _Pattern("CheXpert", re.compile(r"(?:.*/)?(patient\d+)/.+"), anywhere=True, in_path=True),
    _Pattern("MIMIC", re.compile(r"(?:.*/)?(p\d{8})/s\d+/.+"), anywhere=True, in_path=True),
)
_AETIOLOGY = {"bacteria": "bacterial", "virus": "viral"}
_NORMAL = ("im", "normal")  # other exports number their images IM-... too

# Names without a meaning, and days.
_OPAQUE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}", re.I)
_DAY = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_PARTS = re.compile(r"\d+|[^\W\d_]+")
_LEAST_NUMBERS, _LEAST_WORDS, _MOST_FILES, _MOST_FORMS = 5, 10, 20, 20


@dataclass(frozen=True)
class FileName:
    """What the name of a file says.

    Attributes:
      patient: a file of the same patient has the same; None where the name says nothing.
      known_as: what the patient was found by; empty where it was not.
    """

    patient: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    known_as: str = ""


def parse_name(path: PurePosixPath, label: int, pattern: str | None = None) -> FileName:
    """What a file's path in its source says, which has no suffix.

    Args:
      pattern: `data.patient_pattern`: EACH_FILE, or a regular expression that is looked for in the
        name and then in the path; its first group that is not empty is the patient.

    Raises:
      SourceError: the pattern does not fit.
    """
    said = _published(path, label)
    if pattern is None:
        return said
    patient = _by_pattern(path, pattern)
    return replace(said, patient=patient, known_as=f"the pattern {pattern}" if patient else "")


def _published(path: PurePosixPath, label: int) -> FileName:
    for known in _PATTERNS:
        found = known.expression.fullmatch(str(path) if known.in_path else path.name)
        if found is None:
            continue
        word = found[2].lower() if found.re.groups > 1 else ""
        attributes = {"aetiology": _AETIOLOGY[word]} if word in _AETIOLOGY else {}
        if word in _NORMAL and label == NEGATIVE:
            attributes = {"aetiology": "none"}
        patient = found[1] if known.anywhere else str(path.with_name(found[1]))
        return FileName(patient, attributes, f"names like those of {known.name}")
    return FileName()


def _by_pattern(path: PurePosixPath, pattern: str) -> str | None:
    if pattern == EACH_FILE:
        return None
    found = re.search(pattern, path.name) or re.search(pattern, str(path))
    patient = next(filter(None, found.groups()), None) if found else None
    if patient is None:
        raise SourceError(
            f"{spell(str(path))}: data.patient_pattern {pattern} finds no patient in this name; "
            "correct it, or name both ways with |"
        )
    return patient


def refuse_unknown_numbers(where: str, paths: Iterable[PurePosixPath]) -> None:
    """Refuses names in which numbers come again that may be patients.

    Args:
      paths: of the files whose name says nothing, without suffix.

    Raises:
      SourceError: naming a number, two of its files, and what to write.
    """
    alike: dict[tuple[str, ...], list[PurePosixPath]] = defaultdict(list)
    for path in paths:
        if not _OPAQUE.fullmatch(path.name):
            # Where numbering starts anew in each folder, a number is no patient of another.
            form = (str(path.parent), *_kinds(path.name))
            alike[form].append(path)
    if len({kinds[1:] for kinds in alike}) > _MOST_FORMS:
        return  # letters and digits at random
    for files in alike.values():
        _refuse_alike(where, [file.name for file in files])


def _refuse_alike(where: str, names: Sequence[str]) -> None:
    for place, column in enumerate(zip(*map(_PARTS.findall, names))):
        if again := _comes_again(column):
            shared = [name for name, part in zip(names, column) if part == again]
            raise SourceError(
                f"{where}: '{spell(again)}' stands in {len(shared)} names, such as "
                f"{spell(shared[0])} and {spell(shared[1])}, and {len(set(column)):,} such values "
                f"in {len(names):,}: are these patients? write data.patient_pattern: "
                f"'{_pattern_for(names[0], place)}', or data.patient_pattern: {EACH_FILE} where "
                "each file is a patient of its own"
            )


def _kinds(name: str) -> Iterator[str]:
    """What the parts of a name are, by which names are alike."""
    for part in _PARTS.findall(name):
        yield "0" if part.isdecimal() else "a"


def _comes_again(column: tuple[str, ...]) -> str | None:
    """A value of a part of alike names that comes again as those of patients do."""
    counts = Counter(column)
    numbers = all(part.isdecimal() for part in counts)
    if len(counts) < (_LEAST_NUMBERS if numbers else _LEAST_WORDS):
        return None
    if len(counts) == len(column) or len(column) > _MOST_FILES * len(counts):
        return None
    if all(_DAY.fullmatch(part) for part in counts):
        return None
    return counts.most_common(1)[0][0]


def _pattern_for(name: str, place: int) -> str:
    """The expression that finds the part of a name at `place`."""
    parts = list(_PARTS.finditer(name))
    kind = r"\d+" if parts[place][0].isdecimal() else "[A-Za-z]+"
    before = re.sub(r"\d+", lambda _: r"\d+", re.escape(name[: parts[place].start()]))
    before = re.sub(r"(?<!\\)[A-Za-z]{1,}", "[A-Za-z]+", before)
    return f"^{before}({kind})"
