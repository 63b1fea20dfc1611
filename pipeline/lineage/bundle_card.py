"""The model card's files of a bundle."""

from collections.abc import Mapping

from components.card import card_html, card_markdown
from components.errors import ConfigError
from pipeline.lineage.card import card_of
from pipeline.lineage.subject import Evidence, Subject


def cards(evidence: Evidence, subject: Subject) -> Mapping[str, bytes]:
    """Both forms of the card; none of a run that came to no decision."""
    try:
        card = card_of(evidence, subject)
    except ConfigError:
        return {}
    return {"card.md": card_markdown(card).encode(), "card.html": card_html(card).encode()}
