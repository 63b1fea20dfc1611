from pathlib import Path

import pytest

from components.records.errors import ConfigError
from pipeline.governance.tokens import load_tokens

ONE, TWO = "1" * 32, "2" * 32


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "tokens"
    path.write_text(text)
    path.chmod(mode)
    return path


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_tokens(path)
    return str(caught.value)


def test_a_token_is_the_name_before_it(tmp_path: Path) -> None:
    text = f"# readers\nDr. One:{ONE}\n\nWard: North:{TWO}\nDr. One:{'3' * 16}\n"
    tokens = load_tokens(written(tmp_path, text))
    assert tokens.reader_of(ONE) == tokens.reader_of("3" * 16) == "Dr. One"
    assert tokens.reader_of(TWO) == "Ward: North"
    for wrong in ("", ONE[:-1], f"{ONE} ", "Dr. One", "\udcff"):
        assert tokens.reader_of(wrong) is None


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o644, 0o601])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    assert "chmod 600" in refused(written(tmp_path, f"A:{ONE}", mode))


def test_a_file_for_a_group_of_servers_will_do(tmp_path: Path) -> None:
    assert load_tokens(written(tmp_path, f"A:{ONE}", 0o640)).reader_of(ONE) == "A"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "got no token"),
        ("# A:b\n", "got no token"),
        (ONE, "wanted NAME:TOKEN"),
        (f":{ONE}", "wanted NAME:TOKEN"),
        (f"A:{ONE}\nB:{ONE}", "2: a token stands there twice"),
        ("A:short", "has 5 characters"),
        (f"A:{'ä' * 20}", "not plain text"),
        (f"A:{'x' * 8} {'x' * 8}", "a space in it"),
        (f"--:{ONE}", "got '--'"),
    ],
)
def test_a_line_that_is_none_is_refused_without_telling_its_token(
    tmp_path: Path, text: str, words: str
) -> None:
    said = refused(written(tmp_path, text))
    assert words in said and ONE not in said


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "tokens")
