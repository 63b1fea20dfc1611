"""Whether what a source shows now is exactly what the case set locked."""

from collections.abc import Iterable

from components.baselines.case_set import CaseSet, LockedCase, SeenCase
from components.records.errors import IntegrityError
from components.records.text import first_few


def verify_cases(case_set: CaseSet, seen: Iterable[SeenCase]) -> None:
    """Raises IntegrityError unless `seen` are the locked cases, each once, in any order.

    A case is the same where label, patient and attributes are equal and the file's bytes or the
    decoded pixels are: re-encoding without loss changes the bytes only.
    """
    locked = {case.case_id: case for case in case_set.cases}
    faults: dict[str, list[str]] = {}
    found: set[str] = set()
    for case in seen:
        if fault := _fault(locked.get(case.case_id), case, case.case_id in found):
            faults.setdefault(fault, []).append(case.case_id)
        found.add(case.case_id)
    if missing := locked.keys() - found:
        faults["missing"] = list(missing)
    if faults:
        details = "; ".join(f"{what}: {first_few(faults[what])}" for what in sorted(faults))
        raise IntegrityError(
            f"case set {case_set.name} version {case_set.version}: {details}; wanted exactly the "
            f"{len(locked)} locked cases; restore the data, or amend the case set by name"
        )


def _fault(locked: LockedCase | None, case: SeenCase, again: bool) -> str | None:
    if locked is None:
        return "additional"
    if again:
        return "duplicated"
    if case.label != locked.label:
        return "relabelled"
    if case.patient_id != locked.patient_id:
        return "other patient"
    if dict(case.attributes) != dict(locked.attributes):
        return "other attributes"
    if case.bytes_sha256 != locked.bytes_sha256 and case.pixels_sha256 != locked.pixels_sha256:
        return "altered pixels"
    return None
