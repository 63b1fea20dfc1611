"""A bundle checked where there is nothing else: no store, no data, no trust in whoever sent it.

Every hash in it is recomputed, what is derived is made again, and the decision is taken again from
the scores and the policy. Only a signature by a key that the reader holds already says that it is
the bundle it claims to be; without one it is consistent, and that is all.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.signer import SSlibKey

from components.attestation import statements
from components.attestation.envelope import Signed, verify
from components.attestation.keys import PUBLIC, PublicKey, load_public
from components.attestation.statements import Statement
from components.baselines.names import CASE_SET, GOLDEN, POLICY
from components.bundle.archive import read_archive
from components.bundle.manifest import NAME, check_manifest
from components.bundle.prov import read_prov
from components.decision import EXIT_INCONCLUSIVE, EXIT_PASS, Decision
from components.lineage.graph import Graph
from components.lineage.record import RunRecord
from components.records.errors import CasegateError, IntegrityError, SignatureError
from components.records.ledger.records import Release
from components.records.run_files import DECISION_ATTESTATION, LINEAGE, RELEASE_ATTESTATION
from components.records.text import kind_and_words
from pipeline.evidence.answer import Answer, Table
from pipeline.evidence.bundle.bom import fault_in
from pipeline.evidence.bundle.checked_bundle import (
    AGAIN,
    FITS,
    OPEN,
    SIGNED,
    Bundle,
    BundleEvidence,
    Chain,
    check_chain,
    check_evidence,
    check_exports,
    check_model,
    check_named,
    check_record,
)
from pipeline.evidence.bundle.derived import (
    DRAWINGS,
    derived_files,
    graph_from,
    made_with,
    origins_from,
)
from pipeline.evidence.bundle.names import BOM, CACHE, CARD, CARD_HTML, KEYS, PROV, READ_ME
from pipeline.evidence.bundle.rejudge import rejudge
from pipeline.evidence.subject import judging_files
from pipeline.evidence.trace.trace import TraceSources

# What Python raises for values of the wrong kind, which hashes alone do not keep out.
_FAULTS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def check(path: Path, *, keys: Sequence[Path] = (), holds: str | None = None) -> Answer:
    """What holds of a bundle, with exit code 0, or 3 where nobody vouches for it.

    Args:
      keys: files of public keys that the reader trusts; at least one of them has to have signed.
      holds: hash of a ledger entry that was noted elsewhere, or its beginning.

    Raises:
      IntegrityError: names the first thing that does not fit.
      ConfigError: there is no such bundle, or a key is none.
    """
    trusted = tuple({key.id: key for key in map(load_public, keys)}.values())
    files = read_archive(path)
    bundle = Bundle(path.name, files, check_manifest(files))
    words = f"{len(files) - 1} as {NAME} lists them, root {bundle.manifest.root}"
    bundle.note("files", FITS, words)
    try:
        entries = check_chain(bundle, holds)
        record, decision = check_record(bundle)
        chain = check_named(bundle, entries, record, decision)
        given = check_evidence(bundle, record, decision)
        check_model(bundle, record)
        check_exports(bundle, decision, chain.original)
        _check_derived(bundle, record, decision, chain)
        _rejudge(bundle, decision, chain, given)
        Signatures(bundle, record, trusted).check(decision, chain.original)
    except IntegrityError:
        raise
    except CasegateError as error:  # a policy that cannot be read is a fault of the bundle
        raise IntegrityError(f"{path.name}: {error}") from None
    except _FAULTS as error:  # whoever wrote it did not keep to what casegate writes
        words = kind_and_words(error)[:200]
        raise IntegrityError(f"{path.name}: holds what no run writes: {words}") from None
    return _answer(bundle, record, decision)


def _check_derived(
    bundle: Bundle, record: RunRecord, decision: Decision | None, chain: Chain
) -> None:
    """PROV and the rest are what they would be, made again from the evidence beside them."""
    graph = Graph((), (), ())
    if LINEAGE in bundle:
        graph = graph_from(bundle.files[LINEAGE], where=f"{bundle.where}: {LINEAGE}")
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
    _compare_derived(bundle, derived_files(known))
    texts = [name for name in (CARD, CARD_HTML, READ_ME) if name in bundle]
    if texts:
        bundle.note(", ".join(texts), OPEN, "words for people; the evidence beside them counts")


def _compare_derived(bundle: Bundle, again: Mapping[str, bytes]) -> None:
    """Raises IntegrityError for the first that differs, unless other versions explain it."""
    made = dict(bundle.manifest.about.made_with)
    differ = [
        name
        for name, content in again.items()
        if (name in bundle or name not in DRAWINGS) and bundle.path(name).read_bytes() != content
    ]
    if not differ:
        bundle.note("trace, PROV, OpenLineage, bill of materials", AGAIN, "the same bytes")
    elif made == made_with():
        raise IntegrityError(
            f"{bundle.where}: {differ[0]} is not what it would be, made again from the evidence"
        )
    else:
        words = ", ".join(f"{name} {version}" for name, version in sorted(made.items()))
        bundle.leave_open(", ".join(differ), f"made with {words}; other versions are here")


def _rejudge(
    bundle: Bundle, decision: Decision | None, chain: Chain, given: BundleEvidence
) -> None:
    if decision is None or chain.decided is None:
        bundle.note("decision", OPEN, "the run came to none")
        return
    absent = [POLICY] if given.policy is None else []
    absent += [CASE_SET] if given.case_set is None else []
    absent += [GOLDEN] if given.golden is None and decision.hashes["golden"] is not None else []
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


class Signatures:
    """Who signed what a bundle says, and whether the reader has any reason to believe them.

    The keys inside a bundle show that nothing was changed since somebody signed; who that was, only
    a key from elsewhere can show.
    """

    def __init__(self, bundle: Bundle, record: RunRecord, trusted: Sequence[PublicKey]) -> None:
        self.bundle, self.record = bundle, record
        self.trusted = {key.id for key in trusted}
        inside = (key for key in _keys_inside(bundle) if key.id not in self.trusted)
        self.keys = [*trusted, *inside]

    def check(self, decision: Decision | None, release: Release | None) -> None:
        """Holds both signed statements against the files, and their signers against the keys.

        Raises:
          SignatureError: a statement does not fit, a signature does not, one that was made is
            missing, or none of the trusted keys signed.
        """
        where = self.bundle.where
        if decision is not None:
            self._release(release, self._decision(decision))
        elif self.trusted:
            raise SignatureError(f"{where}: the run came to no decision that one could sign")
        else:
            self.bundle.leave_open("signature of the decision", "the run came to no decision")

    def _decision(self, decision: Decision) -> Signed | None:
        what = "signature of the decision"
        made = self.record.decision.statement_sha256 if self.record.decision else None
        found = self._read(DECISION_ATTESTATION, what, statements.DECISION_TYPE, made)
        if found is None:
            return None
        signed, statement = found
        if made is not None:  # somebody may also have signed after the run
            got = signed.payload_sha256
            self.bundle.same(f"{DECISION_ATTESTATION}: the statement", got, made, "run.json names")
        statements.check_agreement(statement, decision, where=signed.where)
        self._compare(statement, self._subjects(decision), signed.where)
        words = f"names {len(statement.subjects)} subjects by hash, each as it is here"
        self.bundle.note("signed decision", FITS, words)
        self._signers(what, signed)
        return signed

    def _release(self, release: Release | None, decided: Signed | None) -> None:
        bundle, name, what = self.bundle, RELEASE_ATTESTATION, "signature of the release"
        if release is None:
            if name in bundle:
                raise IntegrityError(f"{bundle.where}: {name}: nothing was released")
            return
        made = release.attestation_sha256
        if name in bundle:
            bundle.same(name, bundle.sha256(name), made, f"ledger entry {release.seq} names")
        found = self._read(name, what, statements.RELEASE_TYPE, made)
        if found is None:
            return
        signed, statement = found
        subjects = {statements.MODEL: release.model_sha256, **release.exports}
        self._compare(statement, subjects, signed.where)
        says = statement.predicate
        bundle.same(f"{name}: run_id", says["run_id"], self.record.run_id, "the ledger has")
        for key in ("destination", "version"):
            bundle.same(f"{name}: {key}", says[key], getattr(release, key), "the ledger has")
        if decided is not None:
            got, named = decided.payload_sha256, says["decision_statement_sha256"]
            bundle.same(DECISION_ATTESTATION, got, named, "the signed release rests on")
        files = ", ".join(["the model", *release.exports])
        words = f"names {files}, its destination and the signed decision"
        bundle.note("signed release", FITS, words)
        self._signers(what, signed)

    def _read(
        self, name: str, what: str, kind: str, made: str | None
    ) -> tuple[Signed, Statement] | None:
        """The envelope and its statement, or None; SignatureError where there has to be one."""
        where = f"{self.bundle.where}: {name}"
        if name in self.bundle:
            signed = verify(self.bundle.files[name], self.keys, where=where)
            return signed, statements.from_bytes(signed.payload, kind, where=where)
        if made is not None:
            words = f"statement {made[:12]}... is on record as signed"
            raise SignatureError(f"{where} is missing; {words}")
        if self.trusted:
            raise SignatureError(f"{where} is missing: nobody signed; wanted --key")
        self.bundle.leave_open(what, "nobody signed it")
        return None

    def _signers(self, what: str, signed: Signed) -> None:
        """Says who signed; raises SignatureError where the reader's keys did not."""
        counting = [key.name for key in signed.signers if key.id in self.trusted]
        others = [key.id[:12] for key in signed.signers if key.id not in self.trusted]
        others += [key_id[:12] for key_id in signed.unknown]
        also = f"; also by {', '.join(others)}, which no --key names" if others else ""
        if counting:
            self.bundle.note(what, SIGNED, f"by {', '.join(counting)}{also}")
        elif self.trusted:
            raise SignatureError(
                f"{signed.where}: signed by {', '.join(others) or 'nobody'}, by none of the keys "
                "given with --key"
            )
        elif signed.unknown and not signed.signers:
            self.bundle.leave_open(what, f"by {', '.join(others)}, whose keys are not here")
        else:
            names = ", ".join(key.name for key in signed.signers)
            why = f"fits the keys inside the bundle ({names}), which nobody vouched for; use --key"
            self.bundle.leave_open(what, why)

    def _compare(self, statement: Statement, found: Mapping[str, str | None], where: str) -> None:
        for name in {**statement.subjects, **found}:
            statements.check_digest(name, found.get(name), statement, where=where)

    def _subjects(self, decision: Decision) -> dict[str, str | None]:
        """What the statement should name; what is not in the bundle as the run record has it."""
        files = self.bundle.files
        return {
            statements.MODEL: decision.hashes["candidate"],
            statements.CHAMPION: decision.hashes["champion"],
            statements.ENVIRONMENT: self.record.environment.sha256,
            statements.TRAINING: self.record.inputs.training_root,
            **judging_files(self.record.inputs),
            **{name: self.bundle.sha256(name) for name in statements.SUBJECTS if name in files},
        }


def _keys_inside(bundle: Bundle) -> list[PublicKey]:
    found: dict[str, PublicKey] = {}
    for name in sorted(name for name in bundle.files if name.startswith(KEYS)):
        try:
            key = load_pem_public_key(bundle.files[name])
        except Exception:  # cryptography has several kinds; none of them leaves a key
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise IntegrityError(f"{bundle.where}: {name}: holds no Ed25519 public key")
        called = name.removeprefix(KEYS).removesuffix(PUBLIC)
        public = PublicKey(called, SSlibKey.from_crypto(key))
        found[public.id] = public
    return list(found.values())
