import hashlib
import hmac
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.dicom.pseudonyms import VARIABLE, Pseudonyms, secret_file, site_pseudonyms
from components.records.errors import ConfigError
from tests.refusing import refused

SECRET = "a secret of this site"  # noqa: S105


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in (VARIABLE, f"{VARIABLE}_FILE"):
        monkeypatch.delenv(name, raising=False)
    site_pseudonyms.cache_clear()
    yield
    site_pseudonyms.cache_clear()


def test_a_hash_is_a_truncated_hmac_of_kind_and_value() -> None:
    whole = hmac.new(SECRET.encode(), b"casegate-patient\x00MRN1", hashlib.sha256).hexdigest()
    assert Pseudonyms(SECRET.encode()).of("patient", "MRN1") == whole[:32]


def test_an_absent_value_has_no_hash() -> None:
    assert Pseudonyms(SECRET.encode()).of("patient", "") == ""


def test_another_secret_gives_other_hashes_and_another_id() -> None:
    one, other = Pseudonyms(b"one"), Pseudonyms(b"other")
    assert one.of("case", "1.2.3") != other.of("case", "1.2.3")
    assert one.id != other.id


def test_the_secret_is_made_once_and_for_its_owner_alone() -> None:
    made = site_pseudonyms(make=True)
    mode = stat.S_IMODE(secret_file().stat().st_mode)
    site_pseudonyms.cache_clear()
    assert mode == 0o600
    assert site_pseudonyms(make=False) == made
    assert len(made.secret) >= 32


def test_a_worker_makes_no_secret_of_its_own() -> None:
    with refused(ConfigError, str(secret_file())):
        site_pseudonyms(make=False)


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(Pseudonyms(SECRET.encode()))


def test_a_short_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "short")
    with refused(ConfigError, VARIABLE, "16"):
        site_pseudonyms(make=True)


def test_a_file_that_others_can_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET)
    path.chmod(0o644)
    monkeypatch.setenv(f"{VARIABLE}_FILE", str(path))
    with refused(ConfigError, str(path), "chmod 600"):
        site_pseudonyms(make=True)


def test_no_secret_is_made_in_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    with refused(ConfigError, "git checkout"):
        site_pseudonyms(make=True)
    assert not secret_file().exists()
