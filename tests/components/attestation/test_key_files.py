import subprocess
from pathlib import Path

import pytest

from components.attestation.keys import load_signer, new_key
from components.records.errors import ConfigError
from tests.refusing import refused


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    (root / ".gitignore").write_text("secret/\n")
    return root


def test_a_key_cannot_be_made_in_a_checkout(checkout: Path) -> None:
    with refused(ConfigError, checkout):
        new_key(checkout / "deep" / "keys", "Ann")
    assert not (checkout / "deep").exists()


def test_an_ignored_folder_will_do(checkout: Path) -> None:
    private, _, _ = new_key(checkout / "secret", "Ann")
    assert load_signer(private).name == "Ann"


def test_a_link_into_a_checkout_is_followed(checkout: Path, tmp_path: Path) -> None:
    (checkout / "open").mkdir()
    (tmp_path / "link").symlink_to(checkout / "open")
    with refused(ConfigError, checkout):
        new_key(tmp_path / "link", "Ann")


def test_a_key_that_was_moved_into_a_checkout_is_not_used(checkout: Path, tmp_path: Path) -> None:
    private, _, _ = new_key(tmp_path / "private", "Ann")
    with refused(ConfigError, checkout / private.name):
        load_signer(private.rename(checkout / private.name))


def test_where_git_cannot_say_the_answer_is_no(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / ".git").mkdir()  # no repository, and so no word of git's
    with refused(ConfigError, tmp_path / "secret", tmp_path):
        new_key(tmp_path / "secret", "Ann")


def test_gits_own_variables_do_not_mislead(checkout: Path, tmp_path: Path, monkeypatch) -> None:
    other = tmp_path / "other"
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    (other / ".git" / "info" / "exclude").write_text("*\n")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    with refused(ConfigError, checkout):
        new_key(checkout / "keys", "Ann")
