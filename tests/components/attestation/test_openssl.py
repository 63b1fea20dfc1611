"""What casegate signs, verified by OpenSSL, which neither signed it nor knows what casegate is."""

import base64
import json
import subprocess
from pathlib import Path

import pytest

from components.attestation.keys import new_key
from components.attestation.signing import attest_release
from components.attestation.site import signed_verdict
from components.attestation.statements import MODEL, SITE_REQUEST_TYPE, Statement
from tests.components.attestation.making import PlantedRun, person, planted_run
from tests.components.planting import sha
from tests.foreign import answer, complaint, needs

SAID = {
    **{"verdict": "PASS", "decided_at": "2026-01-01T00:00:00.000Z", "figures": []},
    **{"decision_sha256": sha("decision"), "policy_sha256": sha("policy")},
    "looks": {"used": 1, "planned": 5},
}


@pytest.fixture
def openssl() -> str:
    return needs("openssl", "Debian's openssl")


@pytest.fixture
def run(tmp_path: Path) -> PlantedRun:
    """Its decision and its release are signed by Ann, whose public key lies in its keys."""
    made = planted_run(tmp_path)
    ann = person(made, "Ann")
    made.signed(ann)
    given = {"model_folder": made.model, "destination": "serving/chest", "version": 7}
    attest_release(made.folder, decision=made.check_releasable(), signers=[ann], **given)
    request = Statement(SITE_REQUEST_TYPE, {MODEL: sha("model")}, {"nonce": "0" * 32})
    (made.folder / "site.dsse.json").write_bytes(signed_verdict(request, sha("it"), SAID, ann))
    return made


def signed_bytes(payload_type: str, payload: bytes) -> bytes:
    """What a DSSE signature is over, as the protocol has it: "DSSEv1", then lengths and texts."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def checking(run: PlantedRun, name: str, folder: Path, *, flipped: bool = False) -> list[str]:
    """OpenSSL's command on an envelope's only signature."""
    envelope = json.loads((run.folder / name).read_bytes())
    payload = bytearray(base64.b64decode(envelope["payload"]))
    payload[len(payload) // 2] ^= flipped
    (signature,) = envelope["signatures"]
    content, sig = folder / "content", folder / "sig"
    content.write_bytes(signed_bytes(envelope["payloadType"], bytes(payload)))
    sig.write_bytes(base64.b64decode(signature["sig"]))
    words = ["pkeyutl", "-verify", "-pubin", "-inkey", run.keys / "Ann.pub.pem"]
    return [*map(str, words), "-rawin", "-in", str(content), "-sigfile", str(sig)]


@pytest.mark.parametrize("name", ["decision.dsse.json", "release.dsse.json", "site.dsse.json"])
def test_openssl_verifies_a_signature_and_refuses_one_flipped_bit(
    openssl: str, run: PlantedRun, tmp_path: Path, name: str
) -> None:
    assert "Verified Successfully" in answer(openssl, *checking(run, name, tmp_path))
    said = complaint(openssl, *checking(run, name, tmp_path, flipped=True))
    assert "Verification Failure" in said


@pytest.mark.parametrize("passphrase", [None, "Größe 7"])
def test_openssl_opens_a_private_key_and_finds_its_public_half(
    openssl: str, tmp_path: Path, passphrase: str | None
) -> None:
    private, public, _ = new_key(tmp_path, "Ann", passphrase)
    unlocking = ["-passin", f"pass:{passphrase}"] if passphrase else []
    half = answer(openssl, "pkey", "-in", private, *unlocking, "-pubout")
    assert half == public.read_text()
    if passphrase:
        locked = [openssl, "pkey", "-in", str(private), "-passin", "pass:another"]
        assert subprocess.run(locked, capture_output=True).returncode != 0
