import shutil
from pathlib import Path

import pytest

from components.records.errors import ConfigError
from pipeline.site.build import build
from pipeline.site.site import Site
from tests.pipeline.site.making import RUN


def quiet(done: int, of: int) -> None:
    pass


def test_every_page_is_written_once_and_as_the_site_has_it(root: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    built = build(root, tmp_path / "site", progress=lambda *count: told.append(count))
    written = sorted(p for p in (tmp_path / "site").rglob("*") if p.is_file())
    assert len(written) == built.pages == told[-1][0] == told[-1][1]
    assert built.faults == ()
    page = (tmp_path / "site" / "run" / RUN / "index.html").read_bytes()
    assert page == Site(root, searches=False).respond(f"run/{RUN}/index.html").body


def test_nothing_in_it_names_this_machine(root: Path, tmp_path: Path) -> None:
    build(root, tmp_path / "site", progress=quiet)
    for path in (tmp_path / "site").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert 'href="/' not in text and 'src="/' not in text and "127.0.0.1" not in text


def test_a_folder_that_holds_something_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="something is there already"):
        build(root, tmp_path, progress=quiet)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_that_does_not_fit_is_named_and_the_rest_is_written(
    root: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(root, tmp_path / "copy")
    (copy / "runs" / RUN / "report.html").write_text("all is well", encoding="utf-8")
    built = build(copy, tmp_path / "site", progress=quiet)
    (fault,) = built.faults
    assert "files/report.html" in fault and "hashes to" in fault
    page = (tmp_path / "site" / "run" / RUN / "files" / "report.html").read_text(encoding="utf-8")
    assert "Does not fit:" in page and "all is well" not in page
    assert (tmp_path / "site" / "index.html").exists()
