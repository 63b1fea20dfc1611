import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from components.drift.divergence import (
    JENSEN_SHANNON,
    L_INFINITY,
    Limit,
    counts_of_words,
    jensen_shannon,
    jensen_shannon_of_numbers,
    l_infinity,
    read_limits,
)
from components.records.errors import ConfigError
from tests.refusing import refused

RNG = np.random.default_rng(20250331)
ZEROS = RNG.random(1400) < 0.6
NUMBERS = {
    "alike": (RNG.normal(size=4000), RNG.normal(size=1000)),
    "few": (RNG.normal(size=400), RNG.normal(size=200)),
    "shifted": (RNG.normal(size=4000), RNG.normal(1, 1, size=1000)),
    "wider": (RNG.exponential(size=4000), RNG.exponential(3, size=500)),
    "apart": (RNG.random(300), RNG.random(300) + 5),
    "one value": (np.full(300, 64.0), np.full(200, 64.0)),
    "one value each": (np.full(300, 64.0), np.full(200, 32.0)),
    "one value, then two": (np.full(300, 64.0), np.repeat([64.0, 128.0], [150, 50])),
    "one value inside a range": (np.full(300, 64.0), RNG.normal(64, 3, size=300)),
    "two values": (np.repeat([64.0, 128.0], [200, 100]), np.repeat([64.0, 128.0], [100, 200])),
    "values on edges": (
        np.repeat(np.arange(11.0), 40),
        np.repeat(np.arange(11.0), range(5, 38, 3)),
    ),
    "many zeros": (np.where(ZEROS[:1000], 0, RNG.random(1000)), RNG.random(400) * ~ZEROS[1000:]),
    "an odd one": (np.append(RNG.normal(size=4000), 60), RNG.normal(1, 1, size=1000)),
}
COUNTS = st.lists(st.integers(0, 500), min_size=2, max_size=8).filter(any)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_agree_with_tfdv(name: str) -> None:
    reference, current = NUMBERS[name]
    assert jensen_shannon_of_numbers(reference, current) == pytest.approx(
        tfdv_says(reference, current, "jensen_shannon_divergence"), abs=0.01
    )


@pytest.mark.tensorflow
def test_words_agree_with_tfdv() -> None:
    reference, current = RNG.choice(list("abc"), 300), RNG.choice(list("bcde"), 200)
    _, *counts = counts_of_words(reference, current)
    assert l_infinity(*counts) == pytest.approx(
        tfdv_says(reference, current, "infinity_norm"), abs=1e-9
    )


def tfdv_says(reference: NDArray, current: NDArray, comparator: str) -> float:
    """What `validate_statistics` measured, of statistics that TFDV made itself."""
    import pandas
    import tensorflow_data_validation as tfdv
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = schema_pb2.Schema()
    feature = schema.feature.add(name="x")
    feature.type = schema_pb2.BYTES if reference.dtype.kind == "U" else schema_pb2.FLOAT
    getattr(feature.drift_comparator, comparator).threshold = 0.1
    before, now = (
        tfdv.generate_statistics_from_dataframe(pandas.DataFrame({"x": sample}))
        for sample in (reference, current)
    )
    anomalies = tfdv.validate_statistics(now, schema, previous_statistics=before)
    (info,) = anomalies.drift_skew_info
    return float(info.drift_measurements[0].value)


def test_by_hand() -> None:
    # Shares 1/2, 1/2 and 1, 0: the middle is 3/4, 1/4.
    first = 0.5 * np.log2(0.5 / 0.75) + 0.5 * np.log2(0.5 / 0.25)
    second = np.log2(1 / 0.75)
    assert jensen_shannon([1, 1], [2, 0]) == pytest.approx((first + second) / 2)
    assert l_infinity([1, 1, 0], [1, 0, 3]) == pytest.approx(0.75)


@pytest.mark.parametrize("measure", [jensen_shannon, l_infinity])
@settings(max_examples=40)
@given(COUNTS, st.randoms(use_true_random=False))
def test_lies_between_alike_and_apart_whichever_comes_first(
    measure: Callable[..., NDArray[np.float64]], counts: list[int], random: object
) -> None:
    other = random.sample(counts, len(counts))  # type: ignore[attr-defined]
    assert 0 <= measure(counts, other) <= 1
    assert measure(counts, other) == pytest.approx(measure(other, counts))
    assert measure(counts, np.array(counts) * 3) == pytest.approx(0, abs=1e-9)
    nothing = [0] * len(counts)
    assert jensen_shannon([*counts, *nothing], [*nothing, *counts]) == pytest.approx(1)


def test_many_rows_at_once_equal_each_row() -> None:
    reference, current = RNG.integers(1, 50, (2, 6, 4))
    rows = [float(jensen_shannon(r, c)) for r, c in zip(reference, current)]
    assert jensen_shannon(reference, current) == pytest.approx(rows)


def test_the_unit_of_a_number_does_not_matter() -> None:
    reference, current = NUMBERS["shifted"]
    assert jensen_shannon_of_numbers(reference * 1000 + 7, current * 1000 + 7) == pytest.approx(
        jensen_shannon_of_numbers(reference, current), abs=1e-6
    )


def test_a_value_that_only_one_sample_has_counts() -> None:
    values, before, now = counts_of_words(np.array(["b", "a"]), np.array(["c", "c", "a"]))
    assert values == ("a", "b", "c")
    assert (before.tolist(), now.tolist()) == ([1, 1, 0], [1, 0, 2])


@pytest.mark.parametrize("values", [[], [0.1, np.nan], [np.inf]])
def test_what_is_no_sample_of_numbers_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        jensen_shannon_of_numbers(np.array([0.5]), np.array(values))
    with pytest.raises(ValueError, match="without cases"):
        jensen_shannon([0, 0], [1, 2])


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
        "from components.drift.divergence import read_limits\n"
        f"read_limits(Path({str(SCHEMA)!r}))\n"
        "sys.exit('tensorflow' in sys.modules or 'scipy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
