"""The model card in Markdown, for a repository or a registry."""

import html
import re
from collections.abc import Iterable

from components.card.card import Card, CardSection, CardTable, shown

_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~])")


def card_markdown(card: Card) -> str:
    """The whole card; nothing in it is read as markup but its own headings and tables."""
    lines = [f"# {_text(card.title)}", "", _text(card.lead), ""]
    for warning in card.warnings:
        lines += [f"> **{_text(warning)}**", ""]
    for section in card.sections:
        lines += _section(section)
    return "\n".join(lines).rstrip() + "\n"


def _section(section: CardSection) -> list[str]:
    lines = [f"## {_text(section.title)}", ""]
    for text in section.texts:
        lines += [_text(text), ""]
    lines += [f"- {_text(name)}: {_text(shown(value))}" for name, value in section.facts.items()]
    if section.facts:
        lines.append("")
    for table in section.tables:
        lines += _table(table)
    return lines


def _table(table: CardTable) -> list[str]:
    lines = [f"### {_text(table.title)}", "", _row(table.columns)]
    lines.append(_row("---" for _ in table.columns))
    lines += [_row(_text(shown(value)) for value in row) for row in table.rows]
    return [*lines, ""]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _text(text: str) -> str:
    """One line, with everything escaped that Markdown or HTML would take for more than text."""
    return _SPECIAL.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))
