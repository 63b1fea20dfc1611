"""What keeps a federated run from beginning is said before anything is read."""

from dataclasses import replace
from pathlib import Path

import pytest

from components.records.errors import ConfigError
from pipeline.federation import carrier
from pipeline.federation.sites import read_keys, refuse_unready
from pipeline.settings.config import load_config
from pipeline.settings.federation import FederationConfig

KEY = "ecdsa-sha2-nistp256 AAAA{} somebody@somewhere\n"


@pytest.fixture
def settings(tmp_path: Path) -> FederationConfig:
    for name in ("certificate", "key", "ca"):
        (tmp_path / name).write_text(name)
    for site in ("north", "south"):
        (tmp_path / site).write_text(KEY.format(site))
    files = {name: str(tmp_path / name) for name in ("certificate", "key", "ca")}
    return FederationConfig(sites={s: str(tmp_path / s) for s in ("north", "south")}, **files)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match="no certificate, key, ca, sites, wanted"):
        refuse_unready(FederationConfig())


@pytest.mark.parametrize("name", ["certificate", "key", "ca"])
def test_a_file_that_cannot_be_read_is_named(settings: FederationConfig, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"federation.{name}: /nowhere: cannot be read"):
        refuse_unready(replace(settings, **{name: "/nowhere"}))


def test_without_flower_no_run_begins(
    settings: FederationConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier, "BUILT", tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="`make flower` in the checkout makes it"):
        refuse_unready(settings)


def test_a_key_is_its_first_two_words(settings: FederationConfig) -> None:
    assert read_keys(settings)["north"] == "ecdsa-sha2-nistp256 AAAAnorth"


def test_two_sites_have_two_keys(settings: FederationConfig) -> None:
    Path(settings.key_files["south"]).write_text(KEY.format("north"))
    with pytest.raises(ConfigError, match="sites.south: got the key of north"):
        read_keys(settings)


def test_another_kind_of_key_is_refused(settings: FederationConfig) -> None:
    Path(settings.key_files["south"]).write_text("ssh-ed25519 AAAA\n")
    with pytest.raises(ConfigError, match="wanted a public key of `ssh-keygen -t ecdsa`"):
        read_keys(settings)


@pytest.mark.parametrize(
    "setting, words",
    [
        ("secure_aggregation=true", "secure_aggregation: got True, wanted False"),
        ("robust=median", "min_sites: got 2 beside robust median, wanted at least 3"),
        ("weight_cap=0.4", "weight_cap: got 0.4 for 2 sites, wanted at least 0.5"),
        ("sites={a: b}", "min_sites: got 2, wanted at most the 1 of sites"),
        ("algorithm=fedsgd", "algorithm: got 'fedsgd', wanted 'fedavg' or 'fedprox'"),
        ("minsites=3", "unknown key 'training.federation.minsites'; did you mean 'min_sites'"),
    ],
)
def test_settings_that_cannot_be_kept_are_refused(setting: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(None, [f"training.federation.{setting}"])
    assert words in str(refused.value)


def test_float16_does_not_go_with_a_federation() -> None:
    given = ["training.strategy=federated", "training.mixed_precision=true"]
    with pytest.raises(ConfigError, match="mixed_precision: got true beside strategy federated"):
        load_config(None, given)
