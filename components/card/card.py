"""A model card: what a reader outside has to know of a model, section by section.

Everything in it is on record or was stated by a person; a card knows the difference between a
fact that is not known and one that nobody stated, and shows both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Value = str | int | float | bool | None

NOT_KNOWN = "not known"
NOT_STATED = "not stated"


@dataclass(frozen=True)
class CardTable:
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True)
class CardSection:
    """Attributes:
    texts: paragraphs, as somebody stated them or as a fact demands.
    facts: name -> value; None is shown as not known.
    """

    title: str
    texts: tuple[str, ...] = ()
    facts: Mapping[str, Value] = field(default_factory=dict)
    tables: tuple[CardTable, ...] = ()


@dataclass(frozen=True)
class Card:
    """Attributes:
    lead: one sentence on what the model is and whether it was released.
    warnings: what has to be read first, such as that the images are synthetic.
    """

    title: str
    lead: str
    warnings: tuple[str, ...]
    sections: tuple[CardSection, ...]


def shown(value: Value) -> str:
    """A value as both forms of the card write it."""
    if value is None:
        return NOT_KNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else f"{value:,}"
