from pathlib import Path

import pytest

from components.records.errors import ConfigError, SourceError
from pipeline.feedback.writing import clear_leftovers, next_span, temporary
from tests.refusing import refused


def there(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir()
    return folder


@pytest.mark.parametrize(
    ("pattern", "names", "wanted"),
    [
        ("span-{SPAN:4}", ["span-0001", "span-0009"], "span-0010"),
        ("span-{SPAN}", ["span-8", "span-09"], "span-10"),
        ("{SPAN:2}", ["03", "other"], "04"),
        ("week {SPAN:3} chest", ["week 041 chest"], "week 042 chest"),
    ],
)
def test_the_next_span_follows_the_highest(
    tmp_path: Path, pattern: str, names: list[str], wanted: str
) -> None:
    there(tmp_path, *names)
    assert next_span(f"{tmp_path}/{pattern}")[1] == tmp_path / wanted


def test_spans_that_are_files_or_out_of_digits_have_no_next(tmp_path: Path) -> None:
    there(tmp_path, "9", "span-1.npz")
    for pattern, words in (("{SPAN:1}", "no room for span 10"), ("span-{SPAN}.npz", ".npz files")):
        with refused(ConfigError, words):
            next_span(f"{tmp_path}/{pattern}")
    with refused(SourceError, "SPAN"):
        next_span(str(tmp_path))


def test_only_leftovers_of_this_workspace_are_cleared(tmp_path: Path) -> None:
    span = tmp_path / "span-0002"
    mine, other = (temporary(span, Path(name), "id") for name in ("/ws", "/elsewhere"))
    there(tmp_path, mine.name, other.name)
    clear_leftovers(span, Path("/ws"))
    assert not mine.exists() and other.exists()
