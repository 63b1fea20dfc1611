import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from components.cases.sources import open_source
from components.lineage.record import RunRecord
from components.records.errors import ConfigError, IntegrityError, SourceError
from components.records.files import sha256_file
from components.records.ledger.ledger import Ledger
from pipeline.evidence.reproduce.recorded_inputs import ScratchInputs, lay_out
from pipeline.evidence.subject import Evidence
from pipeline.settings.config import load_config
from tests.components.cases.making import write_npz
from tests.pipeline.evidence.releasing import RUN, ReleasedRun, released


class Recorded:
    """A released run whose record names a configuration and data that are there."""

    def __init__(self, root: Path) -> None:
        self.run: ReleasedRun = released(root)
        self.data = write_npz(root / "chest.npz", rows=40)
        config = load_config(
            None,
            [
                f"data.source={json.dumps(str(self.data))}",
                "metadata=postgresql://casegate@db/store",
                f"serving.directory={root / 'elsewhere'}",
                "model.learning_rate=0.00001",
            ],
        )
        folder = self.run.workspace.run_folder(RUN)
        (folder / "config.json").write_text(json.dumps(asdict(config)))
        found = self.run.record
        self.record: RunRecord = replace(
            found,
            files={"config.json": sha256_file(folder / "config.json")},
            inputs=replace(found.inputs, data_sha256=open_source(str(self.data)).fingerprint()),
        )

    def laid(self, scratch: Path, **options: str) -> ScratchInputs:
        with Evidence(self.run.workspace.root) as evidence:
            return lay_out(evidence, self.record, scratch, **options)


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / "made")


def test_nothing_goes_back_to_where_the_run_came_from(recorded: Recorded, tmp_path: Path) -> None:
    laid = recorded.laid(tmp_path / "scratch")
    config = load_config(laid.config)
    assert (config.metadata, config.serving.directory) == (None, None)
    assert config.signing.unsigned
    assert laid.workspace.root == tmp_path / "scratch" / "workspace"


def test_settings_are_the_recorded_ones(recorded: Recorded, tmp_path: Path) -> None:
    config = load_config(recorded.laid(tmp_path / "scratch").config)
    assert config.model.learning_rate == 1e-5  # which JSON and YAML spell otherwise
    assert config.data.source == str(recorded.data)


def test_what_judged_judges_again(recorded: Recorded, tmp_path: Path) -> None:
    config = load_config(recorded.laid(tmp_path / "scratch").config)
    folder = Path(str(config.case_set.directory)) / str(config.case_set.baseline)
    inputs = recorded.record.inputs
    assert sha256_file(folder / "policy.yaml") == inputs.policy_sha256
    assert sha256_file(folder / "case_set.json") == inputs.case_set_sha256
    assert sha256_file(folder / "golden.json") == inputs.golden_file_sha256


def test_the_ledger_is_as_the_run_found_it(recorded: Recorded, tmp_path: Path) -> None:
    laid = recorded.laid(tmp_path / "scratch")
    before = Ledger(laid.workspace.ledger).entries()
    now = Ledger(recorded.run.workspace.ledger).entries()
    assert [entry.kind for entry in before] == ["look"] and len(now) > 1
    assert before == now[:1]


def test_data_that_changed_are_refused(recorded: Recorded, tmp_path: Path) -> None:
    write_npz(recorded.data, rows=41)
    with pytest.raises(IntegrityError, match="the data changed since"):
        recorded.laid(tmp_path / "scratch")


def test_data_may_lie_elsewhere_now(recorded: Recorded, tmp_path: Path) -> None:
    moved = recorded.data.rename(tmp_path / "chest.npz")
    with pytest.raises(SourceError, match="say with --data where"):
        recorded.laid(tmp_path / "scratch")
    config = load_config(recorded.laid(tmp_path / "again", data=str(moved)).config)
    assert config.data.source == str(moved)


def test_a_configuration_that_was_edited_is_refused(recorded: Recorded, tmp_path: Path) -> None:
    path = recorded.run.workspace.run_folder(RUN) / "config.json"
    path.write_text(path.read_text().replace("1e-05", "2e-05"))
    with pytest.raises(IntegrityError, match="config.json: .*the run's record has"):
        recorded.laid(tmp_path / "scratch")


@pytest.mark.parametrize("name", ["policy.yaml", "case_set.json", "golden.json"])
def test_a_judge_that_is_gone_or_altered_is_refused(
    recorded: Recorded, tmp_path: Path, name: str
) -> None:
    stem = name.partition(".")[0]
    (path,) = (recorded.run.workspace.root / "inputs").glob(f"{stem}-*")
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(IntegrityError, match="was altered"):
        recorded.laid(tmp_path / "scratch")
    path.unlink()
    with pytest.raises(ConfigError, match="was not kept"):
        recorded.laid(tmp_path / "again")


def test_a_champion_that_is_gone_is_said(recorded: Recorded, tmp_path: Path) -> None:
    (note,) = recorded.laid(tmp_path / "scratch").notes
    assert note == "The champion, version 6, is gone: only golden judged again."
