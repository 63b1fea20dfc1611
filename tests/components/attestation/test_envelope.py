import base64
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.dsse import Envelope

from components.attestation import envelope
from components.attestation.envelope import (
    MOST_BYTES,
    PAYLOAD_TYPE,
    add_signatures,
    read_envelope,
    sign,
    verify,
)
from components.attestation.keys import Signer, new_key
from components.records.errors import ConfigError, SignatureError
from tests.refusing import refused

PAYLOAD = b'{"a": 1}'


@pytest.fixture
def ann(tmp_path: Path) -> Signer:
    return new_key(tmp_path, "Ann")[2]


@pytest.fixture
def bob(tmp_path: Path) -> Signer:
    return new_key(tmp_path, "Bob")[2]


def altered(content: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(content)
    change(document)
    return json.dumps(document).encode()


def refusal_of(content: bytes, *trusted: Signer) -> str:
    with pytest.raises(SignatureError) as refusal:
        verify(content, [one.public for one in trusted], where="w").require(1)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_what_was_signed_comes_back_with_who_signed(ann: Signer) -> None:
    signed = verify(sign(PAYLOAD, [ann]), [ann.public], where="w")
    assert (signed.payload, signed.names, signed.unknown) == (PAYLOAD, ("Ann",), ())
    signed.require(1)


def test_the_ecosystems_own_reader_agrees(ann: Signer) -> None:
    envelope = Envelope.from_dict(json.loads(sign(PAYLOAD, [ann])))
    assert envelope.payload_type == PAYLOAD_TYPE
    assert list(envelope.verify([ann.crypto.public_key], 1)) == [ann.id]


def test_every_flipped_bit_is_noticed(ann: Signer) -> None:
    content = sign(PAYLOAD, [ann]).rstrip(b"\n")
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1
        with pytest.raises(SignatureError):
            verify(bytes(flipped), [ann.public], where="w").require(1)


def test_another_payload_under_the_same_signature(ann: Signer) -> None:
    other = base64.b64encode(b'{"a": 2}').decode()
    content = altered(sign(PAYLOAD, [ann]), lambda it: it.update(payload=other))
    assert "'Ann'" in refusal_of(content, ann)


def test_a_signature_from_another_envelope(ann: Signer) -> None:
    other = json.loads(sign(b'{"a": 2}', [ann]))["signatures"]
    content = altered(sign(PAYLOAD, [ann]), lambda it: it.update(signatures=other))
    assert "'Ann'" in refusal_of(content, ann)


def test_another_payload_type(ann: Signer) -> None:
    content = altered(sign(PAYLOAD, [ann]), lambda it: it.update(payloadType="text/plain"))
    assert "payloadType" in refusal_of(content, ann)


def test_an_unknown_key_is_named_and_does_not_count(ann: Signer, bob: Signer) -> None:
    content = sign(PAYLOAD, [ann, bob])
    signed = verify(content, [ann.public], where="w")
    assert (signed.names, signed.unknown) == (("Ann",), (bob.id,))
    assert f"{ann.id[:12]}, {bob.id[:12]}" in refusal_of(content)


def test_a_key_id_that_somebody_else_claims(ann: Signer, bob: Signer) -> None:
    content = altered(sign(PAYLOAD, [bob]), lambda it: it["signatures"][0].update(keyid=ann.id))
    assert "'Ann'" in refusal_of(content, ann, bob)


def test_two_people_sign_one(ann: Signer, bob: Signer) -> None:
    content = add_signatures(sign(PAYLOAD, [ann]), [bob], where="w")
    signed = verify(content, [ann.public, bob.public], where="w")
    signed.require(2)
    assert (set(signed.names), signed.payload) == ({"Ann", "Bob"}, PAYLOAD)


def test_the_same_key_does_not_sign_twice(ann: Signer) -> None:
    with refused(ConfigError, "w:", "'Ann'", f"({ann.id[:12]})"):
        add_signatures(sign(PAYLOAD, [ann]), [ann], where="w")


def test_the_same_signature_twice_is_no_second_person(ann: Signer, bob: Signer) -> None:
    content = altered(sign(PAYLOAD, [ann]), lambda it: it.update(signatures=it["signatures"] * 2))
    with refused(SignatureError, "w:"):
        verify(content, [ann.public, bob.public], where="w")


def test_one_person_is_not_two(ann: Signer, bob: Signer) -> None:
    signed = verify(sign(PAYLOAD, [ann]), [ann.public, bob.public], where="w")
    with refused(SignatureError, "w:", "1 (Ann)", "wanted 2;") as caught:
        signed.require(2)
    assert "unknown" not in str(caught.value)


@pytest.mark.parametrize("threshold", [0, -1])
def test_a_threshold_of_nobody_is_refused(ann: Signer, threshold: int) -> None:
    with refused(ConfigError, "threshold", str(threshold), "1"):
        verify(sign(PAYLOAD, [ann]), [], where="w").require(threshold)


def test_nothing_is_signed_by_nobody() -> None:
    with refused(ConfigError, "envelope: "):
        sign(PAYLOAD, [])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"payload": "YQ==", "payloadType": "application/vnd.in-toto+json", "signatures": []}',
        b'{"payload": "YQ==", "payload": "YQ=="}',
        b'{"payload": NaN}',
    ],
)
def test_what_is_no_envelope(content: bytes, ann: Signer) -> None:
    assert refusal_of(content, ann).startswith("w: ")


@pytest.mark.parametrize("payload", ["YQ", "YR==", "Y Q==", "YQ==\n", "-_=="])
def test_base64_has_one_spelling(ann: Signer, payload: str) -> None:
    refusal_of(altered(sign(b"a", [ann]), lambda it: it.update(payload=payload)), ann)


def test_a_field_that_nobody_signed_is_refused(ann: Signer) -> None:
    content = altered(sign(PAYLOAD, [ann]), lambda it: it.update(note="fine"))
    assert "'note'" in refusal_of(content, ann)


def test_a_hundred_megabytes_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "decision.dsse.json"
    with path.open("wb") as file:
        file.truncate(100 * 1000 * 1000)
    tracemalloc.start()
    try:
        with refused(SignatureError, path, MOST_BYTES):
            read_envelope(path)
        assert tracemalloc.get_traced_memory()[1] < 4 * MOST_BYTES
    finally:
        tracemalloc.stop()


def test_an_envelope_may_be_as_long_as_that_and_no_longer(
    ann: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "decision.dsse.json"
    path.write_bytes(sign(PAYLOAD, [ann]))
    most = path.stat().st_size
    monkeypatch.setattr(envelope, "MOST_BYTES", most)
    content = read_envelope(path)
    assert content == sign(PAYLOAD, [ann])
    assert verify(content, [ann.public], where="w").names == ("Ann",)
    monkeypatch.setattr(envelope, "MOST_BYTES", most - 1)
    with refused(ConfigError, "envelope: ", most - 1):
        sign(PAYLOAD, [ann])
    with refused(SignatureError, "w: ", most - 1):
        verify(content, [ann.public], where="w")
    with refused(SignatureError, path, most - 1):
        read_envelope(path)


def test_no_envelope_means_nobody_signed(tmp_path: Path) -> None:
    with refused(SignatureError, tmp_path / "decision.dsse.json"):
        read_envelope(tmp_path / "decision.dsse.json")
