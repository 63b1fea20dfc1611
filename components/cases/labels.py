"""Which class a word means: what everybody calls so, or what the configuration says; never a guess.

A word that is not known is no reason to take it for the opposite of one that is: beside PNEUMONIA,
COVID is not the negative class, and of the classes 1 and 2 the first is not the positive one.
"""

import re
from collections.abc import Iterable, Mapping

from components.records.case import NEGATIVE, POSITIVE
from components.records.errors import SourceError, suggestion
from components.records.text import spell

OUT = "out"  # of a class whose cases are left out
LABELS: Mapping[str, int] = {
    **dict.fromkeys(
        ("normal", "negative", "neg", "no finding", "no findings", "healthy", "well", "benign"),
        NEGATIVE,
    ),
    **dict.fromkeys(("absent", "no", "false", "unremarkable", "unaffected", "0"), NEGATIVE),
    **dict.fromkeys(
        ("pneumonia", "abnormal", "positive", "pos", "unhealthy", "sick", "ill", "malignant"),
        POSITIVE,
    ),
    **dict.fromkeys(("diseased", "present", "yes", "true", "affected", "1"), POSITIVE),
}
_NOT = ("no", "not", "non", "without")
_FINDINGS = ("pneumonia",)
_UNSURE = re.compile(
    r"-\d+(\.0+)?|\W*|nan|n/?a|none|null|.*\?.*|.*\b(un(certain|clear|known|sure|labell?ed)|"
    r"equivocal|indeterminate|possible|possibly|probable|probably|suspected|maybe|likely)\b.*",
    re.I,
)


def plain(word: str) -> str:
    """The word as it is compared: in small letters, whatever parts its syllables."""
    if re.fullmatch(r"[+-]?\d+(\.0+)?", word.strip()):
        return word.strip().partition(".")[0]
    # Only between words: a sign before or behind one may turn what it says.
    return re.sub(r"(?<=\w)[\s_.-]+(?=\w)", " ", word.strip().lower().replace("_", " "))


def known_label(word: str) -> int | None:
    """What the word means to everybody; None where it means nothing, or not to everybody."""
    bare = plain(word)
    if bare in LABELS:
        return LABELS[bare]
    first, _, rest = bare.partition(" ")
    if first in _NOT and rest in LABELS and rest not in ("no", "yes", "0", "1"):
        return POSITIVE if LABELS[rest] == NEGATIVE else NEGATIVE
    finding, _, state = bare.rpartition(" ")
    if finding in _FINDINGS and state in ("negative", "positive", "absent", "present"):
        return LABELS[state]
    return None


def map_labels(words: Mapping[str, str], said: Mapping[str, int | None]) -> dict[str, int | None]:
    """The label of each word, None for those that are left out.

    Args:
      words: to the folder or the line where each stands first.
      said: `data.labels`; where it says anything, it says everything.

    Raises:
      SourceError: a word is unknown, or not among those of `said`; shows what to write.
    """
    found: dict[str, int | None] = {}
    by_word = {plain(word): label for word, label in said.items()}
    # What casegate itself writes into a manifest, where nobody gives it another meaning.
    own = {plain(word) for word in words} <= {"0", "1"} and by_word.keys().isdisjoint("01")
    for word in words:
        if plain(word) in by_word:
            found[word] = by_word[plain(word)]
        elif (not said or own) and known_label(word) is not None:
            found[word] = known_label(word)
    if unknown := [word for word in words if word not in found]:
        raise SourceError(
            f"{words[unknown[0]]}: {_unknown(unknown, said)}; {_to_write(words, found)}"
        )
    return found


def _unknown(unknown: list[str], said: Mapping[str, int | None]) -> str:
    shown = ", ".join(f"'{spell(word)}'" for word in unknown[:6])
    more = f" and {len(unknown) - 6} more" if len(unknown) > 6 else ""
    if any(_UNSURE.fullmatch(word) for word in unknown):
        reason = "which says neither yes nor no: remove these cases, or say what they are"
    elif said:
        reason = "which data.labels does not name"
    else:
        reason = "which only you can tell to be negative or positive"
        meant = suggestion(plain(unknown[0]), LABELS)
        reason += meant if "did you mean" in meant else ""
    return f"unknown label {shown}{more}, {reason}"


def _to_write(words: Iterable[str], found: Mapping[str, int | None]) -> str:
    """The setting as it would have to be, with what is known filled in."""
    shown = []
    # Beside a 2, a 1 may well be the negative class.
    counted = any(plain(word).isdecimal() for word in words if word not in found)
    for word in list(words)[:8]:
        sure = word in found and not (counted and plain(word).isdecimal())
        label = found[word] if sure else "0|1|out"
        shown.append(f"{_quoted(word)}: {OUT if label is None else label}")
    return (
        f"write data.labels: {{{', '.join(shown)}}} into the configuration, with one of 0 "
        f"(negative), 1 (positive) and {OUT} (left out) for each"
    )


def _quoted(word: str) -> str:
    """A key that YAML takes as it stands, for text."""
    safe = re.fullmatch(r"[A-Za-z][\w-]*", word)
    return word if safe and word.lower() not in _YAML_WORDS else f"'{spell(word)}'"


_YAML_WORDS = ("yes", "no", "on", "off", "y", "n", "true", "false", "null")
