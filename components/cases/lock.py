"""Between a source and its lock: what is locked, what the lock says of a case, what has changed."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from components.baselines.case_set import CaseSet, lock_cases, nearest, save_case_set, verify_cases
from components.cases.images import pixels_sha256
from components.cases.index import record_case
from components.cases.reading import PLAIN, Reading
from components.cases.repeats import refuse_repeats
from components.records.case import CASES_PER_SHARD, BadCase, Case, ReadAs, Shard, Source
from components.records.clock import current_time
from components.records.errors import IntegrityError, SourceError
from components.records.text import spell

NAMED = 3  # unusable cases that an error spells out


def lock_source(
    source: Source, path: Path, *, author: str, reason: str, reading: Reading = PLAIN
) -> CaseSet:
    """Writes version 1 of the case set at `path`.

    Args:
      reading: what the source was opened with; whoever opens it again finds it in the lock.

    Raises:
      IntegrityError: a case set is locked there already.
      SourceError: a case cannot be used, contradicts another of the same picture, or too many are
        copies; a case set has no place for them.
    """
    if path.exists():
        raise IntegrityError(f"{path}: a case set is locked here already; amend it instead")
    records = [record_case(case) for case in usable_cases(source)]
    refuse_repeats(records, where=source.spec)
    case_set = lock_cases(
        records,
        name=source.name,
        author=author,
        reason=reason,
        date=current_time().date().isoformat(),
        source=_bare(source.spec),
        reading=reading.of_case_set().changed,
    )
    save_case_set(case_set, path)
    return case_set


def _bare(spec: str) -> str:
    """What was locked, not where it lay on one machine."""
    return spec if spec.startswith("./") or "://" in spec else Path(spec).name


@dataclass(frozen=True)
class GovernedSource:
    """A source whose test split is what a lock made of it.

    Amendments change the lock and not the data: retired cases are left out here, and relabelled
    ones have the label of the lock. Everything else is handed on as it is, to be verified.
    """

    source: Source
    spec: str
    name: str
    synthetic: bool
    retired: frozenset[str]
    labels: dict[str, int]

    @property
    def read_as(self) -> ReadAs:
        return self.source.read_as

    def fingerprint(self) -> str:
        """The source's own."""
        return self.source.fingerprint()

    def shards(self, split: str, *, cases_per_shard: int = 512) -> Sequence[Shard]:
        return self.source.shards(split, cases_per_shard=cases_per_shard)

    def read(self, shard: Shard) -> Iterator[Case | BadCase]:
        for case in self.source.read(shard):
            if isinstance(case, BadCase) or shard.split != "test":
                yield case
            elif case.case_id not in self.retired:
                yield replace(case, label=self.labels.get(case.case_id, case.label))


def apply_lock(source: Source, lock: CaseSet) -> Source:
    """The source as `lock` governs it; itself where no amendment ever touched it."""
    if not lock.retired and not lock.relabelled:
        return source
    relabelled = frozenset(lock.relabelled)
    labels = {case.case_id: case.label for case in lock.cases if case.case_id in relabelled}
    return GovernedSource(
        source, source.spec, source.name, source.synthetic, frozenset(lock.retired), labels
    )


def verify_source(source: Source, lock: CaseSet) -> None:
    """Reads every image of the test split again and compares it with the lock.

    Raises:
      IntegrityError: a case is missing, additional, altered or cannot be used; names the first.
    """
    bad: list[BadCase] = []
    fault = ""
    try:
        cases = usable_cases(apply_lock(source, lock), bad)
        verify_cases(lock, (record_case(case, pixels_sha256(case.image)) for case in cases))
    except IntegrityError as error:
        fault = f"; {error}"
    if bad:
        named = "; ".join(f"{case.where}: {case.reason}" for case in bad[:NAMED])
        more = f" and {len(bad) - NAMED} more" if len(bad) > NAMED else ""
        fault = f"; cannot be used: {named}{more}{fault}"
    if fault:
        raise IntegrityError(f"{source.spec}: not as locked{fault}")


def find_cases(source: Source, ids: Sequence[str]) -> dict[str, Case]:
    """These cases of the test split, by id.

    Raises:
      SourceError: one is not there, or cannot be used.
    """
    wanted = set(ids)
    bad: list[BadCase] = []
    known: list[str] = []
    found: dict[str, Case] = {}
    for case in usable_cases(source, bad):
        known.append(case.case_id)
        if case.case_id in wanted:
            found[case.case_id] = case
    for case_id in ids:
        if case_id not in found:
            unusable = f"; {bad[0].where}: {bad[0].reason}" if bad else ""
            raise SourceError(
                f"{source.spec}: no test case '{spell(case_id)}'{nearest(case_id, known)}{unusable}"
            )
    return found


def usable_cases(source: Source, bad: list[BadCase] | None = None) -> Iterator[Case]:
    """The cases of the test split; those that cannot be used go to `bad`, or are an error."""
    for shard in source.shards("test"):
        for case in source.read(shard):
            if isinstance(case, Case):
                yield case
            elif bad is None:
                raise SourceError(f"{case.where}: {case.reason}; remove it before locking")
            else:
                bad.append(case)


def picture_at(source: Source, splits: Sequence[str], where: tuple[str, int, str]) -> bytes | None:
    """The encoded image of a case, from where its record stands; None where it cannot be read.

    Args:
      splits: those that the index was written of, in order.
      where: name of the records' file without suffix, line from 0, case id.
    """
    name, line, case_id = where
    cut = (source.shards(split, cases_per_shard=CASES_PER_SHARD) for split in splits)
    shard = list(chain(*cut))[int(name.rpartition("-")[2])]
    try:
        # No case stands in a later line than row: unusable ones have a row and no line.
        for case in source.read(replace(shard, start=shard.start + line)):
            if isinstance(case, Case) and case.case_id == case_id:
                return case.image
    except SourceError:
        pass
    return None


def read_pictures(source: Source, case_ids: Collection[str]) -> dict[str, bytes]:
    """The encoded image of each of these cases of the test split that the source has.

    Streams the split, and stops at the last one that is wanted.
    """
    wanted = set(case_ids)
    found: dict[str, bytes] = {}
    for case in usable_cases(source, bad=[]) if wanted else ():
        if case.case_id in wanted:
            found[case.case_id] = case.image
            if len(found) == len(wanted):
                break
    return found
