"""Names and reasons that people give on the command line, as they go into the records."""

import unicodedata

from components.records.errors import ConfigError

JOINERS = "\u200c\u200d"  # part of how some languages are written


def require_text(text: str, option: str) -> str:
    """What a person gave for `option`, on one line, without white space around it.

    Raises:
      ConfigError: it says nothing, or holds a character that a reader would not see.
    """
    words = " ".join(text.split())
    if not any(letter.isalnum() for letter in words):
        raise ConfigError(f"{option}: got {text[:20]!r}, it must say something")
    for letter in words:
        if unicodedata.category(letter).startswith("C") and letter not in JOINERS:
            raise ConfigError(f"{option}: got the invisible character {letter!a}; leave it out")
    return words


def same_person(one: str, other: str) -> bool:
    """Whether two names are one name: case, spacing and punctuation do not make a second person."""
    return _letters(one) == _letters(other)


def _letters(name: str) -> str:
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(x for x in folded if x.isalnum() or unicodedata.category(x).startswith("M"))
