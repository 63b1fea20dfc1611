"""The model card in a real browser."""

from pathlib import Path

import pytest

from components.card.card import card_html
from tests.components.card.test_card import NASTY, card
from tests.components.report.browser import CHROMIUM, chromium

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


def test_the_card_shows_text_from_data_as_it_is_and_asks_for_nothing(tmp_path: Path) -> None:
    path = tmp_path / "card.html"
    path.write_text(card_html(card()), encoding="utf-8")
    with chromium(tmp_path / "profile") as page:
        page.open(path)
        assert page.complaints == [] and page.requests == [path.resolve().as_uri()]
        assert page.run("document.querySelector('h1').innerText").strip() == NASTY
        assert page.run("document.querySelectorAll('td').length") >= 2
        assert page.run("document.scripts.length") == 0
