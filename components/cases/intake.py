"""What was written, against what was promised: the checks over a finished intake of cases."""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.baselines.case_set import CaseSet, SeenCase, verify_cases
from components.cases.index import (
    CaseRecord,
    Leak,
    check_index,
    count_values,
    find_leakage,
    read_records,
)
from components.records.case import Shard
from components.records.errors import IntegrityError, LeakageFound, NothingEvaluated, SourceError

NAMED = 5


@dataclass(frozen=True)
class Intake:
    """A folder with `<split>-<shard>.jsonl` and `.bad` for every shard that was written.

    Attributes:
      shards: what was to be written.
      skip_bad_cases: how many unusable cases are tolerated.
    """

    folder: Path
    shards: tuple[Shard, ...]
    skip_bad_cases: int

    def records(self, split: str = "*") -> Iterator[CaseRecord]:
        """The written cases of a split (or all), streamed shard by shard."""
        for path in sorted(self.folder.glob(f"{split}-*.jsonl")):
            yield from read_records(path)

    def skipped(self) -> list[str]:
        """The unusable cases, "where: reason" each.

        Raises:
          IntegrityError: a shard is missing.
          SourceError: more unusable cases than are tolerated.
        """
        paths = sorted(self.folder.glob("*.bad"))
        written = {path.stem for path in self.folder.glob("*.jsonl")}
        if len(paths) != len(self.shards) or written != {path.stem for path in paths}:
            raise IntegrityError(
                f"{self.folder}: got {len(written)} shards, wanted {len(self.shards)}; run again"
            )
        found = []
        for path in paths:
            for line in path.read_text(encoding="utf-8").splitlines():
                where, reason = json.loads(line)
                found.append(f"{where}: {reason}")
        if len(found) > self.skip_bad_cases:
            more = f" (and {len(found) - NAMED} more)" if len(found) > NAMED else ""
            raise SourceError(
                f"{'; '.join(found[:NAMED])}{more}: {len(found)} unusable, "
                f"{self.skip_bad_cases} tolerated; mend them or pass --skip-bad-cases {len(found)}"
            )
        return found


def check_case_set(intake: Intake, lock: CaseSet) -> dict[str, Any]:
    """Counts, after making sure that the cases read are exactly the locked ones.

    Raises:
      IntegrityError: a case is missing, additional, relabelled or altered.
    """
    try:
        intake.skipped()
    except SourceError as error:
        raise IntegrityError(f"case set {lock.name}: {error}") from None
    verify_cases(lock, (SeenCase(**dataclasses.asdict(record)) for record in intake.records()))
    if not lock.cases:
        raise NothingEvaluated(f"case set {lock.name}: holds no case; lock one that does")
    return {"cases": len(lock.cases), "findings": []}


def check_training(intake: Intake, lock: CaseSet, *, leakage: str) -> dict[str, Any]:
    """Counts per split, and the findings a report must carry.

    Args:
      leakage: "stop" raises on a case-set case in the training data, "report" lists it.

    Raises:
      SourceError: too many unusable cases, duplicate ids, a split without both classes, or a
        patient in two splits.
      LeakageFound: as above.
    """
    skipped = intake.skipped()
    counts = check_index({split: intake.records(split) for split in ("train", "tune")})
    locked = [
        CaseRecord(
            case.case_id,
            case.patient_id,
            case.label,
            case.bytes_sha256,
            case.pixels_sha256,
            case.attributes,
        )
        for case in lock.cases
    ]
    leaks = find_leakage(intake.records(), locked)
    if leaks and leakage == "stop":
        raise LeakageFound(
            f"{_leaks_in_words(leaks)}; remove them from the training data, or set "
            "`leakage: report` in the policy if this published set is known to leak"
        )
    findings = [f"skipped {case}" for case in skipped]
    rows = sum(shard.stop - shard.start for shard in intake.shards)
    left_out = rows - len(skipped) - sum(count.cases for count in counts.values())
    if left_out:
        findings.append(f"{left_out} training cases left out: the same patient stands in tune")
    if leaks:
        findings.append(_leaks_in_words(leaks))
    repeated = {split: count.repeated for split, count in counts.items() if count.repeated}
    findings += [f"{n} pictures stand more than once in {split}" for split, n in repeated.items()]
    return {
        **{split: dataclasses.asdict(count) for split, count in counts.items()},
        "trained_on": count_values(
            intake.records("train"), (case.attributes for case in lock.cases)
        ),
        "leaks": [dataclasses.asdict(leak) for leak in leaks],
        "findings": findings,
    }


def _leaks_in_words(leaks: list[Leak]) -> str:
    named = ", ".join(
        f"{leak.case_id} ({leak.why} as {leak.training_case_id})" for leak in leaks[:NAMED]
    )
    more = f" and {len(leaks) - NAMED} more" if len(leaks) > NAMED else ""
    return f"{len(leaks)} case-set cases stand in the training data: {named}{more}"
