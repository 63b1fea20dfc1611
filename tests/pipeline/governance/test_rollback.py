import shutil
import threading
from datetime import datetime, timezone
from pathlib import Path

import pytest

from components.records.errors import ConfigError, IntegrityError, WorkspaceBusy
from components.records.export import KINDS, TFLITE_INT8, export_sha256
from components.records.files import sha256_tree
from components.records.ledger.ledger import Entry
from components.records.ledger.records import releases, withdrawn
from components.records.run_files import RELEASE_ATTESTATION
from components.release.exports import released_export
from components.release.serving import INCOMING, find_champion, versions
from pipeline.governance.ledger_check import verify_ledger
from pipeline.governance.rollback import roll_back
from tests.components.release.test_serving import put
from tests.dying import killed_before_each_change
from tests.pipeline.governing import Governed
from tests.refusing import refused


@pytest.fixture
def governed(tmp_path: Path) -> Governed:
    """Three releases; the third is the champion."""
    made = Governed(tmp_path)
    for version in (1, 2, 3):
        made.released(version)
    return made


def back(governed: Governed, to: int = 1, **changed: object) -> Entry:
    given = {"by": "A. Radiologist", "reason": "complaints", "model_name": "pneumonia"}
    return roll_back(governed.root, to=to, **{**given, **changed})  # type: ignore[arg-type]


def served(governed: Governed) -> bytes:
    """What TensorFlow Serving would serve."""
    newest = governed.destination / str(versions(governed.destination)[-1])
    return (newest / "variables" / "data").read_bytes()


def test_the_earlier_model_is_served_under_a_new_highest_number(governed: Governed) -> None:
    done = back(governed)
    assert served(governed) == b"weights 1"
    assert versions(governed.destination) == [1, 2, 3, done.body["new_version"]]
    assert (done.body["from_version"], done.body["to_version"]) == (3, 1)
    champion = find_champion(governed.destination, governed.workspace.runs)
    assert champion is not None and champion.decision.parent.name == "run-1"
    assert not (governed.workspace.serving / INCOMING).exists()


def test_the_ledger_says_who_what_and_why(governed: Governed) -> None:
    models = [sha256_tree(governed.destination / name) for name in "123"]
    done = back(governed)
    entry = governed.ledger.entries()[-1]
    assert (entry.kind, entry.by, entry.seq) == ("rollback", "A. Radiologist", done.seq)
    assert entry.body["destination"] == "serving/pneumonia"
    assert (entry.body["from_version"], entry.body["to_version"]) == (3, 1)
    assert entry.body["new_version"] == done.body["new_version"]
    assert [entry.body["from_model_sha256"], entry.body["to_model_sha256"]] == models[::-2]
    assert entry.body["reason"] == "complaints"
    (gone,) = withdrawn(governed.ledger.entries())
    assert gone.model_sha256 == models[2]
    assert verify_ledger(governed.root).versions == 4


def test_a_rollback_can_be_taken_back(governed: Governed) -> None:
    first, second = back(governed, 1), back(governed, 3)
    assert served(governed) == b"weights 3"
    assert second.body["new_version"] > first.body["new_version"]
    assert [gone.reason for gone in withdrawn(governed.ledger.entries())] == ["complaints"]


@pytest.mark.parametrize(
    "changed, facts",
    [
        ({"to": 4}, ("--to 4: ", "there is 1, 2, 3")),
        ({"to": -1}, ("--to -1: ",)),
        ({"to": 3}, ("--to 3: ",)),
        ({"by": ""}, ("--by: got ''",)),
        ({"reason": " "}, ("--reason: got ' '",)),
        ({"model_name": "../pneumonia"}, ("'../pneumonia'", "wanted a plain folder name")),
        ({"model_name": ""}, ("''", "wanted a plain folder name")),
        ({"model_name": "other"}, ("--to ", "serving/other")),
    ],
)
def test_a_rollback_that_cannot_be_is_refused(
    governed: Governed, changed: dict[str, object], facts: tuple[str, ...]
) -> None:
    before = sha256_tree(governed.workspace.serving), governed.workspace.ledger.read_bytes()
    with refused(ConfigError, *facts):
        back(governed, **changed)  # type: ignore[arg-type]
    assert before == (
        sha256_tree(governed.workspace.serving),
        governed.workspace.ledger.read_bytes(),
    )


def test_the_model_that_is_served_already_is_refused_under_its_old_number(
    governed: Governed,
) -> None:
    back(governed, 1)
    with refused(ConfigError, "--to ", "the champion"):
        back(governed, 1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda version: (version / "variables" / "data").write_text("other"),
        lambda version: shutil.rmtree(version / "variables"),
    ],
)
def test_files_that_did_not_pass_here_never_come_back(governed: Governed, spoil) -> None:  # type: ignore[no-untyped-def]
    spoil(governed.destination / "1")
    with pytest.raises(IntegrityError):
        back(governed)
    assert versions(governed.destination) == [1, 2, 3]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda version: (version / "variables" / "data").write_text("other"),
        lambda version: shutil.rmtree(version / "variables"),
    ],
)
def test_a_damaged_champion_can_be_rolled_back(governed: Governed, spoil) -> None:  # type: ignore[no-untyped-def]
    spoil(governed.destination / "3")
    back(governed)
    assert served(governed) == b"weights 1"


def test_a_running_pipeline_is_not_rolled_back_under(governed: Governed) -> None:
    with governed.workspace.opened(), pytest.raises(WorkspaceBusy):
        back(governed)


def test_a_serving_folder_outside_the_workspace_is_named_in_full(
    governed: Governed, tmp_path: Path
) -> None:
    outside = tmp_path / "models"
    governed.workspace.serving.rename(outside)
    back(governed, serving=outside)
    assert versions(outside / "pneumonia")[-1] > 3
    assert releases(governed.ledger.entries())[-1].destination == str(outside / "pneumonia")


def test_whoever_reads_the_destination_meanwhile_sees_one_whole_model(governed: Governed) -> None:
    for i in range(50):
        (governed.destination / "1" / f"part-{i:02d}").write_text("x" * 1000)
    governed.destination.joinpath("1").rename(governed.root / "spare")
    sha256 = put(governed.destination, 1)
    shutil.rmtree(governed.destination / "1")
    (governed.root / "spare").rename(governed.destination / "1")
    whole = {sha256_tree(governed.destination / name) for name in "123"}
    assert sha256 not in whole
    decide_for(governed, sha256_tree(governed.destination / "1"))
    done, seen = threading.Event(), set()

    def watch() -> None:
        while not done.is_set():
            newest = governed.destination / str(versions(governed.destination)[-1])
            seen.add(sha256_tree(newest))

    watcher = threading.Thread(target=watch)
    watcher.start()
    back(governed)
    done.set()
    watcher.join()
    assert seen <= whole


def decide_for(governed: Governed, sha256: str) -> None:
    from tests.components.release.test_serving import decide

    decide(governed.workspace.runs, "run-9", sha256)


def test_the_earlier_versions_artefacts_come_back_with_it(tmp_path: Path) -> None:
    governed = Governed(tmp_path)
    governed.released(1, kinds=KINDS)
    governed.released(2)
    done = back(governed)
    first, last = releases(governed.ledger.entries())[0], releases(governed.ledger.entries())[-1]
    assert set(last.exports) == set(KINDS) and last.exports == first.exports
    for kind, sha256 in last.exports.items():
        folder = released_export(governed.root, last, kind)
        assert folder.parent.name == str(done.body["new_version"])
        assert export_sha256(folder) == sha256
        assert (folder / RELEASE_ATTESTATION).read_bytes() == b"{}"


def test_a_version_whose_artefact_was_altered_does_not_come_back(tmp_path: Path) -> None:
    governed = Governed(tmp_path)
    governed.released(1, kinds=[TFLITE_INT8])
    governed.released(2)
    (folder,) = (governed.root / "exports" / "pneumonia" / "1").iterdir()
    (folder / "labels.txt").write_text("pneumonia\nnormal\n")
    before = governed.workspace.ledger.read_bytes()
    with refused(IntegrityError, folder):
        back(governed)
    assert versions(governed.destination) == [1, 2]
    assert governed.workspace.ledger.read_bytes() == before


@pytest.mark.process
def test_a_version_that_a_killed_rollback_made_has_its_artefacts(tmp_path: Path) -> None:
    governed = Governed(tmp_path)
    governed.released(1, kinds=[TFLITE_INT8])
    governed.released(2)
    shutil.copytree(governed.root, tmp_path / "before")

    def prepare() -> None:
        shutil.rmtree(governed.root)
        shutil.copytree(tmp_path / "before", governed.root)

    for _ in killed_before_each_change(prepare, lambda: back(governed)):
        last = releases(governed.ledger.entries())[-1]
        if served(governed) == b"weights 1":
            released_export(governed.root, last, TFLITE_INT8)
        assert not (governed.root / "exports" / "pneumonia" / "2").exists()
    last = releases(governed.ledger.entries())[-1]
    assert released_export(governed.root, last, TFLITE_INT8)


@pytest.mark.process
def test_a_rollback_killed_at_any_instant_leaves_one_model_served_and_a_clear_record(
    governed: Governed, tmp_path: Path
) -> None:
    shutil.copytree(governed.root, tmp_path / "before")

    def prepare() -> None:
        shutil.rmtree(governed.root)
        shutil.copytree(tmp_path / "before", governed.root)

    outcomes = set()
    for _ in killed_before_each_change(prepare, lambda: back(governed)):
        recorded = releases(governed.ledger.entries())[-1].restored == 1
        carried_out = served(governed) == b"weights 1"
        assert served(governed) in (b"weights 1", b"weights 3")
        outcomes.add((recorded, carried_out))
        if recorded and not carried_out:
            with refused(IntegrityError, "A. Radiologist"):
                verify_ledger(governed.root)
            assert withdrawn(governed.ledger.entries())
        else:
            verify_ledger(governed.root)
        if not carried_out:
            back(governed)
        assert served(governed) == b"weights 1"
        assert verify_ledger(governed.root).versions == 4
        assert not (governed.workspace.serving / INCOMING / "pneumonia").exists() or carried_out
    assert outcomes == {(False, False), (True, False), (True, True)}


def test_a_destination_that_cannot_take_the_version_is_one_line(
    governed: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        with refused(ConfigError, "No space left on device; entry "):
            back(governed)
    assert served(governed) == b"weights 3"
    back(governed)
    assert served(governed) == b"weights 1"


def test_the_number_of_a_rollback_that_was_cut_short_is_not_given_again(
    governed: Governed, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = datetime.fromtimestamp(100, timezone.utc)
    monkeypatch.setattr("components.records.clock.system_time", lambda: early)
    done = back(governed)
    shutil.rmtree(governed.destination / "100")
    again = back(governed, to=2)
    assert (done.body["new_version"], again.body["new_version"]) == (100, 101)
    assert verify_ledger(governed.root).versions == 4
