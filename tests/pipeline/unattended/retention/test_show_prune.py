"""Sizes as a person reads them."""

import pytest

from pipeline.unattended.retention import Pruned
from pipeline.unattended.retention.show_prune import lines, size


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (12_340_000_000, "12.3 GB"),
        (5_000_000_000_000_000, "5e+03 TB"),
    ],
)
def test_sizes_have_three_digits(count: int, words: str) -> None:
    assert size(count) == words


def test_names_cannot_smuggle_control_characters_into_a_terminal() -> None:
    found = Pruned((), {}, ("artifacts/Trainer/model/\x1b[31m",), dry_run=False)
    *_, line = lines(found)
    assert "\x1b" not in line and line.startswith("stays: artifacts/Trainer/model/")
