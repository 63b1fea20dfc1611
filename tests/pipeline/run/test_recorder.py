"""Records of runs that did not get far, without the graph: failed, killed, and written twice."""

from pathlib import Path

import pytest

from components.lineage.reader import MetadataStore
from components.lineage.record import Why, load_record
from components.records import events
from components.records.errors import ConfigError
from components.records.ledger.ledger import Ledger
from pipeline.run import recorder as recording
from pipeline.run.recorder import Recorder, close, close_dead
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace

RUN = "20260101T000000.000000Z"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "ws")
    with workspace.opened():
        pass
    return workspace


def begun(workspace: Workspace, run_id: str = RUN) -> Recorder:
    return Recorder(Config(owner="Radiology"), workspace, run_id, Why("schedule"))


def record_of(workspace: Workspace, run_id: str = RUN):
    return load_record(workspace.run_folder(run_id) / "run.json")


def ended(workspace: Workspace) -> list[tuple[str, str]]:
    entries = Ledger(workspace.ledger).entries()
    return [(e.body["run_id"], e.body["state"]) for e in entries if e.kind == "run"]


def test_a_record_is_there_from_the_first_moment(workspace: Workspace) -> None:
    begun(workspace)
    made = record_of(workspace)
    assert (made.state, made.finished, made.why.trigger) == ("running", None, "schedule")
    assert ended(workspace) == []


def test_an_error_is_written_down_and_goes_on(workspace: Workspace) -> None:
    with pytest.raises(ConfigError), begun(workspace).recording():
        events.publish("started", "inputs")
        raise ConfigError("data.source:\n got nothing")
    made = record_of(workspace)
    assert (made.state, made.exit_code, made.error) == ("failed", 2, "data.source: got nothing")
    assert [component.name for component in made.components] == ["inputs"]
    assert ended(workspace) == [(RUN, "failed")]


@pytest.mark.parametrize(
    "error, code, words",
    [(KeyboardInterrupt(), 130, "interrupted"), (ZeroDivisionError("by 0"), 70, "by 0")],
)
def test_whatever_ends_a_run_is_told(
    workspace: Workspace, error: BaseException, code: int, words: str
) -> None:
    with pytest.raises(type(error)), begun(workspace).recording():
        raise error
    made = record_of(workspace)
    assert made.exit_code == code and words in str(made.error)


def test_the_next_run_closes_what_a_dead_process_left(workspace: Workspace) -> None:
    begun(workspace)
    assert close_dead(workspace) == [RUN]
    made = record_of(workspace)
    assert (made.state, made.exit_code) == ("killed", None)
    assert ended(workspace) == [(RUN, "killed")]
    assert close_dead(workspace) == []


def test_a_crash_before_the_ledger_is_made_good_once(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = begun(workspace)
    with monkeypatch.context() as crashing:
        crashing.setattr(recording.Ledger, "append", _crash)
        with pytest.raises(OSError):
            recorder.end("unchanged", exit_code=0)
    assert ended(workspace) == []
    assert close_dead(workspace) == [RUN] and close_dead(workspace) == []
    assert ended(workspace) == [(RUN, "unchanged")]
    with MetadataStore(workspace.store) as store:
        (row,) = store.runs(workspace.id)
    assert row["record_sha256"] == record_of(workspace).record_sha256


def _crash(*_: object, **__: object) -> None:
    raise OSError("no space left on device")


def test_closing_twice_changes_nothing_but_adds_no_row(workspace: Workspace) -> None:
    begun(workspace).end("unchanged", exit_code=0)
    before = record_of(workspace)
    close(workspace, before)
    assert record_of(workspace) == before
    with MetadataStore(workspace.store) as store:
        assert len(store.runs(workspace.id)) == 1


def test_components_have_their_time_and_memory(workspace: Workspace) -> None:
    recorder = begun(workspace)
    with recorder.recording():
        events.publish("started", "Trainer")
        held = bytearray(64 << 20)
        events.publish("cached", "Trainer")
        del held
        recorder.end("unchanged", exit_code=0)
    (component,) = record_of(workspace).components
    assert (component.name, component.state) == ("Trainer", "cached")
    assert component.seconds is not None and component.seconds >= 0
    assert component.peak_memory_bytes is None or component.peak_memory_bytes > 64 << 20


def test_the_configuration_is_kept_and_hashed(workspace: Workspace) -> None:
    begun(workspace).end("unchanged", exit_code=0)
    assert '"owner":"Radiology"' in (workspace.run_folder(RUN) / "config.json").read_text()
    assert "config.json" in record_of(workspace).files
    assert "run.json" not in record_of(workspace).files
