"""A cache makes a check quicker, never different."""

import shutil
from pathlib import Path

import pytest

from components.baselines.scores import save_scores
from components.decision import save_decision
from components.records.run_files import DECISION, HTML_REPORT, SCORES
from pipeline.ci import cache as module
from pipeline.ci.cache import Cache
from tests.components.gate.test_decide import CASES, judged
from tests.components.planting import scored

KEY = "a" * 64


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """What a run leaves behind."""
    scores = scored(CASES, wrong=[3], model="kept")
    folder = tmp_path / "run"
    folder.mkdir()
    save_scores(scores, folder / SCORES)
    save_decision(judged(scores), folder / DECISION)
    (folder / HTML_REPORT).write_text("<p>")
    return {name: folder / name for name in (DECISION, SCORES, HTML_REPORT)}


@pytest.fixture
def cache(tmp_path: Path, files: dict[str, Path]) -> Cache:
    found = Cache(tmp_path / "cache")
    assert found.keep(KEY, files, tree="tree") is None
    return found


def test_what_is_kept_is_found(cache: Cache, files: dict[str, Path]) -> None:
    kept = cache.find(KEY)
    assert kept
    assert kept.decision.to_json() == files[DECISION].read_text()
    assert kept.report.read_text() == "<p>"
    by_tree = cache.of_tree("tree")
    assert by_tree and by_tree.decision == kept.decision


def test_it_is_found_where_it_was_restored_to(cache: Cache, tmp_path: Path) -> None:
    cache.root.rename(tmp_path / "elsewhere")
    assert Cache(tmp_path / "elsewhere").find(KEY)


def test_what_is_not_there_is_not_found(cache: Cache) -> None:
    assert cache.find("b" * 64) is None
    assert cache.of_tree("other") is None


@pytest.mark.parametrize("name", [DECISION, SCORES, HTML_REPORT, "files.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "altered"])
def test_a_damaged_entry_is_no_entry(cache: Cache, name: str, damage: str) -> None:
    place = cache.results / KEY / name
    content = place.read_bytes()
    if damage == "gone":
        place.unlink()
    else:
        place.write_bytes(content[:-2] if damage == "cut" else b"[" + content)
    assert cache.find(KEY) is None


def test_scores_of_another_decision_are_no_entry(cache: Cache, files: dict[str, Path]) -> None:
    save_scores(scored(CASES, wrong=[4], model="other"), files[SCORES])
    cache.keep(KEY, files, tree=None)
    assert cache.find(KEY) is None


@pytest.mark.parametrize("key", ["../elsewhere", "", "a/b", "\0"])
def test_a_tree_cannot_point_elsewhere(cache: Cache, key: str) -> None:
    shutil.copytree(cache.results / KEY, cache.root / "elsewhere")
    (cache.root / "trees" / "tree").write_text(key)
    assert cache.of_tree("tree") is None


def test_the_oldest_make_room(
    cache: Cache, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    cache.keep("b" * 64, files, tree="other")
    assert cache.find(KEY)  # which makes it the newest
    cache.keep("c" * 64, files, tree=None)
    assert {path.name for path in cache.results.iterdir()} == {KEY, "c" * 64}
    assert {path.name for path in (cache.root / "trees").iterdir()} == {"tree"}


def test_a_cache_that_cannot_be_written_is_said_and_no_more(
    tmp_path: Path, files: dict[str, Path]
) -> None:
    (tmp_path / "file").write_text("")
    said = Cache(tmp_path / "file").keep(KEY, files, tree=None)
    assert said and "the result cannot be kept" in said
    assert Cache(tmp_path / "file").find(KEY) is None
