from pathlib import Path

import pytest

from components.attestation.checking import (
    CheckedStatement,
    check_decision,
    check_release,
    subjects_of,
)
from components.attestation.envelope import add_signatures
from components.attestation.keys import load_trusted
from components.attestation.signing import attest_release
from components.attestation.statements import ENVIRONMENT
from components.baselines.names import POLICY
from components.records.errors import IntegrityError, SignatureError
from components.records.files import sha256_file
from tests.components.attestation.making import PlantedRun, person, planted_run
from tests.components.planting import sha
from tests.refusing import refused


@pytest.fixture
def run(tmp_path: Path) -> PlantedRun:
    """Signed, and released as version 7, by Ann."""
    made = planted_run(tmp_path)
    ann = person(made, "Ann")
    made.signed(ann)
    release(made, ann)
    return made


def release(run: PlantedRun, signer: object, version: int = 7) -> Path:
    told = {"destination": "serving/chest", "version": version, "decision": run.check_releasable()}
    return attest_release(run.folder, model_folder=run.model, signers=[signer], **told)


def decided(run: PlantedRun, **there: Path | str) -> CheckedStatement:
    trusted = load_trusted(run.keys)
    return check_decision(run.envelope, there=there, trusted=trusted, threshold=None)


def released(run: PlantedRun, decision: CheckedStatement | None = None) -> CheckedStatement:
    path = run.folder / "release.dsse.json"
    return check_release(
        path, model_folder=run.model, decision=decision, trusted=load_trusted(run.keys)
    )


def test_what_is_not_at_hand_is_said(run: PlantedRun) -> None:
    assert decided(run).signers == ("Ann",)
    assert set(decided(run).unmeasured) == {"model", *run.there}
    assert ENVIRONMENT not in decided(run, environment=sha("environment")).unmeasured
    assert released(run).unmeasured == ()
    path = run.folder / "release.dsse.json"
    found = check_release(path, model_folder=None, decision=None, trusted=load_trusted(run.keys))
    assert found.unmeasured == ("model",)


def test_no_threshold_only_tells_who_signed(run: PlantedRun) -> None:
    (run.keys / "Ann.pub.pem").unlink()
    assert decided(run).signers == ()
    assert len(decided(run).unknown) == 1


def test_a_release_names_its_decision(run: PlantedRun) -> None:
    found = released(run, decided(run)).statement.predicate
    assert (found["version"], found["decision_signed_by"]) == (7, ["Ann"])


def test_a_later_signature_on_the_decision_leaves_the_release_valid(run: PlantedRun) -> None:
    content = add_signatures(run.envelope.read_bytes(), [person(run, "Bob")], where="w")
    run.envelope.write_bytes(content)
    assert released(run, decided(run)).signers == ("Ann",)


def test_a_release_on_the_word_of_another_decision(run: PlantedRun) -> None:
    before = decided(run).statement_sha256
    run.envelope.unlink()
    run.signed(person(run, "Bob"))  # at another time, so another statement
    digests = (f" {found[:12]}..." for found in (before, decided(run).statement_sha256))
    with refused(SignatureError, run.folder / "release.dsse.json", *digests):
        released(run, decided(run))


def test_a_release_statement_of_another_run(run: PlantedRun) -> None:
    elsewhere = run.folder.parent / "20260102T000000.000000Z"
    run.folder.rename(elsewhere)
    path = elsewhere / "release.dsse.json"
    with refused(SignatureError, path, run.folder.name):
        check_release(path, model_folder=run.model, decision=None, trusted=load_trusted(run.keys))


def test_a_release_of_another_model(run: PlantedRun) -> None:
    (run.model / "saved_model.pb").write_text("another")
    with refused(SignatureError, run.model, " model "):
        released(run)


def test_a_decision_does_not_pass_for_a_release(run: PlantedRun) -> None:
    (run.folder / "release.dsse.json").write_bytes(run.envelope.read_bytes())
    with refused(SignatureError, run.folder / "release.dsse.json"):
        released(run)


def test_a_request_names_subjects_by_path_and_hash(run: PlantedRun) -> None:
    path = run.root / "baseline" / "policy.yaml"
    named = {POLICY: [str(path), sha256_file(path)], ENVIRONMENT: ["", sha("environment")]}
    found = subjects_of(named, unchanged=True)
    assert found == {POLICY: path, ENVIRONMENT: sha("environment")}
    path.write_text("another")
    assert subjects_of(named)[POLICY] == path
    with refused(IntegrityError, path):
        subjects_of(named, unchanged=True)
