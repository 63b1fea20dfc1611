from dataclasses import replace

import pytest

from tests.bench.lineage_figures import (
    MLMD,
    TFX,
    Documented,
    HomePage,
    LineageCommand,
    LineageFigures,
    StoreFigures,
    lineage_targets,
)
from tests.bench.lineage_page import section, with_section


def store(kind: str = "SQLite") -> StoreFigures:
    """A trace of 0.5 s and an impact of 1 s; the client takes 7 s through TFX, 0.4 s without."""
    ways = [
        Documented(question, through, seconds, 0.2, 16)
        for through, seconds in ((TFX, 7.0), (MLMD, 0.4))
        for question in ("trace", "subgraph", "impact")
    ]
    commands = (
        LineageCommand("trace VERSION", (0.6, 0.4, 0.5), 57.0),
        LineageCommand("impact --case ID", (1.0,), 80.0),
        LineageCommand("list", (2.5, 2.5, 0.1), 59.0),
    )
    return StoreFigures(kind, commands, tuple(ways), HomePage(0.9, 0.1))


def figures(**changes: object) -> LineageFigures:
    made = LineageFigures(
        machine="Some CPU",
        cores=2,
        load=0.1,
        date="2026-01-31",
        versions={"python": "3.10.13"},
        runs=1000,
        cases=100_000,
        rows=987_654,
        ledger_entries=3150,
        copy_seconds=28.0,
        stores=(store(), store("PostgreSQL")),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_slowest_command_is_held_against_the_target_by_its_median() -> None:
    found = lineage_targets(figures())[0]
    assert found.got == 2.5 and found.met is False
    assert "`list`" in found.reckoning


def test_a_command_is_held_against_the_client_by_whole_processes() -> None:
    found = {target.name: target for target in lineage_targets(figures())}
    fast = found["SQLite: `trace VERSION` over the client opened through TFX"]
    assert fast.got == pytest.approx(0.5 / 7) and fast.met
    slow = found["SQLite: `trace VERSION` over the client opened through ML Metadata"]
    assert slow.got == pytest.approx(0.5 / 0.4) and slow.met is False


def test_every_command_stands_with_time_and_memory_on_each_store() -> None:
    assert "| `trace VERSION` | 0.50 | 57 | 0.50 | 57 |" in section(figures())


def test_the_client_stands_with_its_whole_process_and_the_asking_alone() -> None:
    assert "| SQLite: trace, through TFX | 7.00 | 0.20 | 16 |" in section(figures())


def test_a_missing_server_is_named() -> None:
    text = section(figures(copy_seconds=None, stores=(store(),)))
    assert "There was no PostgreSQL server, so nothing was measured on one." in text
    assert "PostgreSQL, s" not in text


def test_a_busy_machine_is_named() -> None:
    assert "unreliable" in section(figures(load=3.0))
    assert "unreliable" not in section(figures())


def test_the_section_takes_the_place_of_the_old_one_and_leaves_the_others() -> None:
    page = "# B\n\n## Starting\n\none\n\n## Lineage\n\nold\n\n### part\n\n## Memory\n\ntwo\n"
    new = with_section(page, "## Lineage\n\nnew\n")
    assert new == "# B\n\n## Starting\n\none\n\n## Lineage\n\nnew\n\n## Memory\n\ntwo\n"
    assert with_section(new, "## Lineage\n\nnew\n") == new


def test_the_section_comes_last_where_there_was_none() -> None:
    new = with_section("# B\n\n## Memory\n\ntwo\n", "## Lineage\n\nnew\n\n")
    assert new == "# B\n\n## Memory\n\ntwo\n\n## Lineage\n\nnew\n"
