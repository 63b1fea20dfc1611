"""`casegate explain`: a picture, a line, and a line where there is none."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.commands import explain as module
from pipeline.commands.explain import explain
from pipeline.run import explain as room
from pipeline.run.explain import Explained


def test_the_picture_is_written_and_the_answer_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def made(*given: object) -> Explained:
        asked.extend(given)
        return Explained(b"a picture", "probability 0.5, called positive by it")

    monkeypatch.setattr(room, "explain_image", made)
    Image.new("L", (20, 20)).save(tmp_path / "a.png")
    out = tmp_path / "why.png"
    given = [str(tmp_path / "a.png"), "--model", "7", "--out", str(out)]
    done = CliRunner().invoke(explain, [*given, "--workspace", str(tmp_path / "w")])
    assert done.exit_code == 0 and out.read_bytes() == b"a picture"
    assert done.stdout == f"probability 0.5, called positive by it: {out}\n"
    assert asked[:2] == [tmp_path / "a.png", "7"] and module.Workspace(tmp_path / "w") == asked[3]


def test_where_nothing_is_released_there_is_one_line_and_no_file(tmp_path: Path) -> None:
    Image.new("L", (20, 20)).save(tmp_path / "a.png")
    given = [str(tmp_path / "a.png"), "--out", str(tmp_path / "why.png")]
    done = CliRunner().invoke(explain, [*given, "--workspace", str(tmp_path / "w")])
    assert done.exit_code == 5 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "[CG5001]" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
