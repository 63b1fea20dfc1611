"""Tests mirror the tree: `tests/components/x/test_y.py` tests `components/x/y.py`."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TESTS = sorted(
    path.relative_to(ROOT / "tests")
    for package in ("components", "pipeline")
    for path in (ROOT / "tests" / package).rglob("test_*.py")
)
# Tests that are of no one module, and why.
OF_NO_MODULE = {
    "components/attestation/test_openssl.py": "what keys and signing write, read by openssl",
    "components/cases/test_examples.py": "what the component writes, read by TensorFlow and TFDV",
    "components/gate/test_facts.py": "what all modules of the gate state in one decision",
    "components/lineage/test_foreign_readers.py": "the store, read by clients of others",
    "components/metrics/test_metrics.py": "the table in __init__.py: every metric alike",
}


def module_of(test: Path) -> Path | None:
    """The module that a test is named after; `test_y_subject.py` has a part of the tests of `y`."""
    name = test.stem.removeprefix("test_")
    while name:
        module = ROOT / test.with_name(f"{name}.py")
        if module.exists():
            return module
        name = name.rpartition("_")[0]
    return None


@pytest.mark.parametrize("test", TESTS, ids=str)
def test_every_test_module_is_named_after_a_module_beside_its_mirror(test: Path) -> None:
    assert (module_of(test) is None) is (str(test) in OF_NO_MODULE)


def test_what_is_listed_as_of_no_module_is_there() -> None:
    assert [name for name in OF_NO_MODULE if Path(name) not in TESTS] == []
