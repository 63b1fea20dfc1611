import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.attestation.checking import check_exported
from components.attestation.envelope import add_signatures, sign
from components.attestation.keys import load_trusted
from components.attestation.signing import attest_decision, attest_release
from components.attestation.statements import ENVIRONMENT, TRAINING
from components.baselines.names import GOLDEN
from components.decision import Verdict, load_decision, save_decision
from components.records.errors import ConfigError, IntegrityError, SignatureError
from components.records.export import (
    EXPORTS,
    TFJS,
    TFLITE_FLOAT,
    TFLITE_INT8,
    export_sha256,
)
from components.records.run_files import DECISION, HTML_REPORT, REPORT, SCORES
from tests.components.attestation.making import PlantedRun, person, planted_run
from tests.components.exporting import artefact, exported
from tests.components.planting import sha
from tests.refusing import refused


@pytest.fixture
def run(tmp_path: Path) -> PlantedRun:
    """Signed by Ann, who is trusted."""
    made = planted_run(tmp_path)
    return made.signed(person(made, "Ann"))


def releases_nothing(run: PlantedRun, *facts: object, threshold: int = 1, **changed: Any) -> None:
    with refused(SignatureError, *facts):
        run.check_releasable(threshold, **changed)


def test_what_was_signed_is_vouched_for(run: PlantedRun) -> None:
    checked = run.check_releasable()
    assert checked.signers == ("Ann",)
    assert checked.model_sha256 == load_decision(run.folder / DECISION).hashes["candidate"]


def test_an_unsigned_decision_is_not(tmp_path: Path) -> None:
    made = planted_run(tmp_path)
    person(made, "Ann")
    releases_nothing(made, made.envelope)


def test_a_signature_by_somebody_unknown_is_not_enough(tmp_path: Path) -> None:
    made = planted_run(tmp_path)
    made.signed(person(made, "Mallory", trusted=False))
    person(made, "Ann")
    releases_nothing(made, made.envelope, "got none", "wanted 1")


def test_nobody_is_trusted_where_there_are_no_keys(run: PlantedRun) -> None:
    releases_nothing(run, "got none", trusted_keys=run.root / "nowhere")


def test_two_are_wanted_and_one_signed(run: PlantedRun) -> None:
    person(run, "Bob")
    releases_nothing(run, "1 (Ann)", "wanted 2", threshold=2)


def test_two_people_sign_one_decision(run: PlantedRun) -> None:
    before = run.check_releasable().statement_sha256
    content = add_signatures(run.envelope.read_bytes(), [person(run, "Bob")], where="w")
    run.envelope.write_bytes(content)
    assert set(run.check_releasable(threshold=2).signers) == {"Ann", "Bob"}
    assert run.check_releasable(threshold=2).statement_sha256 == before


@pytest.mark.parametrize("name", [DECISION, SCORES, HTML_REPORT, REPORT, "champion_scores.json"])
@pytest.mark.parametrize("what", ["replaced", "removed"])
def test_a_file_of_the_run_that_is_not_what_was_signed(
    run: PlantedRun, name: str, what: str
) -> None:
    if what == "removed":
        (run.folder / name).unlink()
    else:
        (run.folder / name).write_text("another")
    releases_nothing(run, f" {name} ")


@pytest.mark.parametrize("name", ["policy.yaml", "case_set.json", "golden.json"])
@pytest.mark.parametrize("what", ["replaced", "removed"])
def test_a_baseline_file_that_is_not_what_was_signed(run: PlantedRun, name: str, what: str) -> None:
    path = run.root / "baseline" / name
    if what == "removed":
        path.unlink()
    else:
        path.write_text("another")
    releases_nothing(run, name)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: (model / "saved_model.pb").write_text("another"),
        lambda model: (model / "variables" / "more").write_text(""),
        lambda model: (model / "variables" / "data").unlink(),
        lambda model: (model / "saved_model.pb").rename(model / "model.pb"),
        shutil.rmtree,
    ],
)
def test_another_model_is_not_vouched_for(run: PlantedRun, change: Callable[..., object]) -> None:
    change(run.model)
    releases_nothing(run, "model ", run.model)


def test_another_champion_is_noticed(run: PlantedRun) -> None:
    (run.root / "champion" / "saved_model.pb").write_text("another")
    releases_nothing(run, "/champion:", " champion ")


@pytest.mark.parametrize("name", [TRAINING, ENVIRONMENT])
def test_another_training_set_or_environment_is_noticed(run: PlantedRun, name: str) -> None:
    there = {**run.there, name: "0" * 64}
    releases_nothing(run, f"{run.envelope}: {name} ", "0" * 12, there=there)


def test_a_redated_decision_is_refused_though_its_own_hash_fits(run: PlantedRun) -> None:
    decision = load_decision(run.folder / DECISION)
    save_decision(replace(decision, created="2025-06-01T00:00:00Z"), run.folder / DECISION)
    releases_nothing(run, " decision.json ")


def test_envelopes_of_two_runs_cannot_be_swapped(tmp_path: Path) -> None:
    one, other = planted_run(tmp_path, run_id="one"), planted_run(tmp_path, run_id="other")
    ann = person(one, "Ann")
    one.signed(ann), other.signed(ann)
    one.envelope.write_bytes(other.envelope.read_bytes())
    releases_nothing(one, one.envelope, "run other")


def test_a_whole_run_cannot_pass_for_another(run: PlantedRun) -> None:
    shutil.copytree(run.folder, run.root / "runs" / "copy")
    copy = replace(run, folder=run.root / "runs" / "copy")
    releases_nothing(copy, copy.envelope, run.folder.name)


def test_a_subject_that_is_not_compared_is_not_taken_on_trust(run: PlantedRun) -> None:
    there = {name: it for name, it in run.there.items() if name != TRAINING}
    releases_nothing(run, run.envelope, TRAINING, there=there)
    checked = run.check_releasable(there=there, unmeasured=[TRAINING])
    assert checked.unmeasured == (TRAINING,)


def test_a_golden_that_was_absent_and_appears(tmp_path: Path) -> None:
    made = planted_run(tmp_path)
    known = {name: it for name, it in made.there.items() if name != GOLDEN}
    attest_decision(made.folder, known, [person(made, "Ann")])
    releases_nothing(made, "golden.json", "absent")
    assert made.check_releasable(there=known).statement.predicate["absent"] == [GOLDEN]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"verdict": Verdict.FAIL, "exit_code": 1}, "FAIL"),
        ({"verdict": Verdict.INCONCLUSIVE, "exit_code": 3}, "INCONCLUSIVE"),
        ({"already_released": True}, "already"),
    ],
)
def test_a_signature_under_a_refusal_releases_nothing(
    tmp_path: Path, changed: dict[str, Any], why: str
) -> None:
    made = planted_run(tmp_path, **changed)
    releases_nothing(made.signed(person(made, "Ann")), made.envelope, why)


def test_something_else_that_ann_signed_is_no_decision(run: PlantedRun, tmp_path: Path) -> None:
    run.envelope.write_bytes(sign(b'{"hello": "world"}', [person(run, "Bob")]))
    releases_nothing(run, run.envelope)


def test_a_threshold_of_nobody_is_a_mistake(run: PlantedRun) -> None:
    with refused(ConfigError, "threshold", "0"):
        run.check_releasable(0)


def test_nothing_is_written_where_a_file_is_missing(tmp_path: Path) -> None:
    made = planted_run(tmp_path)
    (made.folder / REPORT).unlink()
    with refused(IntegrityError, made.folder.name, REPORT):
        made.signed(person(made, "Ann"))
    assert not made.envelope.exists()


def test_a_release_is_signed_for_the_model_that_was_vouched_for(run: PlantedRun) -> None:
    bob = person(run, "Bob")
    told = {"destination": "serving/chest", "version": 7, "decision": run.check_releasable()}
    path = attest_release(run.folder, model_folder=run.model, signers=[bob], **told)
    assert path.name == "release.dsse.json"
    (run.model / "saved_model.pb").write_text("another")
    with refused(SignatureError, run.model, " model "):
        attest_release(run.folder, model_folder=run.model, signers=[bob], **told)


@pytest.fixture
def exporting(tmp_path: Path) -> tuple[PlantedRun, dict[str, Any]]:
    """A run that is signed, of two artefacts that passed; and what signs its release."""
    run = planted_run(tmp_path)
    decision = load_decision(run.folder / DECISION)
    model = str(decision.hashes["candidate"])
    exports = tuple(exported(run.folder, model, kind) for kind in (TFLITE_INT8, TFJS))
    save_decision(replace(decision, exports=exports), run.folder / DECISION)
    ann = person(run, "Ann")
    run.signed(ann)
    folders = {one.kind: run.folder / EXPORTS / one.kind / "artefact" for one in exports}
    given = {"destination": "serving/chest", "version": 7, "decision": run.check_releasable()}
    given |= {"model_folder": run.model, "signers": [ann], "exports": folders}
    return run, given


def test_a_signed_release_names_each_artefact_and_lies_beside_it(
    exporting: tuple[PlantedRun, dict[str, Any]],
) -> None:
    run, given = exporting
    envelope = attest_release(run.folder, **given)
    for kind, folder in given["exports"].items():
        with pytest.raises(SignatureError):
            check_exported(folder, trusted=load_trusted(run.keys))
        shutil.copy(envelope, folder)
        checked = check_exported(folder, trusted=load_trusted(run.keys))
        assert checked.signers == ("Ann",)
        assert checked.statement.subjects[kind] == export_sha256(folder)
        (folder / "labels.txt").write_text("pneumonia\nnormal\n")
        with refused(SignatureError, folder, kind):
            check_exported(folder, trusted=load_trusted(run.keys))


def test_the_signature_of_another_model_is_none_of_an_artefact(
    exporting: tuple[PlantedRun, dict[str, Any]], tmp_path: Path
) -> None:
    run, given = exporting
    envelope = attest_release(run.folder, **given)
    artefact(tmp_path / "other", sha("another model"))
    shutil.copy(envelope, tmp_path / "other")
    with refused(SignatureError, tmp_path / "other"):
        check_exported(tmp_path / "other", trusted=load_trusted(run.keys))


@pytest.mark.parametrize("kinds", [(), (TFLITE_INT8,), (TFLITE_INT8, TFJS, TFLITE_FLOAT)])
def test_no_release_is_signed_with_other_artefacts_than_passed(
    exporting: tuple[PlantedRun, dict[str, Any]], kinds: tuple[str, ...]
) -> None:
    run, given = exporting
    extra = {TFLITE_FLOAT: given["exports"][TFLITE_INT8]}
    folders = {**given["exports"], **extra}
    with refused(SignatureError, "those that passed"):
        attest_release(run.folder, **{**given, "exports": {k: folders[k] for k in kinds}})
