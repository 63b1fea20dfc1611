"""Only a key from elsewhere vouches for a bundle; what was signed for another does not fit."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from components.attestation.keys import PUBLIC, Signer, new_key
from components.bundle.archive import read_archive
from components.decision import Decision
from components.records.errors import ConfigError, IntegrityError, SignatureError
from pipeline.evidence.answer import Answer
from pipeline.evidence.bundle.check import check
from tests.pipeline.evidence.bundling import bundled, rechained, resealed
from tests.pipeline.evidence.releasing import ReleasedRun, public_pem, released
from tests.refusing import refused

DECISION, RELEASE = "decision.dsse.json", "release.dsse.json"


@dataclass(frozen=True)
class Signing:
    root: Path
    lang: Signer
    other: Signer

    def key(self, signer: Signer) -> Path:
        path = self.root / f"{signer.name}{PUBLIC}"
        path.write_bytes(public_pem(signer))
        return path


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Signing:
    root = tmp_path_factory.mktemp("keys")
    signers = [new_key(root / "private", name)[2] for name in ("Dr. Lang", "Mallory")]
    return Signing(root, *signers)


@pytest.fixture(scope="module")
def run(people: Signing, tmp_path_factory: pytest.TempPathFactory) -> ReleasedRun:
    return released(tmp_path_factory.mktemp("signed"), signers=(people.lang,))


@pytest.fixture
def bundle(run: ReleasedRun, tmp_path: Path) -> Path:
    return bundled(run, tmp_path / "b.zip")


def checked(path: Path, *keys: Path) -> Answer:
    return check(path, keys=keys)


def result(answer: Answer, what: str) -> tuple[str, str]:
    return next((str(r), str(d)) for name, r, d in answer.tables[0].rows if name == what)


def test_a_bundle_signed_by_a_key_that_the_reader_holds_is_vouched_for(
    bundle: Path, people: Signing
) -> None:
    answer = checked(bundle, people.key(people.lang))
    assert answer.exit_code == 0
    assert answer.facts["result"] == "sound and vouched for"
    assert result(answer, "signature of the decision") == ("verified", "by Dr. Lang")
    assert result(answer, "signature of the release") == ("verified", "by Dr. Lang")


def test_the_keys_inside_a_bundle_vouch_for_nothing(bundle: Path) -> None:
    answer = checked(bundle)
    assert answer.exit_code == 3
    assert "which nobody vouched for; use --key" in answer.notes[0]


def test_a_signer_whose_key_is_nowhere_is_named_by_its_id(bundle: Path, people: Signing) -> None:
    answer = checked(resealed(bundle, {"keys/Dr._Lang.pub.pem": None}))
    assert answer.exit_code == 3
    assert people.lang.id[:12] in answer.notes[0]


def test_other_keys_than_the_signers_refuse_it(bundle: Path, people: Signing) -> None:
    with refused(SignatureError, "--key"):
        checked(bundle, people.key(people.other))


def test_signatures_that_were_taken_out_are_missed(bundle: Path) -> None:
    with refused(SignatureError, f"{DECISION} is missing"):
        checked(resealed(bundle, {DECISION: None}))
    with refused(SignatureError, f"{RELEASE} is missing"):
        checked(resealed(bundle, {RELEASE: None}))


def test_an_unsigned_bundle_does_not_satisfy_a_key(tmp_path: Path, people: Signing) -> None:
    path = bundled(released(tmp_path), tmp_path / "b.zip")
    with refused(SignatureError, DECISION):
        checked(path, people.key(people.lang))


def test_a_swapped_signature_is_found(bundle: Path) -> None:
    files = read_archive(bundle)
    one, other = json.loads(files[DECISION]), json.loads(files[RELEASE])
    one["signatures"] = other["signatures"]
    changed = json.dumps(one, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    with refused(SignatureError, DECISION):
        checked(resealed(bundle, {DECISION: changed}))


@pytest.mark.parametrize("name", [DECISION, RELEASE])
def test_the_statement_of_another_run_is_refused(
    bundle: Path, tmp_path: Path, people: Signing, name: str
) -> None:
    other = released(tmp_path / "other", wrong=(5,), signers=(people.lang,))
    theirs = read_archive(bundled(other, tmp_path / "o.zip"))[name]
    with refused(IntegrityError, name):
        checked(resealed(bundle, {name: theirs}))


def test_decision_and_release_envelopes_do_not_pass_for_each_other(bundle: Path) -> None:
    files = read_archive(bundle)
    with refused(SignatureError, DECISION):
        checked(resealed(bundle, {DECISION: files[RELEASE], RELEASE: files[DECISION]}))


def test_a_redated_decision_with_every_hash_made_anew_fails_by_its_signature(
    bundle: Path, tmp_path: Path, people: Signing
) -> None:
    def redated(decision: Decision) -> Decision:
        return replace(decision, created="2025-06-01T00:00:00Z")

    forged = bundled(released(tmp_path / "forged", forged=redated), tmp_path / "f.zip")
    assert checked(forged).exit_code == 3  # all its hashes fit
    signature = read_archive(bundle)[DECISION]
    with refused(SignatureError, "created is '2026-01-01T00:00:00Z'"):
        checked(resealed(forged, {DECISION: signature}), people.key(people.lang))


def test_a_forger_who_signs_with_his_own_key_is_not_vouched_for(
    tmp_path: Path, people: Signing
) -> None:
    path = bundled(released(tmp_path, signers=(people.other,)), tmp_path / "f.zip")
    assert checked(path).exit_code == 3
    with refused(SignatureError, DECISION):
        checked(path, people.key(people.lang))


def test_a_release_that_the_ledger_has_as_signed_otherwise_is_refused(
    bundle: Path, people: Signing
) -> None:
    files = read_archive(bundle)
    entry = next(json.loads(x) for x in files["ledger.jsonl"].splitlines() if b'"release"' in x)
    old = entry["body"]["attestation_sha256"]
    changed = rechained(files["ledger.jsonl"], old, "0" * 64)
    with refused(IntegrityError, RELEASE):
        checked(resealed(bundle, {"ledger.jsonl": changed, "README.md": b"x"}))


def test_two_people_sign_and_the_reader_knows_one(tmp_path: Path, people: Signing) -> None:
    run = released(tmp_path, signers=(people.lang, people.other))
    answer = checked(bundled(run, tmp_path / "b.zip"), people.key(people.lang))
    assert answer.exit_code == 0
    detail = result(answer, "signature of the decision")[1]
    assert detail == f"by Dr. Lang; also by {people.other.id[:12]}, which no --key names"


def test_a_key_that_is_none_is_a_usage_error(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "x.pub.pem").write_bytes(b"no key")
    with refused(ConfigError, "public key"):
        checked(bundle, tmp_path / "x.pub.pem")


def test_a_key_inside_that_is_none_is_refused(bundle: Path) -> None:
    with refused(IntegrityError, "keys/Dr._Lang.pub.pem: ", "Ed25519"):
        checked(resealed(bundle, {"keys/Dr._Lang.pub.pem": b"no key"}))
