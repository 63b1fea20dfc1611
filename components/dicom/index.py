"""The files of a folder, and what they say of themselves, kept from one run to the next.

To parse a hundred thousand headers takes minutes, to look at as many names, sizes and times a
second. What is kept holds no patient's name: of a path its keyed hash, of a header `FileFacts`.
"""

import dataclasses
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import orjson

from components.dicom.admission import Admission
from components.dicom.facts import FileFacts, facts_of, parse_dataset
from components.dicom.files import Found
from components.dicom.pseudonyms import DIGITS, Pseudonyms
from components.records.errors import SourceError
from components.records.files import sha256_file, sha256_json

In = TypeVar("In")
Out = TypeVar("Out")
NOT_DICOM = "not DICOM"
_AT_ONCE = 1000  # lines that are written together


def read_ahead(
    function: Callable[[In], Out], items: Iterable[In], *, threads: int | None = None
) -> Iterator[Out]:
    """As `map`, in order, by a thread for each core; a few results wait at most."""
    threads = threads or os.cpu_count() or 1
    waiting: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class FactsIndex:
    """What is kept of the files of a folder, in a file of JSON lines that only grows.

    Args:
      admission: decides, with the code of this room, which of them hold still.
      cache: folder of what can be made again.
    """

    def __init__(
        self, root: Path, admission: Admission, pseudonyms: Pseudonyms, cache: Path
    ) -> None:
        self._root, self._admission, self._pseudonyms = root, admission, pseudonyms
        code = [sha256_file(path) for path in sorted(Path(__file__).parent.glob("*.py"))]
        words = [sorted(admission.words), *admission.attributes]
        name = sha256_json([str(root), pseudonyms.id, code, words])[:DIGITS]
        self._path = cache / "dicom" / f"{name}.jsonl"
        self._news: list[bytes] = []

    def facts(self, files: Sequence[Found]) -> Iterator[tuple[Found, FileFacts]]:
        """Each file with what it says of itself; only what is new or changed is opened."""
        kept = self._kept("facts")
        try:
            for file in files:
                if line := kept.get(self._key(file)):
                    yield file, FileFacts(**orjson.loads(line)[2])
                    continue
                facts = self._read(file)
                if not facts.fault:  # what it lacks may be there tomorrow
                    self._keep(file, "facts", dataclasses.asdict(facts))
                yield file, facts
        finally:
            self._write()

    def sums(self, files: Sequence[Found]) -> list[str]:
        """SHA-256 (hex) of each file's bytes; where times are trusted, as it was read before.

        Raises:
          SourceError: a file cannot be read.
        """
        kept = self._kept("sha256")
        trusted = self._admission.unchanged == "times"

        def sum_of(file: Found) -> str:
            known = kept.get(self._key(file)) if trusted else None
            return orjson.loads(known)[2] if known else sha256_file(self._root / file.path)

        try:
            found = list(read_ahead(sum_of, files))
        except OSError as error:
            raise SourceError(f"{self._root}: a file cannot be read: {error.strerror}") from None
        for file, sha256 in zip(files, found, strict=True):
            if sha256.encode() not in kept.get(self._key(file), b""):
                self._keep(file, "sha256", sha256)
        self._write()
        return found

    def _read(self, file: Found) -> FileFacts:
        own_id = self._pseudonyms.of("file", file.path)
        try:
            with (self._root / file.path).open("rb") as stream:
                dataset = parse_dataset(stream, pixels=False)
            if dataset is None:
                return FileFacts(own_id, other=NOT_DICOM)
            facts = facts_of(dataset, self._pseudonyms, self._admission)
        except OSError as error:
            return FileFacts(own_id, fault=f"cannot be read: {error.strerror}")
        except SourceError as error:
            return FileFacts(own_id, fault=str(error))
        return facts if facts.case_id else dataclasses.replace(facts, case_id=own_id)

    def _key(self, file: Found) -> str:
        return self._pseudonyms.of("file", f"{file.path}\0{file.size}\0{file.changed_ns}")

    def _keep(self, file: Found, what: str, value: Any) -> None:
        self._news.append(orjson.dumps([self._key(file), what, value]) + b"\n")
        if len(self._news) >= _AT_ONCE:
            self._write()

    def _kept(self, what: str) -> dict[str, bytes]:
        """The newest line of each file; one that a killed process left unfinished is none.

        As it stands, because parsed lines of many files take much memory.
        """
        found: dict[str, bytes] = {}
        with suppress(OSError), self._path.open("rb") as stream:
            for line in stream:
                with suppress(ValueError):
                    key, kind, _ = orjson.loads(line)
                    if kind == what:
                        found[key] = line
        return found

    def _write(self) -> None:
        """Adds what is new; a cache that cannot be written to costs time and nothing else."""
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._path.open("ab") as stream:
                stream.writelines(self._news)
        self._news = []
