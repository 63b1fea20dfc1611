"""A version appears in the served folder whole or not at all, and above every other one."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tfx import v1 as tfx
from tfx.components.pusher import executor as pusher_executor
from tfx.types.standard_artifacts import Model, ModelBlessing, PushedModel
from tfx.utils import io_utils, path_utils, proto_utils

from components.baselines.export_scores import load_export_scores
from components.decision import Verdict, load_decision, save_decision
from components.records.errors import IntegrityError, SignatureError, Unservable
from components.records.export import (
    EXPORTS,
    TFJS,
    TFLITE_FLOAT,
    TFLITE_INT8,
    export_sha256,
)
from components.records.files import sha256_tree
from components.records.ledger.ledger import Ledger
from components.records.ledger.records import releases
from components.release import component
from components.release.component import AtomicPusherExecutor
from components.release.placing import discard_interrupted
from components.release.serving import INCOMING, discard_incoming, versions
from tests.components.exporting import exported
from tests.components.gate.test_decide import judged
from tests.components.planting import locked, scored
from tests.components.release.test_serving import decide
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    return tmp_path / "serving" / "chest"


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A Model artifact with the files of a SavedModel."""
    artifact = Model()
    artifact.uri = str(tmp_path / "model")
    folder = Path(path_utils.serving_model_dir(artifact.uri))
    for name in ("saved_model.pb", "variables/data", "assets.extra/release.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    decide(tmp_path / "runs", "run-1", sha256_tree(folder))
    return artifact


def push(model: Model, destination: Path, *, blessed: bool = True, run: str = "1") -> PushedModel:
    blessing, pushed = ModelBlessing(), PushedModel()
    blessing.set_int_custom_property("blessed", int(blessed))
    pushed.uri = str(destination.parents[1] / f"pushed-{run}")
    where = tfx.proto.PushDestination(
        filesystem=tfx.proto.PushDestination.Filesystem(base_directory=str(destination))
    )
    AtomicPusherExecutor().Do(
        {"model": [model], "model_blessing": [blessing]},
        {"pushed_model": [pushed]},
        {
            "push_destination": proto_utils.proto_to_json(where),
            "custom_config": json.dumps(told(destination.parents[1])),
        },
    )
    return pushed


def keeps_the_contract(model: Path) -> None:
    """Stands for what the pipeline names: it would load the model."""
    assert model.parent.parent.name == INCOMING


def keeps_it_not(model: Path) -> None:
    raise Unservable(f"{model}: no label")


def told(workspace: Path) -> dict[str, Any]:
    """What the pipeline tells Pusher, as `Inputs.push_request` does."""
    return {
        "check_fn": f"{__name__}.keeps_the_contract",
        "ledger": str(workspace / "ledger.jsonl"),
        "runs": str(workspace / "runs"),
        "run_folder": str(workspace / "runs" / "run-1"),
        "workspace": str(workspace),
        "subjects": {},
        "keys": str(workspace / "keys"),
        "threshold": 1,
        "unsigned": True,
        "problems": str(workspace / ".problem.json"),
    }


def recorded(destination: Path) -> list[tuple[str, int]]:
    """Destination and version of every release in the ledger."""
    entries = Ledger(destination.parents[1] / "ledger.jsonl").entries()
    return [(release.destination, release.version) for release in releases(entries)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def set_to(seconds: int) -> None:
        stopped = SimpleNamespace(time=lambda: seconds)
        monkeypatch.setattr(pusher_executor, "time", stopped)

    return set_to


def test_a_blessed_model_appears_whole(model: Model, destination: Path) -> None:
    pushed = push(model, destination)
    (version,) = versions(destination)
    target = destination / str(version)
    assert sha256_tree(target) == sha256_tree(Path(path_utils.serving_model_path(model.uri)))
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == str(target)
    assert pushed.get_string_custom_property("pushed_version") == str(version)
    assert not (destination.parent / INCOMING).exists()
    assert recorded(destination) == [("serving/chest", version)]


def test_a_model_that_is_not_blessed_touches_nothing(model: Model, destination: Path) -> None:
    pushed = push(model, destination, blessed=False)
    assert pushed.get_int_custom_property("pushed") == 0
    assert not destination.parent.exists() and recorded(destination) == []


def test_while_files_are_copied_the_served_folder_does_not_change(
    model: Model, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = []

    def watched(source: str, target: str, overwrite: bool = False) -> None:
        copied.append(destination.exists())
        Path(target).write_bytes(Path(source).read_bytes())

    monkeypatch.setattr(io_utils, "copy_file", watched)
    push(model, destination)
    assert copied and not any(copied)


@pytest.mark.parametrize("crash_in", ["copy_file", "sync_tree"])
def test_a_crash_leaves_the_served_folder_as_it_was(
    model: Model,
    destination: Path,
    clock: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    crash_in: str,
) -> None:
    def crash(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    clock(100)
    push(model, destination)
    before = sha256_tree(destination)
    clock(200)
    with monkeypatch.context() as patched:
        patched.setattr(io_utils if crash_in == "copy_file" else component, crash_in, crash)
        with pytest.raises(KeyboardInterrupt):
            push(model, destination, run="2")
    assert sha256_tree(destination) == before and versions(destination) == [100]
    assert (destination.parent / INCOMING).exists()
    discard_incoming(destination)
    push(model, destination, run="3")
    assert versions(destination) == [100, 200]


@pytest.mark.parametrize("seconds", [100, 50])
def test_a_clock_that_stood_still_or_went_back_still_gives_a_higher_version(
    model: Model, destination: Path, clock: Callable[[int], None], seconds: int
) -> None:
    clock(100)
    push(model, destination)
    clock(seconds)
    pushed = push(model, destination, run="2")
    assert versions(destination) == [100, 101]
    assert pushed.get_string_custom_property("pushed_version") == "101"
    assert pushed.get_string_custom_property("pushed_destination") == str(destination / "101")


def test_a_model_that_has_to_be_signed_and_is_not_stays_where_it_is(
    model: Model, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = {**told(destination.parents[1]), "unsigned": False}
    monkeypatch.setattr(f"{__name__}.told", lambda workspace: strict)
    with refused(SignatureError):
        push(model, destination)
    assert versions(destination) == []


def test_with_a_key_at_hand_a_missing_signature_is_no_unsigned_release(
    model: Model, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(component, "load_signers", lambda: ("a signer",))
    with refused(SignatureError):
        push(model, destination)
    assert versions(destination) == []


def test_files_that_changed_since_they_were_judged_are_not_pushed(
    model: Model, destination: Path
) -> None:
    folder = Path(path_utils.serving_model_path(model.uri))
    (folder / "variables" / "data").write_text("another optimizer step")
    with refused(IntegrityError, sha256_tree(folder)[:12]):
        push(model, destination)
    assert not destination.exists() and recorded(destination) == []


@pytest.mark.parametrize("verdict", [None, Verdict.FAIL, Verdict.INCONCLUSIVE])
def test_nothing_is_pushed_that_no_decision_says_can_be_served(
    model: Model, destination: Path, verdict: Verdict | None
) -> None:
    path = destination.parents[1] / "runs" / "run-1" / "decision.json"
    decision = load_decision(path)
    others = tuple(check for check in decision.checks if check.rule != "servable")
    (served,) = set(decision.checks) - set(others)
    said = () if verdict is None else (replace(served, verdict=verdict),)
    save_decision(replace(decision, checks=(*said, *others)), path)
    with refused(IntegrityError, path):
        push(model, destination)
    assert not destination.exists() and recorded(destination) == []


def test_a_model_that_does_not_keep_the_contract_is_not_pushed(
    model: Model, destination: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = {**told(destination.parents[1]), "check_fn": f"{__name__}.keeps_it_not"}
    monkeypatch.setattr(f"{__name__}.told", lambda workspace: strict)
    with refused(Unservable, "no label", "nothing was pushed"):
        push(model, destination)
    assert not destination.exists() and recorded(destination) == []


@pytest.fixture
def judged_exports(model: Model, destination: Path) -> dict[str, str]:
    """Artefacts that the decision on the model judged, of which one did not pass."""
    folder = destination.parents[1] / "runs" / "run-1"
    sha256 = sha256_tree(Path(path_utils.serving_model_path(model.uri)))
    made = tuple(exported(folder, sha256, kind) for kind in (TFLITE_INT8, TFJS))
    failed = exported(folder, sha256, TFLITE_FLOAT, verdict=Verdict.FAIL)
    decision = load_decision(folder / "decision.json")
    save_decision(replace(decision, exports=(*made, failed)), folder / "decision.json")
    return {one.kind: str(one.sha256) for one in made}


def test_the_artefacts_that_passed_are_released_with_their_model(
    model: Model, destination: Path, judged_exports: dict[str, str]
) -> None:
    push(model, destination)
    (release,) = releases(Ledger(destination.parents[1] / "ledger.jsonl").entries())
    assert release.exports == judged_exports
    placed = destination.parents[1] / release.exports_folder
    assert {path.name: export_sha256(path) for path in placed.iterdir()} == judged_exports


def test_an_artefact_that_lost_a_never_miss_case_is_not_released_and_its_model_is(
    model: Model, destination: Path
) -> None:
    folder, never_miss = destination.parents[1] / "runs" / "run-1", locked(200, 200, sentinels=(3,))
    sha256 = sha256_tree(Path(path_utils.serving_model_path(model.uri)))
    for kind, wrong in ((TFLITE_INT8, [3]), (TFLITE_FLOAT, [])):
        exported(folder, sha256, kind, scores=scored(never_miss, wrong=wrong))
    given = {k: load_export_scores(folder / EXPORTS / k, k) for k in (TFLITE_INT8, TFLITE_FLOAT)}
    ours = replace(scored(never_miss), model_sha256=sha256)
    found = judged(ours, case_set=never_miss, exports=given)
    decision = load_decision(folder / "decision.json")
    save_decision(replace(decision, exports=found.exports), folder / "decision.json")
    push(model, destination)
    (release,) = releases(Ledger(destination.parents[1] / "ledger.jsonl").entries())
    assert [*release.exports] == [TFLITE_FLOAT]


def test_an_artefact_altered_since_it_was_judged_stops_the_push(
    model: Model, destination: Path, judged_exports: dict[str, str]
) -> None:
    folder = destination.parents[1] / "runs" / "run-1" / "exports" / TFLITE_INT8 / "artefact"
    (folder / "labels.txt").write_text("pneumonia\nnormal\n")
    with refused(IntegrityError, folder):
        push(model, destination)
    assert versions(destination) == [] and recorded(destination) == []
    assert not (destination.parents[1] / "exports" / destination.name).exists()


def test_an_artefact_gone_from_its_version_before_it_is_on_record_is_refused(
    model: Model, destination: Path, judged_exports: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(component, "place_exports", lambda staged, exports, signed: None)
    with refused(IntegrityError, destination.parents[1] / "exports" / destination.name):
        push(model, destination)
    assert recorded(destination) == []


def test_the_killed_push_of_a_model_leaves_no_artefact_behind(
    model: Model, destination: Path, judged_exports: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = destination.parents[1]
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", renaming_all_but(destination))
        with pytest.raises(KeyboardInterrupt):
            push(model, destination)
    assert versions(destination) == [] and versions(workspace / "exports" / destination.name)
    discard_interrupted(destination, workspace, Ledger(workspace / "ledger.jsonl"))
    assert versions(workspace / "exports" / destination.name) == []
    push(model, destination, run="2")
    (release,) = releases(Ledger(workspace / "ledger.jsonl").entries())
    assert release.exports == judged_exports


def renaming_all_but(destination: Path) -> Callable[[Path, Path], Path]:
    """Path.rename, which dies where it should put a version in the destination."""
    rename = Path.rename

    def renamed(path: Path, target: Path) -> Path:
        if target.parent == destination:
            raise KeyboardInterrupt
        return rename(path, target)

    return renamed
