from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from components.cases import npz
from components.cases.npz import NpyMember, describe_member, iterate_rows
from components.records.errors import SourceError
from tests.components.cases.making import picture

Save = Callable[..., Any]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("start", [[0, 7, 14, 21], [14, 0, 0, 7]])
def test_rows_are_those_of_the_array_in_any_order(
    tmp_path: Path, save: Save, start: list[int]
) -> None:
    array = picture(1, (25, 6, 5), 65536)
    save(tmp_path / "a.npz", before=np.zeros(3), array=array, after=np.ones(3))
    member = describe_member(tmp_path / "a.npz", "array")
    assert (member.shape, member.dtype) == (array.shape, array.dtype)
    for first in start:
        rows = list(iterate_rows(member, first, first + 7))
        assert (np.array(rows) == array[first : first + 7]).all()


def test_shards_in_order_inflate_the_file_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "a.npz", array=picture(1, (20, 6, 5)))
    member = describe_member(tmp_path / "a.npz", "array")
    opened: list[NpyMember] = []
    original = npz._open_array

    def counting(member: NpyMember) -> IO[bytes]:
        opened.append(member)
        return original(member)

    monkeypatch.setattr(npz, "_open_array", counting)
    for first in range(0, 20, 5):
        assert len(list(iterate_rows(member, first, first + 5))) == 5
    assert len(opened) == 1


def test_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", array=np.array([{}, {}], dtype=object))
    with pytest.raises(SourceError, match="not a plain array"):
        describe_member(tmp_path / "a.npz", "array")


def test_array_stored_by_columns_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", array=np.asfortranarray(picture(1, (4, 6, 5))))
    with pytest.raises(SourceError, match="ascontiguousarray"):
        describe_member(tmp_path / "a.npz", "array")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_file_is_refused(tmp_path: Path, save: Save) -> None:
    path = tmp_path / "a.npz"
    save(path, array=picture(1, (200, 16, 16)))
    member = describe_member(path, "array")
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(SourceError, match="damaged"):
        list(iterate_rows(member, 0, 200))
    with pytest.raises(SourceError, match="damaged"):
        describe_member(path, "array")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_flipped_byte_of_an_array_is_noticed(tmp_path: Path, save: Save) -> None:
    path = tmp_path / "a.npz"
    save(path, array=picture(1, (200, 16, 16)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(SourceError, match="damaged"):
        list(iterate_rows(describe_member(path, "array"), 0, 200))


def test_missing_array_is_refused_with_what_is_there(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros(3))
    with pytest.raises(SourceError, match=r"no array 'array'; found \['images'\]"):
        describe_member(tmp_path / "a.npz", "array")
