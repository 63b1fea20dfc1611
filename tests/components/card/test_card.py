import re

from components.card.card import Card, CardSection, CardTable, card_html, card_markdown

NASTY = '<script>alert("x")</script> | *b* [l](javascript:x) & `c`'


def card() -> Card:
    table = CardTable(NASTY, ("slice", "n"), ((NASTY, 1234), ("quiet", None)))
    section = CardSection(
        NASTY, (NASTY,), {NASTY: NASTY, "licence": None, "signed": True}, (table,)
    )
    return Card(NASTY, NASTY, (NASTY,), (section,))


def test_nothing_from_data_is_markup_in_html() -> None:
    page = card_html(card())
    assert "<script" not in page and "&lt;script&gt;" in page
    assert not re.search(r"\son\w+=", page) and "http" not in page.replace("http-equiv", "")


def test_nothing_from_data_is_markup_in_markdown() -> None:
    text = card_markdown(card())
    assert "<script" not in text and "[l](" not in text
    (row,) = [line for line in text.splitlines() if "1,234" in line]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3  # the bar in the value is escaped


def test_what_is_missing_says_so() -> None:
    for made in (card_html(card()), card_markdown(card())):
        assert "not known" in made and "yes" in made


def test_the_page_allows_its_own_style_and_nothing_else() -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', card_html(card()))
    assert policy is not None
    assert policy[1].startswith("default-src &#39;none&#39;") or policy[1].startswith(
        "default-src 'none'"
    )
    assert "sha256-" in policy[1] and "unsafe" not in policy[1]


def test_the_same_card_gives_the_same_bytes() -> None:
    assert card_html(card()) == card_html(card())
