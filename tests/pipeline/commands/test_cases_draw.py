from pathlib import Path

from click.testing import CliRunner

from components.cases.sources import open_source
from pipeline.commands.cases_draw import draw


def test_it_says_what_was_written_and_the_folder_is_a_source(tmp_path: Path) -> None:
    out = tmp_path / "data" / "phantom" / "span-0001"
    arguments = ["--data", "phantom:seed=3,n=60", "--out", str(out)]
    done = CliRunner().invoke(draw, arguments)
    assert done.exit_code == 0 and done.stderr == ""
    assert done.stdout == (
        f"{out}: 60 cases of 46 patients, 27 positive, from phantom:n=60,seed=3\n"
    )
    assert open_source(str(out)).name == "span-0001"


def test_a_mistake_is_one_line_and_ends_with_2(tmp_path: Path) -> None:
    (tmp_path / "span-0001").mkdir()
    for data, out in (("phantom:n=20", "span-0001"), ("phantm", "span-0002")):
        arguments = ["--data", data, "--out", str(tmp_path / out)]
        done = CliRunner().invoke(draw, arguments)
        assert done.exit_code == 2 and done.stdout == ""
        assert done.stderr.startswith("SourceError: ") and done.stderr.count("\n") == 1
