from types import SimpleNamespace

from pipeline.evidence.answer import Table, facts_of

THINGS = [
    SimpleNamespace(body={"by": "A. Person"}, release=SimpleNamespace(version=7)),
    SimpleNamespace(body={}, release=None),
]


def test_a_row_shows_each_thing_by_keys_attributes_and_functions() -> None:
    columns = {"by": "body.by", "version": "release.version", "keys": lambda it: len(it.body)}
    table = Table.of("things", "Things", THINGS, columns, {"version": "release"})
    assert table.columns == ("by", "version", "keys")
    assert table.rows == (("A. Person", 7, 1), (None, None, 0))
    assert table.links == {"version": "release"}


def test_a_table_of_nothing_keeps_its_columns() -> None:
    assert Table.of("things", "Things", [], {"by": "body.by"}).columns == ("by",)


def test_facts_are_found_as_cells_are() -> None:
    assert facts_of(THINGS[0], {"by": "body.by", "second": "body.second"}) == {
        "by": "A. Person",
        "second": None,
    }
