"""The model card's files of a bundle."""

from collections.abc import Mapping

from components.card.card import card_html, card_markdown
from pipeline.evidence.bundle.names import CARD, CARD_HTML
from pipeline.evidence.card.card import card_of
from pipeline.evidence.subject import Evidence, Subject


def cards(evidence: Evidence, subject: Subject) -> Mapping[str, bytes]:
    """The card in Markdown and HTML; none for a run that came to no decision, so made no model."""
    if evidence.decision(subject.run_id) is None:
        return {}
    card = card_of(evidence, subject)
    return {CARD: card_markdown(card).encode(), CARD_HTML: card_html(card).encode()}
