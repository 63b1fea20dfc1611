"""Scores out of a Parquet file, from Arrow's buffers as they lie in memory.

Every conversion that pyarrow offers imports pandas, which takes longer than the whole gate. The
buffers' layout is Arrow's published format: a bitmap of which values are there, then the values or,
of text, where each one ends, and the bytes.
"""

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.baselines.score_table import LABELS, ScoreTable, ignored_of, one_point, places_of
from components.records.errors import SourceError

INTEGERS = {f"{u}int{8 * size}": f"<{u or 'i'}{size}" for u in ("", "u") for size in (1, 2, 4, 8)}
NUMBERS = {"double": "<f8", "float": "<f4", "halffloat": "<f2", **INTEGERS}
ENDS = {"string": "<i4", "large_string": "<i8"}

Chunk = Any  # a pyarrow.Array; its package has no types


def read_parquet(path: Path) -> ScoreTable:
    """The table in a Parquet file.

    Raises:
      SourceError: unreadable, a column is missing or of another type, or a value is none.
    """
    import pyarrow  # type: ignore[import-untyped]
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
        names = file.schema_arrow.names
        places = places_of(names, path)
        table = file.read(columns=list(places)).combine_chunks()
    except pyarrow.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{path}: not a Parquet file that can be read: {reason}") from None
    chunks = {name: table[name].chunks for name in places}
    points = _joined((_numbers(chunk, path) for chunk in chunks.get("operating_point", ())), float)
    stated = [repr(point) for point in np.unique(points).tolist()]
    return ScoreTable(
        case_ids=[name for chunk in chunks["case_id"] for name in _ids(chunk, path)],
        scores=_joined((_numbers(chunk, path) for chunk in chunks["score"]), np.float64),
        labels=_joined((_labels(chunk, path) for chunk in chunks["label"]), np.int8)
        if "label" in chunks
        else None,
        operating_point=one_point(stated, path) if stated else None,
        ignored=ignored_of(names),
    )


def _joined(pieces: Iterable[NDArray], kind: type) -> NDArray:
    return np.concatenate([np.zeros(0, kind), *pieces])


def _numbers(chunk: Chunk, path: Path) -> NDArray[np.float64]:
    """The values as float64; NaN where there is none."""
    kind = str(chunk.type)
    if kind == "null":
        return np.full(len(chunk), np.nan)
    if kind not in NUMBERS:
        raise SourceError(f"{path}: got a column of {kind} for the scores, wanted numbers")
    values = _values(chunk, 1, NUMBERS[kind]).astype(np.float64)
    values[~_there(chunk)] = np.nan
    return values


def _ids(chunk: Chunk, path: Path) -> list[str]:
    if chunk.null_count:
        row = int(np.argmin(_there(chunk))) + 1
        raise SourceError(f"{path}: row {row}: got no case_id")
    kind = str(chunk.type)
    if kind in INTEGERS:
        return [str(number) for number in _values(chunk, 1, INTEGERS[kind]).tolist()]
    return _texts(chunk, path, "case_id")


def _labels(chunk: Chunk, path: Path) -> NDArray[np.int8]:
    kind = str(chunk.type)
    known = _there(chunk)
    if kind == "bool":
        labels = _bits(chunk, 1).astype(np.int8)
    elif kind in NUMBERS:
        numbers = _values(chunk, 1, NUMBERS[kind])
        labels = (numbers == 1).astype(np.int8)
        known = known & ((numbers == 0) | (numbers == 1))
    else:
        texts = _texts(chunk, path, "label")
        labels = np.array([LABELS.get(text.strip().lower(), -1) for text in texts], np.int8)
        known = known & (labels >= 0)
    if not known.all():
        raise SourceError(f"{path}: row {int(np.argmin(known)) + 1}: label: wanted 0 or 1")
    return labels


def _texts(chunk: Chunk, path: Path, column: str) -> list[str]:
    """The texts; an empty one where there is none."""
    kind = str(chunk.type)
    if kind.startswith("dictionary"):
        words = _texts(chunk.dictionary, path, column)
        places = _values(chunk.indices, 1, NUMBERS[str(chunk.indices.type)])
        there = _there(chunk.indices)
        return [words[i] if is_there else "" for i, is_there in zip(places, there)]
    if kind not in ENDS:
        raise SourceError(f"{path}: column '{column}': got {kind}, wanted text")
    buffers = chunk.buffers()
    if buffers[1] is None:
        return []
    ends = np.frombuffer(buffers[1], ENDS[kind])[chunk.offset :][: len(chunk) + 1].tolist()
    content = bytes(buffers[2]) if buffers[2] is not None else b""
    if content.isascii():  # then a place among bytes is one among letters
        text = content.decode()
        return [text[start:end] for start, end in pairwise(ends)]
    try:
        return [content[start:end].decode() for start, end in pairwise(ends)]
    except UnicodeDecodeError:
        raise SourceError(f"{path}: column '{column}': not UTF-8 text") from None


def _values(chunk: Chunk, place: int, kind: str) -> NDArray:
    buffer = chunk.buffers()[place]
    if buffer is None:
        return np.zeros(0, kind)
    return np.frombuffer(buffer, kind)[chunk.offset :][: len(chunk)]


def _bits(chunk: Chunk, place: int) -> NDArray[np.bool_]:
    bits = np.unpackbits(np.frombuffer(chunk.buffers()[place], np.uint8), bitorder="little")
    return bits[chunk.offset :][: len(chunk)].astype(np.bool_)


def _there(chunk: Chunk) -> NDArray[np.bool_]:
    """Where a value is, shape (n_rows,)."""
    if not chunk.null_count:
        return np.ones(len(chunk), np.bool_)
    return _bits(chunk, 0)
