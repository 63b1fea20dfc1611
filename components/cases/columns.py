"""What the columns of a manifest are: by the five names that are read, or as a person said.

A column whose name means a patient, a split or a label is not taken for an attribute: `mrn` beside
no `patient_id` would put one patient on both sides, and nobody would see it.
"""

import difflib
import re
from collections.abc import Mapping, Sequence

from components.cases.labels import known_label
from components.cases.reading import Reading
from components.cases.splits import SPLIT_WORDS
from components.records.errors import SourceError, suggestion

REQUIRED = ("path", "label")
OPTIONAL = ("case_id", "patient_id", "split")
ROLES = {
    "path": "path",
    "label": "label",
    "case_id": "case_id",
    "patient": "patient_id",
    "split": "split",
}  # in the configuration, to the name of the column that is read
ROLE_OF = {column: role for role, column in ROLES.items()}

# A name is taken for one of these by any of its parts, in the order of the lists.
_PATIENT = """
    patient patients pat pt subject subjects subj sub person people participant individual child mrn
    pid ptid nhs ssn study studies accession exam examination encounter visit admission series
"""
_ID = "uid guid id ids identifier pseudonym"
_SPLIT = """
    split splits fold folds set sets partition subset phase usage holdout cv train training istrain
    val valid validation tune dev test testing istest
"""
_LABEL = """
    label labels class classes target targets y dx diag diagnosis diagnoses finding findings truth
    gt groundtruth outcome annotation annotations disease pathology category categories condition
    verdict impression
"""
# With one of these it is said of a patient or of a study, and names none.
_OF_A_PATIENT = """
    age band sex gender race ethnicity weight height size position orientation date time day month
    year description type country city smoker
"""
# An id of one of these names no patient.
_OF_OTHERS = """
    site hospital clinic ward center centre department institution device scanner station machine
    manufacturer vendor model reader radiologist annotator operator image images img file files
    picture instance sop row index slice frame span
"""
_PATIENTS, _IDS, _SAID_OF, _OTHER_THINGS = (
    frozenset(words.split()) for words in (_PATIENT, _ID, _OF_A_PATIENT, _OF_OTHERS)
)
_MEANINGS = {
    "patient": _PATIENTS | _IDS,
    "split": frozenset(_SPLIT.split()),
    "label": frozenset(_LABEL.split()),
}
_STEMS = {  # in the languages that share them
    "patient": ("patien", "pacien", "pazien", "subject", "accession"),
    "split": ("split", "partition"),
    "label": ("label", "diagno", "befund", "patholog"),
}
_NUMBERS = re.compile(r"(?<=\w)(uids?|guids?|ids?|nos?|nrs?|nums?|numbers?|keys?|codes?|hash)$")


def read_columns(where: str, header: Sequence[str], reading: Reading) -> list[str]:
    """The name under which each column is read; "" for one that is not.

    Raises:
      SourceError: a column is missing, unnamed, there twice, or may mean what nobody said.
    """
    columns = [name.strip() for name in header]
    for name in columns:
        if not name or columns.count(name) > 1:
            raise SourceError(f"{where}: column '{name}' is unnamed or there twice")
    named = _named(where, columns, reading)
    read = [named.get(name) or _called(name, reading) for name in columns]
    _refuse_unnamed(where, columns, read, reading)
    for name in read:
        if name and read.count(name) > 1:
            raise SourceError(f"{where}: two columns for '{name}'; name one in data.columns.ignore")
    for required in REQUIRED:
        if required not in read:
            raise SourceError(
                f"{where}: no column '{required}'; got {columns}; where another has it, write "
                f"data.columns: {{{required}: COLUMN}}"
            )
    return read


def _named(where: str, columns: Sequence[str], reading: Reading) -> dict[str, str]:
    """The columns that a person gave a role, with the names under which they are read."""
    named = {}
    for role, column in reading.columns:
        if column in columns:
            named[column] = ROLES[role]
        elif ROLES[role] not in columns:  # which casegate itself writes
            raise SourceError(
                f"{where}: no column '{column}', which data.columns.{role} names; got {columns}"
            )
    return named


def _called(name: str, reading: Reading) -> str:
    """The name under which a column that nobody gave a role is read."""
    if name in reading.ignore:
        return ""
    known = name not in reading.attributes and name.lower() in (*REQUIRED, *OPTIONAL)
    return name.lower() if known else name


def _refuse_unnamed(
    where: str, columns: Sequence[str], read: Sequence[str], reading: Reading
) -> None:
    """Refuses columns that would be attributes, and may be something else."""
    left = [name for name in columns if name in read and name not in reading.attributes]
    found = {name: roles for name in left if (roles := _may_be(name, columns))}
    if found:
        (name, (role, meant)), *more = found.items()
        others = "".join(f", '{other}' the {which}" for other, (which, _) in more)
        raise SourceError(
            f"{where}: column '{name}' may name the {role}{meant}{others}; write data.columns: "
            f"{{{role}: '{name}'}} if it does, {{ignore: ['{name}']}} to leave it out, or "
            f"{{attributes: ['{name}']}} to slice by it"
        )


def _may_be(name: str, columns: Sequence[str]) -> tuple[str, str] | None:
    """The role that a column may have, and the name of that role's where it is like it."""
    known = (*REQUIRED, *OPTIONAL)
    if name.lower() in known:
        return None
    spelled = name.lower().replace(" ", "_").replace("-", "_")
    close = difflib.get_close_matches(spelled, known, n=1, cutoff=0.85)
    if close and close[0] not in map(str.lower, columns):
        return ROLE_OF[close[0]], suggestion(spelled, known)
    role = meaning(name)
    return (role, "") if role else None


def meaning(name: str) -> str | None:
    """What a column's name means, patient, split or label; None for any other."""
    parts = _parts(name)
    words = {part for part in parts if part}
    if words & _SAID_OF:
        return None
    if words & _OTHER_THINGS and not words & _PATIENTS:
        words -= _IDS
        if words <= _OTHER_THINGS:
            return None
    for role, known in _MEANINGS.items():
        if words & known or any(word.startswith(_STEMS[role]) for word in words):
            return role
    return "label" if known_label(name) is not None and not name.strip().isdecimal() else None


def _parts(name: str) -> list[str]:
    """The words in a name: StudyID and study_uid begin with the same one."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    words = re.findall(r"[a-z]+", spaced.lower())
    return [part for word in words for part in (word, _NUMBERS.sub("", word))]


def refuse_split_words(where: str, values: Mapping[str, set[str]]) -> None:
    """Refuses an attribute all of whose values are names of splits, whatever it is called.

    Args:
      values: by attribute, small letters.
    """
    for name, found in values.items():
        if len(found) > 1 and found <= {*SPLIT_WORDS, "training", "testing"}:
            raise SourceError(
                f"{where}: column '{name}' holds {', '.join(sorted(found))}; write data.columns: "
                f"{{split: '{name}'}} if it names the split, {{ignore: ['{name}']}} to leave it out"
            )
