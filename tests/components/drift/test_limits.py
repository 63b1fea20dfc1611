import subprocess
import sys
from pathlib import Path

import pytest

from components.drift.limits import JENSEN_SHANNON, L_INFINITY, Limit, read_limits
from components.records.errors import ConfigError
from tests.refusing import refused

SCHEMA = Path("schemas/features.pbtxt")


def test_reads_the_comparators_of_the_schema() -> None:
    limits = read_limits(SCHEMA)
    assert limits["sharpness"] == Limit(JENSEN_SHANNON, pytest.approx(0.2))
    assert limits["device"] == Limit(L_INFINITY, pytest.approx(0.25))
    assert "image" not in limits  # it has none


def test_a_threshold_keeps_the_digits_of_the_schema() -> None:
    assert read_limits(SCHEMA)["mean"].threshold == 0.15


@pytest.mark.parametrize(
    "comparator, facts",
    [
        ("", ["got nothing", "jensen_shannon_divergence, infinity_norm"]),
        ("normalized_abs_difference { threshold: 0.1 }", ["normalized_abs_difference"]),
        (
            "infinity_norm { threshold: 0.1 } jensen_shannon_divergence { threshold: 0.1 }",
            ["infinity_norm and jensen_shannon_divergence"],
        ),
        ("infinity_norm { }", ["infinity_norm.threshold: ", "got nothing"]),
        ("infinity_norm { threshold: nan }", ["nan", "0 to 1"]),
        ("infinity_norm { threshold: 1.5 }", ["1.5", "0 to 1"]),
        ("infinity_norm { threshold: -0.1 }", ["-0.1", "0 to 1"]),
    ],
)
def test_a_comparator_without_a_meaning_is_refused(
    tmp_path: Path, comparator: str, facts: list[str]
) -> None:
    schema = tmp_path / "schema.pbtxt"
    schema.write_text(f'feature {{ name: "mean" drift_comparator {{ {comparator} }} }}')
    with refused(ConfigError, f"{schema}: mean: ", *facts):
        read_limits(schema)


@pytest.mark.parametrize("content", [b"feature { nme: 1 }", b"\xff\xfe", None])
def test_what_is_no_schema_is_refused_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    schema = tmp_path / "schema.pbtxt"
    if content is not None:
        schema.write_bytes(content)
    with refused(ConfigError, schema):
        read_limits(schema)


@pytest.mark.process
def test_loads_no_tensorflow() -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from components.drift.limits import read_limits\n"
        f"read_limits(Path({str(SCHEMA)!r}))\n"
        "sys.exit('tensorflow' in sys.modules or 'scipy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
