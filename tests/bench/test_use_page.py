from tests.bench.figures import Setting
from tests.bench.lineage_page import with_section
from tests.bench.use_measure import UseFigure
from tests.bench.use_page import section

SETTING = Setting("Some CPU", 2, 0.1, "2026-01-31", {"python": "3.10.13"})


def test_a_target_is_met_by_the_median_and_missed_above_it() -> None:
    text = section(
        [
            UseFigure("docs", (0.4, 0.3, 3.0), 1.0, 40.0),
            UseFigure("code", (95.0,), 90.0, 1500.4),
        ],
        SETTING,
    )
    assert "| docs | 0.40 (0.30 to 3.00) | 40 | <= 1 | **met** |" in text
    assert "| code | 95.00 | 1500 | <= 90 | **missed** |" in text
    assert "Some CPU, 2 cores; load before the start 0.1." in text


def test_the_section_takes_the_place_of_the_old_one_and_of_no_other() -> None:
    before = "# B\n\n## Lineage\n\none\n\n"
    new = "## In use\n\nnew\n"
    assert with_section(f"{before}## In use\n\nold\n", new) == f"{before}{new}"
