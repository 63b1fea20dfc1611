"""A bundle checked where there is nothing else: no store, no data, no trust in whoever sent it.

Every hash in it is recomputed, what is derived is made again, and the decision is taken again from
the scores and the policy. Only a signature by a key that the reader holds already says that it is
the bundle it claims to be; without one it is consistent, and that is all.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.bundle.archive import read_archive
from components.bundle.cyclonedx import fault_in
from components.bundle.manifest import NAME, check_manifest
from components.bundle.prov import read_prov
from components.decision import EXIT_INCONCLUSIVE, EXIT_PASS, Decision
from components.lineage.graph import Graph
from components.lineage.record import RunRecord
from components.records.errors import CasegateError, IntegrityError
from pipeline.evidence.answer import Answer, Table
from pipeline.evidence.bundle.check_files import (
    Evidenced,
    check_evidence,
    check_model,
    check_record,
)
from pipeline.evidence.bundle.check_ledger import Chain, check_chain, check_named
from pipeline.evidence.bundle.check_signatures import check_signatures, trusted_keys
from pipeline.evidence.bundle.checked_bundle import AGAIN, FITS, OPEN, Bundle
from pipeline.evidence.bundle.derived import (
    Drawings,
    derived_files,
    graph_from,
    made_with,
    origins_from,
)
from pipeline.evidence.bundle.names import BOM, CACHE, CARD, CARD_HTML, LINEAGE, PROV, READ_ME
from pipeline.evidence.bundle.rejudge import rejudge
from pipeline.evidence.trace.trace import TraceSources

# What Python raises for values of the wrong kind, which hashes alone do not keep out.
_FAULTS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def check(
    path: Path,
    *,
    keys: Sequence[Path] = (),
    holds: str | None = None,
    drawings: Drawings | None = None,
) -> Answer:
    """What holds of a bundle, with exit code 0, or 3 where nobody vouches for it.

    Args:
      keys: files of public keys that the reader trusts; at least one of them has to have signed.
      holds: hash of a ledger entry that was noted elsewhere, or its beginning.
      drawings: as for export; they are drawn again.

    Raises:
      IntegrityError: names the first thing that does not fit.
      ConfigError: there is no such bundle, or a key is none.
    """
    trusted = trusted_keys(keys)
    files = read_archive(path)
    bundle = Bundle(path.name, files, check_manifest(files))
    bundle.note(
        "files", FITS, f"{len(files) - 1} as {NAME} lists them, root {bundle.manifest.root}"
    )
    try:
        record, decision, chain, given = _check_all(bundle, holds)
        _check_derived(bundle, record, decision, chain, drawings or {})
        _rejudge(bundle, decision, chain, given)
        check_signatures(bundle, record, decision, chain, trusted)
    except IntegrityError:
        raise
    except CasegateError as error:  # a policy that cannot be read is a fault of the bundle
        raise IntegrityError(f"{path.name}: {error}") from None
    except _FAULTS as error:  # whoever wrote it did not keep to what casegate writes
        words = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise IntegrityError(f"{path.name}: holds what no run writes: {words}") from None
    return _answer(bundle, record, decision)


def _check_all(
    bundle: Bundle, holds: str | None
) -> tuple[RunRecord, Decision | None, Chain, Evidenced]:
    entries = check_chain(bundle, holds)
    record, decision = check_record(bundle)
    chain = check_named(bundle, entries, record, decision)
    given = check_evidence(bundle, record, decision)
    check_model(bundle, record)
    return record, decision, chain, given


def _check_derived(
    bundle: Bundle,
    record: RunRecord,
    decision: Decision | None,
    chain: Chain,
    drawings: Drawings,
) -> None:
    """PROV and the rest are what they would be, made again from the evidence beside them."""
    graph = Graph((), (), ())
    if LINEAGE in bundle:
        graph = graph_from(bundle.path(LINEAGE).read_bytes(), where=f"{bundle.where}: {LINEAGE}")
        wanted = record.store.lineage_sha256
        bundle.same(f"{LINEAGE}: content", graph.sha256, wanted, "run.json names")
        bundle.note("part of ML Metadata", FITS, f"{len(graph.executions)} executions as recorded")
    read_prov(bundle.path(PROV).read_bytes())
    if fault := fault_in(bundle.path(BOM).read_bytes()):
        raise IntegrityError(f"{bundle.where}: {BOM}: {fault}")
    bundle.note("PROV-JSON and CycloneDX", FITS, "each as its standard wants it")
    known = TraceSources(
        name=bundle.manifest.about.subject,
        record=record,
        graph=graph,
        decision=decision,
        release=chain.release,
        original=chain.original,
        origins=origins_from(bundle.path(CACHE).read_bytes(), where=f"{bundle.where}: {CACHE}"),
    )
    wanted_drawings = {name: draw for name, draw in drawings.items() if name in bundle}
    _compare_derived(bundle, derived_files(known, wanted_drawings))
    told = [name for name in (CARD, CARD_HTML, READ_ME) if name in bundle]
    if told:
        bundle.note(", ".join(told), OPEN, "words for people; the evidence beside them counts")


def _compare_derived(bundle: Bundle, again: Mapping[str, bytes]) -> None:
    """Raises IntegrityError for the first that differs, unless other versions explain it."""
    made = dict(bundle.manifest.about.made_with)
    differ = [name for name, content in again.items() if bundle.path(name).read_bytes() != content]
    if not differ:
        bundle.note("trace, PROV, OpenLineage, bill of materials", AGAIN, "the same bytes")
    elif made == made_with():
        raise IntegrityError(
            f"{bundle.where}: {differ[0]} is not what it would be, made again from the evidence"
        )
    else:
        words = ", ".join(f"{name} {version}" for name, version in sorted(made.items()))
        bundle.leave_open(", ".join(differ), f"made with {words}; other versions are here")


def _rejudge(bundle: Bundle, decision: Decision | None, chain: Chain, given: Evidenced) -> None:
    if decision is None or chain.decided is None:
        bundle.note("decision", OPEN, "the run came to none")
        return
    absent = [
        name for name, it in ((POLICY, given.policy), (CASE_SET, given.case_set)) if it is None
    ]
    if decision.hashes["golden"] is not None and given.golden is None:
        absent.append(GOLDEN)
    if absent:
        bundle.leave_open("decision taken again", f"needs {', '.join(absent)}")
        return
    try:
        found = rejudge(decision, given, chain.entries[: chain.decided.seq - 1])
    except IntegrityError as error:
        raise IntegrityError(f"{bundle.where}: {error}") from None
    words = f"{found.checks} checks judged again: {decision.verdict.value}, every figure the same"
    bundle.note("decision taken again", AGAIN, words)
    for line in found.as_recorded:
        name, _, why = line.partition(": ")
        bundle.note(name, OPEN, f"as recorded: {why}")


def _answer(bundle: Bundle, record: RunRecord, decision: Decision | None) -> Answer:
    about = bundle.manifest.about
    sound = not bundle.undecided
    verdict = "sound and vouched for" if sound else "consistent, and no more than that"
    rows = tuple(bundle.found)
    return Answer(
        question=f"is {bundle.where} what it says it is",
        facts={
            "result": verdict,
            "about": about.subject,
            "run": record.run_id,
            "destination": about.destination,
            "verdict": decision.verdict.value if decision else None,
            "ended": about.at,
        },
        tables=(Table("checks", "What was checked", ("what", "result", "detail"), rows),),
        notes=tuple(bundle.undecided),
        evidence=(
            f"{NAME}, root {bundle.manifest.root}",
            f"ledger entry {about.ledger_entries}, hash {about.ledger_head}: compare it with one "
            "that was noted elsewhere, by --holds",
        ),
        exit_code=EXIT_PASS if sound else EXIT_INCONCLUSIVE,
    )
