"""Several spans as one source of training data, in which no patient is on both sides.

Where spans have splits of their own they are kept, and must agree; elsewhere the patient's id
decides, so that a patient who comes back months later is in the split that they were in before.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from components.cases.span import SPLITS, Span, SpanRow
from components.cases.spans import parse_spans
from components.cases.splits import cut_shards, require_both_classes
from components.records.case import BadCase, Case, Shard
from components.records.errors import SourceError


@dataclass(frozen=True)
class SpanSource:
    """The training and tuning cases of some spans; made by `open_spans`, which checks them.

    Attributes:
      rows: how many each span has of each split, in the order of SPLITS.
    """

    spec: str
    name: str
    spans: tuple[Span, ...]
    rows: tuple[tuple[int, ...], ...]
    synthetic: bool = False

    def fingerprint(self) -> str:
        """SHA-256 over the spans' numbers, names and contents."""
        digest = hashlib.sha256(b"casegate-spans-v1\n")
        for span in self.spans:
            digest.update(bytes.fromhex(span.fingerprint()))
        return digest.hexdigest()

    def shards(self, split: str, *, cases_per_shard: int = 512) -> Sequence[Shard]:
        """Shards of train or tune, in the order of the spans; none of test."""
        return cut_shards(split, sum(self._counts(split)), cases_per_shard)

    def read(self, shard: Shard) -> Iterator[Case | BadCase]:
        first = 0
        for span, count in zip(self.spans, self._counts(shard.split)):
            start, stop = max(shard.start - first, 0), min(shard.stop - first, count)
            if start < stop:
                if len(span.rows()[shard.split]) != count:
                    raise SourceError(f"{span.path}: changed while it was read; run again")
                yield from span.read(shard.split, start, stop)
            first += count

    def _counts(self, split: str) -> list[int]:
        if split not in SPLITS:
            return [0 for _ in self.rows]
        return [counts[SPLITS.index(split)] for counts in self.rows]


def open_spans(spec: str) -> SpanSource:
    """The source of `spans:PATTERN@NUMBERS`.

    Raises:
      SourceError: a span is not there or cannot be used, a case stands twice, a patient is in
        train of one span and in tune of another, or the spans together lack a class.
    """
    chosen, paths = parse_spans(spec)
    spans = tuple(
        Span(number, name, path.resolve())
        for number, name, path in zip(chosen.numbers, chosen.names, paths)
    )
    once = _Once(chosen.spec)
    rows = []
    for span in spans:
        listed = span.rows()
        for split in SPLITS:
            for row in listed[split]:
                once.check(span, split, row)
        rows.append(tuple(len(listed[split]) for split in SPLITS))
    once.require_classes()
    folder = paths[0].parent.resolve().name
    return SpanSource(chosen.spec, folder, spans, tuple(rows))


class _Once:
    """Where each case was seen, and the one split each patient is in."""

    def __init__(self, spec: str) -> None:
        self._spec = spec
        self._seen: dict[str, str] = {}
        self._split_of: dict[str, tuple[str, str]] = {}
        self._labels: dict[str, set[int]] = {split: set() for split in SPLITS}

    def check(self, span: Span, split: str, row: SpanRow) -> None:
        if not row.is_image:
            return
        where = f"{span.name}/{row.path}"
        other = self._seen.setdefault(row.case_id, where)
        if other is not where:
            raise SourceError(
                f"{span.path}: case '{row.case_id}' stands in {where} and in {other}; "
                "wanted it once"
            )
        first, before = self._split_of.setdefault(row.patient_id, (split, span.name))
        if first != split:
            raise SourceError(
                f"{span.path}: patient '{row.patient_id}' in split '{split}', but in '{first}' "
                f"of {before}; wanted one split for a patient: give every span a split or none, "
                "and a patient_id"
            )
        self._labels[split].add(row.label)

    def require_classes(self) -> None:
        for split, labels in self._labels.items():
            require_both_classes(self._spec, split, labels)
