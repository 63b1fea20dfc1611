"""Model cards: what they hold, and their two forms."""

from components.card.card import NOT_KNOWN, NOT_STATED, Card, CardSection, CardTable
from components.card.html import card_html
from components.card.markdown import card_markdown

__all__ = [
    "NOT_KNOWN",
    "NOT_STATED",
    "Card",
    "CardSection",
    "CardTable",
    "card_html",
    "card_markdown",
]
