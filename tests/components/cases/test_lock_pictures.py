"""Pictures for a report: those that are asked for, and no reading beyond the last of them."""

from pathlib import Path

import pytest

from components.cases.lock import read_pictures
from components.cases.sources import open_source
from components.phantom.source import PhantomSource


def test_the_named_images_are_those_of_the_source() -> None:
    source = open_source("phantom")
    shard = source.shards("test")[0]
    images = {case.case_id: case.image for case in list(source.read(shard))[:3]}
    wanted = sorted(images)[1:]
    assert read_pictures(source, [*wanted, "no-such-case"][:2]) == {i: images[i] for i in wanted}


def test_reading_stops_at_the_last_wanted_case(monkeypatch: pytest.MonkeyPatch) -> None:
    source = PhantomSource.parse("phantom")
    read: list[int] = []
    whole = PhantomSource.read

    def counted(self: PhantomSource, shard: object) -> object:
        read.append(shard.start)  # type: ignore[attr-defined]
        return whole(self, shard)  # type: ignore[arg-type]

    monkeypatch.setattr(PhantomSource, "read", counted)
    assert list(read_pictures(source, ["phantom-case-000001"])) == ["phantom-case-000001"]
    assert read == [0]
    assert read_pictures(source, []) == {} and read == [0]


def test_an_image_that_cannot_be_used_is_left_out(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("NORMAL", "PNEUMONIA"):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            image = read_pictures(open_source("phantom"), ["phantom-case-000001"])
            for i in range(12):
                (folder / f"{name}-{split}-{i}.png").write_bytes(image["phantom-case-000001"])
    (tmp_path / "test" / "NORMAL" / "NORMAL-test-0.png").write_bytes(b"not an image")
    source = open_source(str(tmp_path))
    ids = [case.case_id for s in source.shards("test") for case in source.read(s)
           if hasattr(case, "case_id")]  # fmt: skip
    assert read_pictures(source, ids).keys() == set(ids)
