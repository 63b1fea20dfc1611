import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import pytest

from components.attestation.keys import VARIABLE
from components.records import events
from components.records.errors import ConfigError, IntegrityError
from components.records.run_files import RUN_RECORD
from pipeline.run import runner
from pipeline.run.inputs import Inputs
from pipeline.run.runner import refuse_unsigned
from tests.pipeline.making import Small
from tests.pipeline.test_cli import casegate
from tests.refusing import refused

SIGNED = "signing.unsigned=false"


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private key that the environment names; nobody trusts it yet."""
    made = casegate("keys", "init", "--out", tmp_path / "keys", "--name", "bot")
    assert made.exit_code == 0, made.output
    path = tmp_path / "keys" / "bot.key.pem"
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def judged(small: Small, *settings: str) -> Inputs:
    """Inputs of a run that golden scores judge, so that it may release."""
    return replace(small.prepared(*settings), golden_sha256="1" * 64)


def test_a_first_run_can_release_nothing_and_needs_no_key(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    refuse_unsigned(small.prepared(SIGNED))


def test_without_a_key_only_what_says_so_may_run(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    refuse_unsigned(judged(small))
    with refused(ConfigError, "casegate keys init"):
        refuse_unsigned(judged(small, SIGNED))


@pytest.mark.parametrize("setting", [SIGNED, "signing.unsigned=true"])
def test_a_key_that_nobody_trusts_is_refused(small: Small, key: Path, setting: str) -> None:
    with refused(ConfigError, "got 0 of 1 keys", "wanted 1"):
        refuse_unsigned(judged(small, setting))


def test_a_trusted_key_may_sign_and_two_are_wanted_where_two_are(small: Small, key: Path) -> None:
    trusted = small.prepared(SIGNED).keys
    trusted.mkdir()
    public = key.with_name("bot.pub.pem")
    (trusted / public.name).write_bytes(public.read_bytes())
    refuse_unsigned(judged(small, SIGNED))
    with refused(ConfigError, "got 1 of 1 keys", "wanted 2"):
        refuse_unsigned(judged(small, SIGNED, "signing.threshold=2"))


def test_a_run_that_releases_nothing_needs_no_key(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    refuse_unsigned(judged(small, SIGNED, "serving.release=false"))


def test_an_earlier_run_whose_request_is_damaged_is_named_before_anything_starts(
    small: Small,
) -> None:
    damaged = small.workspace.run_folder("20200101T000000.000000Z") / "request.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    with refused(IntegrityError, str(damaged)):
        runner.run(small.config(), small.workspace.root, listener=lambda event: None)


@pytest.mark.tensorflow
def test_an_interrupt_inside_a_component_ends_a_run_as_one_elsewhere_does(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.lineage.tfx_runner import IN_MEMORY

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    def graph(inputs: Inputs, arguments: Sequence[str], part: str) -> None:
        with beam.Pipeline(IN_MEMORY) as pipeline:
            _ = pipeline | beam.Create([1]) | beam.Map(interrupt)

    monkeypatch.setattr(runner, "_run_graph", graph)
    with pytest.raises(KeyboardInterrupt):
        runner.run(small.config(), small.workspace.root, listener=lambda event: None)
    (record,) = small.workspace.runs.glob(f"*/{RUN_RECORD}")
    assert json.loads(record.read_text())["state"] == "failed"


@pytest.mark.tensorflow
def test_a_network_that_breaks_the_contract_ends_the_run_before_anything_is_trained(
    small: Small,
) -> None:
    told: list[events.Event] = []
    own = "model.network=tests.pipeline.model.networks.own:nested"
    with refused(ConfigError, "own:nested", "'inner'"):
        runner.run(small.config(own), small.workspace.root, listener=told.append)
    assert [event.component for event in told if event.kind == "started"] == ["inputs", "network"]
