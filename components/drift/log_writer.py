"""Writes a prediction log beside a server: no answer waits for it, and it cannot fill the disk.

Lines go to `NAME-TIME.jsonl`; a full file is packed to `.jsonl.gz`, and the oldest are removed
where all of them together grow too large. Whoever reads the folder meanwhile (`log_files`) sees
whole lines. Several writers may share a folder, each under a name of its own.
"""

import errno
import gzip
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Full, Queue
from typing import IO, Any

from components.drift.log import prediction_line
from components.drift.log_files import PACKED, PLAIN
from components.records.clock import time_id
from components.records.errors import ConfigError, SourceError
from components.records.files import writing_to

WAITING = 10_000  # lines
BEHIND = 16  # lines that wait, from which on `further` is not even kept: it may hold a picture
SHARE = 0.1  # of the writer's time that `further` may take, so that it slows no answer down
AT_ONCE = 1_000  # lines in one write
MEBIBYTE = 1 << 20
Further = Callable[[], Mapping[str, Any]]


class PredictionLog:
    """A folder of logs with one writer, which is a thread of its own; any thread may `put`.

    Args:
      folder: made where it is missing.
      name: begins the names of the files, such as `serve`.
      file_bytes: of a file, before which a new one is begun.
      total_bytes: of all files of this name, packed or not; the oldest are removed above it.

    Attributes:
      written, lost: lines; lost, because they came too fast, or none could be written.

    Raises:
      ConfigError: the folder cannot be made or written to.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        file_bytes: int = 64 * MEBIBYTE,
        total_bytes: int = 1024 * MEBIBYTE,
    ) -> None:
        self.folder, self._name = folder, name
        self._file_bytes, self._total_bytes = file_bytes, total_bytes
        self.written = self.lost = 0
        self._rested = 0.0
        self._queue: Queue[tuple[dict[str, Any], Further | None] | None] = Queue(WAITING)
        with writing_to(folder, "; choose another folder for the prediction log", kind=ConfigError):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self._begin()
        self._tidy()
        self._thread = threading.Thread(target=self._work, name="prediction-log", daemon=True)
        self._thread.start()

    def put(self, case_id: str, *, further: Further | None = None, **known: Any) -> bool:
        """Takes a line to be written; returns at once, in well under a millisecond.

        Args:
          known: by the keys of schemas/prediction.json: `at` and `score`, and the model's hash or
            version; None is left out.
          further: gives more of them and takes its time, such as `quality`; the writer's thread
            calls it, or leaves it out: where it fails, and where lines come so fast that it would
            take more than SHARE of the time.

        Returns:
          Whether it was taken; else it is counted as lost.
        """
        try:
            kept = further if self._queue.qsize() < BEHIND else None
            self._queue.put_nowait(({"case_id": case_id, **known}, kept))
        except Full:
            self.lost += 1
            return False
        return True

    def close(self) -> None:
        """Returns when all that was taken is written; after it nothing may be `put`."""
        self._queue.put(None)
        self._thread.join()
        self._file.close()

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            lines = [self._line(*item)]
            while not self._queue.empty() and len(lines) < AT_ONCE:
                if (item := self._queue.get()) is None:
                    self._queue.put(None)  # the outer loop's
                    break
                lines.append(self._line(*item))
            self._write([line for line in lines if line])

    def _line(self, known: dict[str, Any], further: Further | None) -> bytes | None:
        start = time.monotonic()
        try:
            if further is not None and start >= self._rested:
                known |= further()
                self._rested = start + (time.monotonic() - start) / SHARE
        except Exception as error:  # whatever: the line says what is known
            logging.getLogger(__name__).info("prediction log: no further facts: %s", error)
        try:
            return prediction_line(known.pop("case_id"), **known)
        except (SourceError, TypeError) as error:
            self._lose(1, error)
            return None

    def _write(self, lines: list[bytes]) -> None:
        content = b"".join(lines)
        try:
            if (before := self._file.tell()) + len(content) > self._file_bytes and before:
                self._turn()
                before = 0
            if self._file.write(content) < len(content):
                self._file.truncate(before)  # no part of a line stays
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.written += len(lines)
        except OSError as error:
            self._lose(len(lines), error)

    def _lose(self, lines: int, error: Exception) -> None:
        self.lost += lines
        logging.getLogger(__name__).error("prediction log: %d lines lost: %s", lines, error)

    def _begin(self) -> IO[bytes]:
        name = f"{self._name}-{time_id()}-{os.getpid()}{PLAIN}"
        return (self.folder / name).open("ab", buffering=0)

    def _turn(self) -> None:
        """Begins a new file, packs the full one, and removes the oldest."""
        full, self._file = self._file, self._begin()
        full.close()
        plain = Path(full.name)
        packed = plain.with_suffix(PACKED)
        with plain.open("rb") as whole, gzip.open(packed, "wb", compresslevel=5) as stream:
            shutil.copyfileobj(whole, stream, MEBIBYTE)
        plain.unlink()  # only now: readers leave a packed file out while the other is there
        self._tidy()

    def _tidy(self) -> None:
        """Removes the oldest files of this name, so that another full one has room."""
        files = sorted(self.folder.glob(f"{self._name}-*{PLAIN}*"))
        sizes = [path.stat().st_size for path in files]
        for path, size in zip(files[:-1], sizes):
            if sum(sizes) + self._file_bytes <= self._total_bytes:
                break
            path.unlink(missing_ok=True)
            sizes.remove(size)
