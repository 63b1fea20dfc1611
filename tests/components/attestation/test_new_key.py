import stat
from pathlib import Path

import pytest

from components.attestation.keys import load_public, load_signer
from components.attestation.new_key import new_key
from components.records.errors import ConfigError


def test_the_private_file_is_its_owners_alone(tmp_path: Path) -> None:
    private, public, _ = new_key(tmp_path / "new", "Ann")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(private.parent.stat().st_mode) == 0o700
    assert b"PRIVATE" not in public.read_bytes()


def test_both_files_are_of_one_key_and_carry_the_name(tmp_path: Path) -> None:
    private, public, signer = new_key(tmp_path, "Zoë Müller-O")
    assert load_signer(private).id == load_public(public).id == signer.id
    assert load_public(public).name == signer.name == "Zoë Müller-O"


def test_no_two_keys_are_alike(tmp_path: Path) -> None:
    assert new_key(tmp_path, "Ann")[2].id != new_key(tmp_path, "Bob")[2].id


@pytest.mark.parametrize("there", ["Ann.key.pem", "Ann.pub.pem"])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(ConfigError, match="never overwritten"):
        new_key(tmp_path, "Ann")
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_a_dangling_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "Ann.key.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="never overwritten"):
        new_key(tmp_path, "Ann")
    assert not (tmp_path / "elsewhere").exists()


def test_a_passphrase_encrypts_the_file(tmp_path: Path) -> None:
    private, _, _ = new_key(tmp_path, "Ann", "correct horse")
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in private.read_bytes()
    assert load_signer(private, "correct horse").name == "Ann"


def test_an_empty_passphrase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="empty"):
        new_key(tmp_path, "Ann", "")


@pytest.mark.parametrize(
    "name", ["", "../Ann", "a/b", ".hidden", "Ann\n", "Ann\u202e", "  ", "x" * 65, "Ann.", "a  b"]
)
def test_a_name_that_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="--name") as refusal:
        new_key(tmp_path / "new", name)
    assert "\n" not in str(refusal.value) and "\u202e" not in str(refusal.value)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="no key can be written there"):
        new_key(tmp_path / "file", "Ann")
