import pytest

from pipeline.site import places


@pytest.mark.parametrize(
    ("here", "wanted"),
    [
        ("index.html", "run/20260101T000000.000000Z/index.html"),
        ("run/a/index.html", "../../run/20260101T000000.000000Z/index.html"),
        ("ledger/1.html", "../run/20260101T000000.000000Z/index.html"),
    ],
)
def test_a_link_leads_from_where_the_page_stands(here: str, wanted: str) -> None:
    assert places.relative(here, places.run_page("20260101T000000.000000Z")) == wanted


def test_parameters_and_anchors_are_quoted() -> None:
    found = places.relative("index.html", places.SEARCH, value='a&b="<')
    assert found == "search.html?value=a%26b%3D%22%3C"
    assert places.relative("index.html", "x.html#a b") == "x.html#a%20b"


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a\\b", "a\nb", "ä", "a" * 65])
def test_a_name_that_could_mean_a_path_is_not_safe(name: str) -> None:
    assert not places.is_safe(name)


def test_a_run_id_and_a_version_are_safe() -> None:
    assert places.is_safe("20260101T000000.000000Z")
    assert places.is_safe("1795582542-47")


@pytest.mark.parametrize("name", ["Chest", "a/../b", "x y", "שלום", "a.b"])
def test_a_case_set_of_any_name_has_a_plain_address(name: str) -> None:
    found = places.case_set_page(name)
    assert found == f"case-set/{places.named_by_hash(name)}.html"
    assert places.case_set_page("chest") == "case-set/chest.html"


def test_each_entry_has_its_page() -> None:
    assert places.entry_place(1) == "ledger/1.html#entry-1"
    assert places.entry_place(500) == "ledger/1.html#entry-500"
    assert places.entry_place(501) == "ledger/2.html#entry-501"
