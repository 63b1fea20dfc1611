"""The ledger in a bundle: an unbroken chain that names this run's record, decision and release."""

from dataclasses import dataclass

from components.decision import Decision
from components.lineage.record import RunRecord
from components.records.errors import IntegrityError
from components.records.ledger.entry import FIRST_PREVIOUS, Entry, fault_in, parse_line
from components.records.ledger.records import Release, releases
from pipeline.evidence.bundle.checked_bundle import FITS, Bundle
from pipeline.evidence.bundle.names import LEDGER


@dataclass(frozen=True)
class Chain:
    """Attributes:
    decided: the entry of this run's decision, None where it came to none.
    release: the version that the bundle is about.
    original: the release whose model it serves, which differs for a rollback.
    """

    entries: tuple[Entry, ...]
    decided: Entry | None
    release: Release | None
    original: Release | None


def check_chain(bundle: Bundle, holds: str | None) -> tuple[Entry, ...]:
    """The entries of the extract, every one of which follows from the one before.

    Raises:
      IntegrityError: names the first entry that does not fit, or says that none has `holds`.
    """
    content = bundle.path(LEDGER).read_bytes()
    entries: list[Entry] = []
    before = FIRST_PREVIOUS
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        entry = parse_line(line)
        fault = fault_in(entry, line)
        if entry is not None and fault is None and (entry.seq, entry.previous) != (number, before):
            fault = "it does not follow the one before"
        if entry is None or fault is not None:
            raise IntegrityError(f"{bundle.where}: {LEDGER}:{number}: does not fit: {fault}")
        entries.append(entry)
        before = entry.entry_sha256
    about = bundle.manifest.about
    bundle.same(f"{LEDGER}: the number of entries", len(entries), about.ledger_entries, "stated:")
    bundle.same(f"{LEDGER}: the last entry", before, about.ledger_head, "stated:")
    if not content.endswith(b"\n"):
        raise IntegrityError(f"{bundle.where}: {LEDGER}: ends within a line")
    bundle.note("ledger", FITS, f"{len(entries)} entries, each follows; the last is {before}")
    if holds is not None:
        if len(holds) < 8 or not any(e.entry_sha256.startswith(holds.lower()) for e in entries):
            raise IntegrityError(
                f"{bundle.where}: {LEDGER}: no entry has the hash {holds[:64]} that was noted: it "
                "was written anew, or ends before it"
            )
        bundle.note("noted entry", FITS, f"{holds} is among the entries")
    return tuple(entries)


def check_named(
    bundle: Bundle, entries: tuple[Entry, ...], record: RunRecord, decision: Decision | None
) -> Chain:
    """What the entries say of this run, which is what the files say."""
    closed = [e for e in entries if e.kind == "run" and e.body["run_id"] == record.run_id]
    if not closed:
        raise IntegrityError(f"{bundle.where}: {LEDGER}: no entry closes run {record.run_id}")
    named = closed[-1].body["record_sha256"]
    bundle.same("run.json", record.record_sha256, named, f"ledger entry {closed[-1].seq} names")
    bundle.note("run record", FITS, f"as ledger entry {closed[-1].seq} names it")
    decided = _decided(bundle, entries, record, decision)
    release, original = _released(bundle, entries, record)
    return Chain(entries, decided, release, original)


def _decided(
    bundle: Bundle, entries: tuple[Entry, ...], record: RunRecord, decision: Decision | None
) -> Entry | None:
    mine = [e for e in entries if e.kind == "decision" and e.body["run_id"] == record.run_id]
    if decision is None:
        if mine:
            raise IntegrityError(
                f"{bundle.where}: decision.json is missing; ledger entry {mine[-1].seq} names it"
            )
        return None
    if not mine:
        raise IntegrityError(f"{bundle.where}: {LEDGER}: no entry names decision.json")
    entry, says = mine[-1], f"ledger entry {mine[-1].seq} names"
    bundle.same("decision.json", decision.decision_sha256, entry.body["decision_sha256"], says)
    bundle.same("the verdict", decision.verdict.value, entry.body["verdict"], says)
    bundle.note("decision on record", FITS, f"as ledger entry {entry.seq} names it, at {entry.at}")
    return entry


def _released(
    bundle: Bundle, entries: tuple[Entry, ...], record: RunRecord
) -> tuple[Release | None, Release | None]:
    about = bundle.manifest.about
    all_of_them = releases(entries)
    mine = [r for r in all_of_them if r.run_id == record.run_id]
    for release in mine:
        if record.release is None or release.model_sha256 != record.release.model_sha256:
            raise IntegrityError(
                f"{bundle.where}: ledger entry {release.seq} released version {release.version}, "
                "run.json says otherwise"
            )
    if record.release is not None and not mine:
        raise IntegrityError(f"{bundle.where}: {LEDGER}: no entry names the release of run.json")
    if about.version is None:
        if mine:
            raise IntegrityError(
                f"{bundle.where}: the manifest names no release, ledger entry {mine[-1].seq} does"
            )
        return None, None
    there = (about.destination, about.version)
    found = [r for r in all_of_them if (r.destination, r.version) == there]
    if not found:
        raise IntegrityError(
            f"{bundle.where}: {LEDGER}: no entry put version {about.version} in {about.destination}"
        )
    release = found[-1]
    if release.restored is None:
        bundle.same("run.json", record.run_id, release.run_id, f"entry {release.seq} names run")
    decided = record.decision.decision_sha256 if record.decision else None
    says = f"ledger entry {release.seq} names"
    bundle.same("the release's decision", decided, release.decision_sha256, says)
    bundle.note("release", FITS, f"version {release.version}, ledger entry {release.seq}")
    if release.restored is None:
        return release, release
    return release, next((r for r in mine if r.destination == release.destination), None)
