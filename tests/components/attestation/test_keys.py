import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from components.attestation import keys
from components.attestation.key_files import (
    MOST_BYTES,
    PASSPHRASE_FILE_VARIABLE,
    PASSPHRASE_VARIABLE,
    read_passphrase,
)
from components.attestation.keys import (
    VARIABLE,
    load_public,
    load_signer,
    load_signers,
    load_trusted,
    new_key,
)
from components.records.errors import ConfigError
from tests.refusing import refused


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (VARIABLE, PASSPHRASE_VARIABLE, PASSPHRASE_FILE_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def refusal_of(load: Callable[..., Any], *arguments: Any) -> str:
    """The one line that a wrong input gets."""
    with pytest.raises(ConfigError) as refusal:
        load(*arguments)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o601])
def test_a_key_that_others_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    private, _, _ = new_key(tmp_path, "Ann")
    private.chmod(mode)
    assert f"mode {mode:o}" in refusal_of(load_signer, private)


def test_a_missing_key(tmp_path: Path) -> None:
    assert "No such file" in refusal_of(load_signer, tmp_path / "Ann.key.pem")
    assert "No such file" in refusal_of(load_public, tmp_path / "Ann.pub.pem")
    assert "not the name of a file" in refusal_of(load_public, tmp_path / "Ann\0.pub.pem")


def test_a_folder_or_a_pipe_for_a_key(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "is no file" in refusal_of(load_signer, tmp_path / "pipe")
    assert "Is a directory" in refusal_of(load_signer, tmp_path)


@pytest.mark.parametrize("content", [b"", b"junk", b"\xff\x00", b"-----BEGIN PRIVATE KEY-----\n"])
def test_what_is_no_key(tmp_path: Path, content: bytes) -> None:
    assert "no private key" in refusal_of(load_signer, written(tmp_path / "a.pem", content))
    if b"PRIVATE" not in content:
        assert "no public key" in refusal_of(load_public, written(tmp_path / "b.pub.pem", content))


def test_a_key_file_without_end(tmp_path: Path) -> None:
    most = written(tmp_path / "a.pem", b"x" * MOST_BYTES)
    assert "no private key" in refusal_of(load_signer, most)
    more = written(tmp_path / "b.pem", b"x" * (MOST_BYTES + 1))
    assert f"{more}: more than {MOST_BYTES} " in refusal_of(load_signer, more)


def test_the_public_key_given_for_the_private_one(tmp_path: Path) -> None:
    _, public, _ = new_key(tmp_path, "Ann")
    public.chmod(0o600)
    assert "holds a public key" in refusal_of(load_signer, public)


def test_the_private_key_given_for_the_public_one(tmp_path: Path) -> None:
    private, _, _ = new_key(tmp_path, "Ann")
    assert "holds a private key" in refusal_of(load_public, private)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (rsa.generate_private_key(65537, 2048), "an RSA"),
        (ec.generate_private_key(ec.SECP256R1()), "an elliptic-curve"),
    ],
)
def test_a_key_of_another_kind(tmp_path: Path, key: Any, kind: str) -> None:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    shown = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert f"got {kind} key" in refusal_of(load_signer, written(tmp_path / "a.pem", pem))
    assert f"got {kind} key" in refusal_of(load_public, written(tmp_path / "a.pub.pem", shown))


def test_two_public_keys_in_one_file(tmp_path: Path) -> None:
    texts = [new_key(tmp_path, name)[1].read_bytes() for name in ("Ann", "Bob")]
    both = written(tmp_path / "C.pub.pem", b"".join(texts))
    assert str(both) in refusal_of(load_public, both)


def test_a_wrong_passphrase_and_a_missing_one(tmp_path: Path) -> None:
    private, _, _ = new_key(tmp_path, "Ann", "right")
    assert "is wrong" in refusal_of(load_signer, private, "wrong")
    assert PASSPHRASE_VARIABLE in refusal_of(load_signer, private, None)


def test_an_error_does_not_repeat_the_passphrase(tmp_path: Path) -> None:
    private, _, _ = new_key(tmp_path, "Ann", "right")
    assert "hunter2" not in refusal_of(load_signer, private, "hunter2")


def test_a_signer_does_not_show_its_key(tmp_path: Path) -> None:
    assert "Crypto" not in repr(new_key(tmp_path, "Ann")[2])


def test_the_environment_names_several_keys(tmp_path: Path, monkeypatch) -> None:
    paths = [new_key(tmp_path, name)[0] for name in ("Ann", "Bob")]
    monkeypatch.setenv(VARIABLE, os.pathsep.join(map(str, paths)))
    assert [signer.name for signer in load_signers()] == ["Ann", "Bob"]


def test_no_variable_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE_FILE_VARIABLE, str(tmp_path / "missing"))  # nobody reads it
    assert load_signers() == ()


def test_one_key_named_twice(tmp_path: Path) -> None:
    private, _, _ = new_key(tmp_path, "Ann")
    assert str(private) in refusal_of(load_signers, [private, private])


def test_the_passphrase_comes_from_a_private_file(tmp_path: Path, monkeypatch) -> None:
    private, _, _ = new_key(tmp_path, "Ann", "right")
    monkeypatch.setenv(VARIABLE, str(private))
    monkeypatch.setenv(PASSPHRASE_FILE_VARIABLE, str(written(tmp_path / "p", b"right\n")))
    assert [signer.name for signer in load_signers()] == ["Ann"]
    (tmp_path / "p").chmod(0o644)
    assert "mode 644" in refusal_of(load_signers)


def test_the_passphrase_comes_from_the_environment(tmp_path: Path, monkeypatch) -> None:
    private, _, _ = new_key(tmp_path, "Ann", "right")
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "right")
    assert [signer.name for signer in load_signers([private])] == ["Ann"]
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "")
    assert read_passphrase() is None


def test_a_passphrase_file_loses_the_end_of_its_line_alone(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(PASSPHRASE_FILE_VARIABLE, str(written(tmp_path / "p", b" XX\r\n")))
    assert read_passphrase() == " XX"


def test_two_passphrases_are_one_too_many(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "one")
    monkeypatch.setenv(PASSPHRASE_FILE_VARIABLE, str(written(tmp_path / "p", b"other")))
    assert PASSPHRASE_FILE_VARIABLE in refusal_of(read_passphrase)


@pytest.mark.parametrize(("content", "words"), [(b"\n", "is empty"), (b"\xff", "not UTF-8")])
def test_a_passphrase_file_without_one(tmp_path, monkeypatch, content, words) -> None:
    monkeypatch.setenv(PASSPHRASE_FILE_VARIABLE, str(written(tmp_path / "p", content)))
    assert words in refusal_of(read_passphrase)


def test_one_key_under_two_names_is_not_trusted_twice(tmp_path: Path) -> None:
    _, public, _ = new_key(tmp_path / "private", "Ann")
    for name in ("Ann", "Bob"):
        (tmp_path / f"{name}.pub.pem").write_bytes(public.read_bytes())
    assert "one key has one name" in refusal_of(load_trusted, tmp_path)


def test_a_folder_that_is_not_there_trusts_nobody(tmp_path: Path) -> None:
    assert load_trusted(tmp_path / "none") == ()


def test_a_broken_key_among_the_trusted_is_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "Ann.pub.pem").write_text("junk")
    assert "Ann.pub.pem" in refusal_of(load_trusted, tmp_path)


def test_the_private_file_is_its_owners_alone(tmp_path: Path) -> None:
    private, public, _ = new_key(tmp_path / "a" / "new", "Ann")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(private.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(public.stat().st_mode) == 0o644
    assert b"PRIVATE" not in public.read_bytes()


def test_both_files_are_of_one_key_and_carry_the_name(tmp_path: Path) -> None:
    private, public, signer = new_key(tmp_path, "Zoë Müller-O")
    assert load_signer(private).id == load_public(public).id == signer.id
    assert load_public(public).name == signer.name == "Zoë Müller-O"


def test_a_key_may_be_in_a_file_of_another_kind_of_name(tmp_path: Path) -> None:
    private, public, _ = new_key(tmp_path, "Ann")
    assert load_signer(private.rename(tmp_path / "laptop.pem")).name == "laptop"
    assert load_public(public.rename(tmp_path / "laptop.pub")).name == "laptop"


def test_no_two_keys_are_alike(tmp_path: Path) -> None:
    assert new_key(tmp_path, "Ann")[2].id != new_key(tmp_path, "Bob")[2].id


@pytest.mark.parametrize("there", ["Ann.key.pem", "Ann.pub.pem"])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with refused(ConfigError, tmp_path / there):
        new_key(tmp_path, "Ann")
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


@pytest.mark.parametrize("there", ["Ann.key.pem", "Ann.pub.pem"])
def test_what_came_a_moment_ago_is_not_overwritten(
    tmp_path: Path, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive = lambda path: (path.parent / there).write_text("mine")  # noqa: E731
    monkeypatch.setattr(keys, "refuse_in_checkout", arrive)
    with refused(ConfigError, tmp_path, "File exists"):
        new_key(tmp_path, "Ann")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(there, "mine")]


def test_a_full_disk_leaves_no_half_of_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with refused(ConfigError, tmp_path, "No space left"):
        new_key(tmp_path, "Ann")
    assert list(tmp_path.iterdir()) == []


def test_a_dangling_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "Ann.key.pem").symlink_to(tmp_path / "elsewhere")
    with refused(ConfigError, tmp_path / "Ann.key.pem"):
        new_key(tmp_path, "Ann")
    assert not (tmp_path / "elsewhere").exists()


def test_a_passphrase_encrypts_the_file(tmp_path: Path) -> None:
    private, _, _ = new_key(tmp_path, "Ann", "correct horse")
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in private.read_bytes()
    assert load_signer(private, "correct horse").name == "Ann"


def test_an_empty_passphrase_is_refused(tmp_path: Path) -> None:
    with refused(ConfigError, "passphrase"):
        new_key(tmp_path, "Ann", "")


@pytest.mark.parametrize(
    "name", ["", "../Ann", "a/b", ".hidden", "Ann\n", "Ann\u202e", "  ", "x" * 65, "Ann.", "a  b"]
)
def test_a_name_that_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="^--name: ") as refusal:
        new_key(tmp_path / "new", name)
    assert "\n" not in str(refusal.value) and "\u202e" not in str(refusal.value)
    assert not (tmp_path / "new").exists()


def test_a_name_has_up_to_64_letters_and_a_refusal_shows_a_few_more(tmp_path: Path) -> None:
    assert new_key(tmp_path, "x" * 64)[2].name == "x" * 64
    with refused(ConfigError, f" '{'x' * 70}',"):
        new_key(tmp_path, "x" * 80)


def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with refused(ConfigError, tmp_path / "file"):
        new_key(tmp_path / "file", "Ann")
