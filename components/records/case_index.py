"""The files of an index of cases, two for each shard: records as lines, figures as columns.

What is measured of a picture stands beside its record and not in it: figures are for statistics
over a run's cases, records for all time.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.records.case import CaseRecord, is_case_row
from components.records.errors import IntegrityError
from components.records.json_lines import parse_object

Figures = tuple[float, ...]  # of one case, in the order of components.cases.traits.FIGURES


def write_records(path: Path, records: Iterable[CaseRecord]) -> None:
    """Writes records as JSON lines while they come."""
    with path.open("wb") as stream:
        stream.writelines(record.line() + b"\n" for record in records)


def read_records(path: Path) -> Iterator[CaseRecord]:
    """The records of a file, one at a time.

    Raises:
      IntegrityError: naming the line that is not a record.
    """
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, 1):
                row = parse_object(line)
                if row is None or not is_case_row(row):
                    names = ", ".join(sorted(CaseRecord.__dataclass_fields__))
                    raise IntegrityError(
                        f"{path}:{number}: not a case record, wanted {names}, each of its type; "
                        "write the index again"
                    )
                yield CaseRecord(**row)
    except OSError as error:
        raise IntegrityError(f"{path}: cannot be read: {error.strerror}") from None


def write_figures(path: Path, figures: Sequence[Figures]) -> None:
    """Writes the figures of a shard's cases, a row for each in the order of the records."""
    with path.open("wb") as stream:  # given a name, NumPy adds a suffix of its own
        np.save(stream, np.asarray(figures, np.float64).reshape(len(figures), -1 if figures else 0))


def read_figures(paths: Iterable[Path]) -> NDArray[np.float64]:
    """The figures of some shards, shape (n_cases, n_figures).

    Raises:
      IntegrityError: a file is missing or damaged.
    """
    shards = []
    for path in paths:
        try:
            shards.append(np.load(path))
        except (OSError, ValueError, EOFError) as error:
            raise IntegrityError(f"{path}: cannot be read ({error}); run again") from None
    return np.concatenate([shard for shard in shards if len(shard)] or [np.zeros((0, 0))])
