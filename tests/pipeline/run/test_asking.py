"""When a run may ask sites, and when a decision of before is no answer."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.attestation.keys import VARIABLE, new_key
from components.attestation.site import SiteAnswers
from components.gate.policy import SiteRule
from components.records.errors import ConfigError, IntegrityError
from pipeline.run.asking import ask_again, refuse_unaskable
from pipeline.run.inputs import Inputs
from tests.pipeline.making import Small
from tests.refusing import refused


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    key, _, _ = new_key(tmp_path / "keys", "bot")
    monkeypatch.setenv(VARIABLE, str(key))
    for name in ("outbox", "inbox"):
        (tmp_path / name).mkdir()
    return {name: f"site_verdicts.{name}={tmp_path / name}" for name in ("outbox", "inbox")}


def asking(small: Small, *settings: str) -> Inputs:
    inputs = small.prepared(*settings)
    return replace(inputs, policy=replace(inputs.policy, sites={"north": SiteRule("a key", "")}))


def test_sites_can_be_asked_where_there_is_an_outbox_an_inbox_and_a_key(
    small: Small, places: dict[str, str]
) -> None:
    refuse_unaskable(asking(small, *places.values()))


@pytest.mark.parametrize("name", ["outbox", "inbox"])
def test_without_a_place_nothing_is_trained(
    small: Small, places: dict[str, str], tmp_path: Path, name: str
) -> None:
    other = {key: value for key, value in places.items() if key != name}
    with refused(ConfigError, f"site_verdicts.{name}", "null", "north"):
        refuse_unaskable(asking(small, *other.values()))
    absent = f"site_verdicts.{name}={tmp_path / 'absent'}"
    with refused(ConfigError, f"site_verdicts.{name}", "absent"):
        refuse_unaskable(asking(small, *other.values(), absent))


def test_without_a_key_nobody_is_asked(
    small: Small, places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    with refused(ConfigError, VARIABLE, "casegate keys init"):
        refuse_unaskable(asking(small, *places.values()))


def test_who_asks_nobody_needs_nothing(small: Small) -> None:
    refuse_unaskable(asking(small, "site_verdicts.ask=false"))
    refuse_unaskable(small.prepared())


def decided(exit_code: int) -> Any:
    return SimpleNamespace(exit_code=exit_code)


def test_a_decision_answers_again_only_where_every_site_has_spoken(tmp_path: Path) -> None:
    def kept(*names: str) -> Path:
        (tmp_path / "sites.json").write_bytes(SiteAnswers("x", dict.fromkeys(names, "")).to_bytes())
        return tmp_path

    assert ask_again({"north"}, decided(3), tmp_path)
    assert not ask_again({"north"}, decided(1), kept("north"))
    assert ask_again({"north", "south"}, decided(3), kept("north"))
    assert ask_again({"north"}, decided(4), kept("north"))
    assert not ask_again({}, decided(4), tmp_path)


def test_a_file_of_answers_that_was_edited_is_no_answer(tmp_path: Path) -> None:
    (tmp_path / "sites.json").write_text('{"request": "x"}')
    with refused(IntegrityError, tmp_path / "sites.json", "restore it"):
        ask_again({"north"}, decided(0), tmp_path)
