"""What is released, where CI can read it: whole, or not at all."""

import json
from pathlib import Path

import pytest

from components.baselines.scores import CaseScores
from components.records.errors import ConfigError, IntegrityError, SourceError
from pipeline.ci.registry import (
    Bucket,
    Folder,
    Published,
    Registry,
    find_registry,
    open_store,
    publish,
)
from tests.components.planting import sha
from tests.pipeline.ci.making import candidate
from tests.pipeline.score_making import CASES
from tests.refusing import refused

ROOT = CASES.merkle_root


def published(root: Path, scores: CaseScores, version: int = 3) -> Published:
    told = Published(version, scores.model_sha256, "2025-03-31T12:00:00Z", sha("decision"))
    return publish(Folder(root), told, {ROOT: scores})


def found(root: Path) -> Registry:
    registry, _ = find_registry(str(root))
    assert registry
    return registry


def test_what_is_published_is_found(tmp_path: Path) -> None:
    published(tmp_path, candidate(4))
    registry, said = find_registry(str(tmp_path))
    assert registry
    scores = registry.scores(ROOT)
    assert scores and scores.scores_sha256 == candidate(4).scores_sha256
    assert said == f"version 3 in {tmp_path}, released 2025-03-31T12:00:00Z"
    assert registry.scores("0" * 64) is None


def test_the_next_release_takes_the_place_of_the_last(tmp_path: Path) -> None:
    published(tmp_path, candidate(4))
    old = found(tmp_path)
    published(tmp_path, candidate(5, model="next"), version=4)
    assert found(tmp_path).champion.version == 4
    # Whoever read champion.json a moment before still finds the scores that it named.
    assert old.scores(ROOT) is not None


def test_nothing_published_is_no_error(tmp_path: Path) -> None:
    registry, said = find_registry(str(tmp_path / "none"))
    assert registry is None
    assert "nothing published yet" in said


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"{}", b'{"case_sets": {}}'])
def test_a_damaged_account_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "champion.json").write_bytes(content)
    with refused(IntegrityError, "champion.json"):
        find_registry(str(tmp_path))


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "scores/x.json", 3])
def test_an_account_cannot_point_elsewhere(tmp_path: Path, name: object) -> None:
    published(tmp_path, candidate())
    place = tmp_path / "champion.json"
    document = json.loads(place.read_text())
    document["case_sets"][ROOT]["scores"] = name
    place.write_text(json.dumps(document))
    with pytest.raises(IntegrityError):
        find_registry(str(tmp_path))


def test_scores_that_were_altered_or_lost_are_refused(tmp_path: Path) -> None:
    published(tmp_path, candidate())
    (scores,) = (tmp_path / "scores").iterdir()
    registry, content = found(tmp_path), scores.read_bytes()
    scores.write_bytes(content.replace(b"0.2", b"0.3", 1))
    with refused(IntegrityError, "champion.json"):
        registry.scores(ROOT)
    scores.unlink()
    with refused(IntegrityError, "scores/"):
        registry.scores(ROOT)


def test_another_models_scores_are_refused(tmp_path: Path) -> None:
    told = Published(3, sha("other"), "2025-03-31T12:00:00Z", sha("decision"))
    publish(Folder(tmp_path), told, {ROOT: candidate()})
    with refused(IntegrityError, "scores/"):
        found(tmp_path).scores(ROOT)


def test_a_place_that_lets_nobody_in_is_no_error_to_a_reader(tmp_path: Path) -> None:
    (tmp_path / "champion.json").mkdir()  # root, too, cannot read it
    registry, said = find_registry(str(tmp_path))
    assert registry is None and f"{tmp_path}/champion.json: " in said
    assert "golden" in said


def test_a_place_that_cannot_be_written_is_an_error_to_a_writer(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with refused(SourceError, "cannot be written"):
        published(tmp_path / "file", candidate())


@pytest.mark.parametrize("address", ["ftp://x/y", "https://x/y", "file:///x"])
def test_another_kind_of_address_is_refused(address: str) -> None:
    with refused(ConfigError, "wanted a folder, s3://"):
        open_store(address)


def test_a_key_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        open_store("s3://KEY:s3cret@bucket/models")
    assert "s3cret" not in str(caught.value)
    assert "KEY" not in str(caught.value)


def test_an_address_is_said_without_its_options() -> None:
    store = open_store("s3://bucket/models?region=eu-central-1")
    assert isinstance(store, Bucket)
    assert store.label == "s3://bucket/models"
