from pathlib import Path

import pytest

from components.records.errors import PolicyError
from components.records.yaml_lines import read_yaml, spell_yaml
from tests.refusing import refused

FILE = Path("a.yaml")


@pytest.mark.parametrize(
    "content, line, named",
    [
        (b"a: 1\nb: -.inf\n", 2, "-.inf"),
        (b"a: 1\nb:\n  - +.INF\n", 3, "+.INF"),
        (b"a: .NaN\n", 1, ".NaN"),
        (b"a: 1e999\n", 1, "1e999"),
        (b"a: 1\nb: {c: 2,\n c: 3}\n", 3, "'c' stands twice"),
        (b"signing: {unsigned: false}\nsigning: {unsigned: true}\n", 2, "'signing' stands twice"),
        (b'"a": 1\na: 2\n', 2, "'a' stands twice"),
        (b'1: x\n"1": y\n', 2, "'1' stands twice"),
        (b"a: 1\n? [b]\n: 2\n", 2, "as a key"),
        (b"a: &x {b: 1}\nc: *x\n", 2, "*x"),
        (b"a:\n  <<: {b: 1}\n", 2, "'<<'"),
        (b"a: !!binary aGFsbG8=\n", 1, "binary"),
        (b"a: !!set {x, y}\n", 1, "set"),
        (b"a: !mine 1\n", 1, "!mine"),
        (b"unsigned: no\n", 1, "got no"),
        (b"unsigned: On\n", 1, "got On"),
        (b"yes: 1\n", 1, "got yes"),
        (b"seed: 0777\n", 1, "0777"),
        (b"seed: 0o777\n", 1, "0o777"),
        (b"seed: -08\n", 1, "-08"),
        (b"a:\n\tb: 1\n", 2, "tab"),
        (b"a:\t1\n", 1, "tab"),
        (b"to:\n- a\n\t- b\n", 3, "tab"),
        (b"a: 1\n---\nb: 2\n", 2, "document"),
    ],
)
def test_what_yaml_would_take_and_nobody_meant_is_refused(
    content: bytes, line: int, named: str
) -> None:
    with refused(PolicyError, f"{FILE}:{line}: ", named):
        read_yaml(FILE, content, error=PolicyError)


@pytest.mark.parametrize(
    "content, named",
    [
        (b"a: \xff\n", "utf-8"),
        (b"a: \x00\n", "special characters"),
        (b"\xef\xbb\xbfa: 1\n", "byte-order mark stands in line 1"),
        (b"a: 1\n\xef\xbb\xbfb: 1\n", "byte-order mark stands in line 2"),
        ("a: 1\n".encode("utf-16"), "byte-order mark of UTF-16"),
        (b"a: " + b"[" * 2000, "not valid YAML"),
    ],
)
def test_what_is_no_plain_text_is_named(content: bytes, named: str) -> None:
    with refused(PolicyError, f"{FILE}: ", named):
        read_yaml(FILE, content, error=PolicyError)


@pytest.mark.parametrize(
    "written, value",
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("+1", 1),
        ("0", 0),
        ("0.05", 0.05),
        ("0x10", 16),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z"),
        ("0 3 * * 1", "0 3 * * 1"),
        ("'yes'", "yes"),
        ('"007"', "007"),
        ('"x\ty"', "x\ty"),
        ("|\n  on\n  \tdeep", "on\n\tdeep"),
        ("&name x", "x"),
    ],
)
def test_a_value_is_read_as_it_is_written(written: str, value: object) -> None:
    found = read_yaml(FILE, f"a: {written}".encode(), error=PolicyError).data
    assert found == {"a": value} and type(found["a"]) is type(value)


@pytest.mark.parametrize(
    "value",
    ["1e-3", "08", "yes", "12:30", "a\tb\n", "ü 😀", "\udcff", 1e-05, [True, None, {"a": 1}]],
)
def test_what_is_spelt_is_read_back(value: object) -> None:
    text = spell_yaml({"a": value})
    assert read_yaml("here", text, error=PolicyError).data == {"a": value}


def test_a_key_is_text_as_it_is_written() -> None:
    found = read_yaml(FILE, b"{1: a, 0x1: b, 1.0: c, true: d, ~: e}", error=PolicyError).data
    assert found == {"1": "a", "0x1": "b", "1.0": "c", "true": "d", "~": "e"}


def test_a_place_is_located_at_the_nearest_value_that_holds_it() -> None:
    document = read_yaml(FILE, b"# head\na:\n  b:\n    - c: 1\n", error=PolicyError)
    for place, line in [
        (("a", "b", 0, "c"), 4),
        (("a", "b", 0, "d"), 4),
        (("a", "b", 1), 3),
        (("a", "b", 1, "c", "e"), 3),
        (("a", "z"), 2),
        (("a", "z", 0), 2),
        (("z",), 2),
        ((), 2),
    ]:
        assert document.locate(place) == f"{FILE}:{line}"
    assert read_yaml(FILE, b"", error=PolicyError).locate(("a",)) == str(FILE)
