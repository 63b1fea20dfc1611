import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.json_format import Parse
from in_toto_attestation.v1.statement import Statement as InTotoStatement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage

from components.attestation.statements import (
    DECISION_TYPE,
    MODEL,
    NEVER_ABSENT,
    RELEASE_TYPE,
    SUBJECTS,
    TRAINING,
    Statement,
    check_agreement,
    check_digest,
    decision_statement,
    from_bytes,
    to_bytes,
)
from components.baselines.names import GOLDEN
from components.decision import Verdict
from components.records.errors import IntegrityError, SignatureError
from components.records.export import TFJS, TFLITE_INT8
from tests.components.attestation.making import passed
from tests.components.planting import sha
from tests.refusing import refused

AT = "2026-01-01T00:00:01.000Z"


def stated(**changed: str) -> Statement:
    hashes = passed().hashes
    digests = {name: sha(name) for name in SUBJECTS if name != "champion"}
    digests |= {MODEL: str(hashes["candidate"]), "policy.yaml": str(hashes["policy"])}
    return decision_statement(passed(), {**digests, **changed}, signed_at=AT)


def read_altered(change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(to_bytes(stated()))
    change(document)
    from_bytes(json.dumps(document).encode(), DECISION_TYPE, where="w")


def test_a_statement_survives_the_way_through_json() -> None:
    assert from_bytes(to_bytes(stated()), DECISION_TYPE, where="w") == stated()


def test_in_totos_own_library_finds_it_valid() -> None:
    message = Parse(to_bytes(stated()), StatementMessage())
    InTotoStatement.copy_from_pb(message).validate()
    assert message.subject[0].name == MODEL


def test_only_files_are_called_sha256() -> None:
    rows = json.loads(to_bytes(stated()))["subject"]
    kinds = {row["name"]: list(row["digest"]) for row in rows}
    assert kinds["decision.json"] == ["sha256"]
    assert kinds["model"] == ["casegateTreeSha256"]
    assert kinds["training"] == ["casegateMerkleSha256"]
    assert kinds["environment"] == ["casegateJsonSha256"]


RELEASED = {
    "destination": "serving/chest",
    "version": 1795582334,
    "run_id": "r",
    "decision_statement_sha256": sha("d"),
    "decision_signed_by": ["Ann"],
    "released_at": AT,
}


def test_whole_numbers_stay_whole() -> None:
    made = Statement(RELEASE_TYPE, {MODEL: sha("m")}, RELEASED)
    assert b'"version":1795582334}' in to_bytes(made)
    assert from_bytes(to_bytes(made), RELEASE_TYPE, where="w") == made


def test_a_release_names_its_artefacts_and_each_once() -> None:
    subjects = {MODEL: sha("m"), TFLITE_INT8: sha("int8"), TFJS: sha("tfjs")}
    made = Statement(RELEASE_TYPE, subjects, RELEASED)
    payload = to_bytes(made)
    assert from_bytes(payload, RELEASE_TYPE, where="w") == made
    document = json.loads(payload)
    assert [next(iter(row["digest"])) for row in document["subject"]] == [
        "casegateTreeSha256", "casegateExportSha256", "casegateExportSha256",
    ]  # fmt: skip
    model, *others = document["subject"]
    twice = {**others[0], "digest": {"casegateExportSha256": "0" * 64}}
    for subject in ([model, *others, twice], others, [{**others[0], "name": MODEL}]):
        altered = json.dumps({**document, "subject": subject}).encode()
        with refused(SignatureError):
            from_bytes(altered, RELEASE_TYPE, where="w")


def test_what_there_was_none_of_is_listed() -> None:
    assert stated().predicate["absent"] == ["champion"]


@pytest.mark.parametrize("name", NEVER_ABSENT)
def test_nobody_can_sign_without_what_every_decision_has(name: str) -> None:
    subjects = {key: digest for key, digest in stated().subjects.items() if key != name}
    with refused(IntegrityError, name):
        decision_statement(passed(), subjects, signed_at=AT)


@pytest.mark.parametrize("name", [MODEL, "champion", "policy.yaml"])
def test_a_subject_that_contradicts_the_decision_is_not_signed(name: str) -> None:
    with refused(SignatureError, "decision.json", f" {name} "):
        stated(**{name: sha("another")})


@pytest.mark.parametrize(
    "changed",
    [
        {"created": "2027-01-01T00:00:00Z"},
        {"verdict": Verdict.FAIL},
        {"exit_code": 1},
        {"run_id": "another"},
        {"already_released": True},
        {"policy": "another"},
    ],
)
def test_a_decision_that_says_something_else(changed: dict[str, Any]) -> None:
    (key,) = changed
    with refused(SignatureError, f"w: {key} "):
        check_agreement(stated(), replace(passed(), **changed), where="w")


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it["subject"].append(it["subject"][0]),
        lambda it: it["subject"].pop(),
        lambda it: it["subject"][0].update(name="malware"),
        lambda it: it["subject"][0].update(digest={"sha256": sha("m")}),
        lambda it: it["subject"][0].update(digest={"md5": sha("m")}),
        lambda it: it["subject"][0]["digest"].update(sha256=sha("m")),
        lambda it: it["subject"][0].update(uri="file:///etc"),
        lambda it: it["predicate"]["absent"].append(GOLDEN),
        lambda it: it["predicate"]["absent"].remove("champion"),
        lambda it: it["predicate"].update(note="fine"),
        lambda it: it["predicate"].update(verdict="PERFECT"),
        lambda it: it["predicate"].pop("signed_at"),
        lambda it: it.update(predicateType=RELEASE_TYPE),
        lambda it: it.update(_type="https://in-toto.io/Statement/v0.1"),
    ],
)
def test_a_statement_that_is_none_of_ours_is_refused(change: Callable[..., object]) -> None:
    with pytest.raises(SignatureError):
        read_altered(change)


@pytest.mark.parametrize(
    ("changed", "fact"), [({"verdict": "PERFECT"}, "PERFECT"), ({"absent": []}, "absent []")]
)
def test_what_nobody_could_read_again_is_not_signed(changed: dict[str, Any], fact: str) -> None:
    made = stated()
    with refused(SignatureError, "statement: ", fact):
        to_bytes(replace(made, predicate={**made.predicate, **changed}))


def test_what_was_signed_and_what_is_there_are_named_by_twelve_digits() -> None:
    signed, found = stated().subjects[TRAINING], sha("another")
    facts = ("w: training ", f" {found[:12]}...", f" {signed[:12]}...")
    with refused(SignatureError, *facts):
        check_digest(TRAINING, found, stated(), where="w")


@pytest.mark.parametrize("payload", [b"", b"plain text", b"\xff\xfe", b"[" * 100_000, b"[]"])
def test_a_payload_that_is_no_statement(payload: bytes) -> None:
    with refused(SignatureError, "w: "):
        from_bytes(payload, DECISION_TYPE, where="w")


def test_an_untouched_copy_is_read() -> None:
    read_altered(lambda it: it)
    assert TRAINING in stated().subjects
