"""A C program loads what is released, and gets from it what was judged."""

from pathlib import Path

import pytest

from tests.components.scoring.c_program import build, classify
from tests.components.scoring.making import UNSERVABLE, Sized, save

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("c"))


def test_a_c_program_answers(program: Path, tmp_path: Path) -> None:
    sizes = (100, 250, 999)
    for size in sizes:
        (tmp_path / str(size)).write_bytes(b"." * size)
    model = save(Sized(), tmp_path / "model")
    said = classify(program, model, [tmp_path / str(size) for size in sizes])
    assert [p for p, _ in said] == pytest.approx([size / 1000 for size in sizes])
    assert [label for _, label in said] == [0, 1, 1]


def test_a_c_program_refuses_what_we_call_unservable(program: Path, tmp_path: Path) -> None:
    make, _ = UNSERVABLE["Python inside"]
    (tmp_path / "image").write_bytes(b"...")
    with pytest.raises(RuntimeError, match="EagerPyFunc"):
        classify(program, make(tmp_path / "model"), [tmp_path / "image"])
