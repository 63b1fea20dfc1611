import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from components.baselines.case_set import load_case_set, save_case_set
from components.baselines.golden import save_golden
from components.baselines.scores import save_scores
from components.cases.draw import draw
from components.cases.sources import open_source
from components.lineage.record import save_record
from components.records import events
from components.records.errors import ConfigError, IntegrityError, PolicyError
from components.records.files import sha256_file
from components.records.ledger.ledger import Ledger
from components.records.run_files import RUN_RECORD, STATISTICS
from components.release.serving import Champion
from pipeline.run import inputs as inputs_module
from pipeline.run.inputs import SCHEMA, Inputs, prepare
from pipeline.settings import baselines as baselines_module
from pipeline.settings.baselines import FIRST_RUN_POLICY, SHIPPED_BASELINES
from tests.components.cases.making import write_npz
from tests.components.gate.test_waiving import waiver
from tests.components.lineage.test_record import record
from tests.components.planting import approved, locked, scored
from tests.pipeline.making import Small
from tests.refusing import refused


def test_new_data_get_a_case_set_and_the_first_runs_policy(small: Small) -> None:
    inputs = small.prepared()
    assert inputs.baseline == small.baseline.resolve()
    assert inputs.policy.sha256 and inputs.policy.name == "first-run"
    assert (small.baseline / "policy.yaml").read_bytes() == FIRST_RUN_POLICY.read_bytes()
    assert len(inputs.case_set.cases) == 160 and inputs.case_set.author == "casegate"
    assert inputs.golden_sha256 == "" and inputs.champion is None


def test_a_policy_that_a_person_put_there_first_is_kept(small: Small) -> None:
    own = FIRST_RUN_POLICY.read_bytes().replace(b"name: first-run", b"name: my-own")
    small.baseline.mkdir(parents=True)
    (small.baseline / "policy.yaml").write_bytes(own)
    assert small.prepared().policy.name == "my-own"
    assert (small.baseline / "policy.yaml").read_bytes() == own


def test_the_case_set_of_the_first_run_stays(small: Small) -> None:
    first = small.prepared()
    write_npz(small.data, rows=170)
    assert small.prepared().case_set_sha256 == first.case_set_sha256


def test_a_shipped_baseline_judges_data_of_its_name(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.prepared()
    shutil.move(small.baseline.parent, tmp_path / "shipped")
    monkeypatch.setattr(baselines_module, "SHIPPED_BASELINES", tmp_path / "shipped")
    assert small.prepared().baseline == tmp_path / "shipped" / "chest"
    assert not small.baseline.exists()


@pytest.mark.parametrize("locked_from", ["phantom", "chest", "chest.csv"])
def test_a_shipped_baseline_judges_nothing_that_only_bears_its_name(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked_from: str
) -> None:
    case_set = small.prepared().case_set
    shutil.move(small.baseline.parent, tmp_path / "shipped")
    save_case_set(replace(case_set, source=locked_from), tmp_path / "shipped/chest/case_set.json")
    monkeypatch.setattr(baselines_module, "SHIPPED_BASELINES", tmp_path / "shipped")
    with refused(ConfigError, small.data, "'chest'", locked_from, "case_set.baseline=chest"):
        small.prepared()
    named = small.prepared("case_set.baseline=chest")
    assert named.baseline == tmp_path / "shipped" / "chest"


def test_a_configured_folder_of_baselines_judges(small: Small, tmp_path: Path) -> None:
    small.prepared()
    shutil.copytree(small.baseline, tmp_path / "own" / "ward")
    where = f"case_set.directory={tmp_path / 'own'}"
    assert small.prepared(where, "case_set.baseline=ward").baseline == tmp_path / "own" / "ward"
    with refused(ConfigError, "case_set.directory: got ", "own/chest", "case_set.json"):
        small.prepared(where)


def test_an_unknown_baseline_is_refused_and_not_made(small: Small) -> None:
    with refused(ConfigError, "case_set.baseline: got 'nope'"):
        small.prepared("case_set.baseline=nope")
    assert not (small.workspace.baselines / "nope").exists()


def test_an_edited_case_set_is_refused(small: Small) -> None:
    small.prepared()
    path = small.baseline / "case_set.json"
    path.write_text(path.read_text().replace('"label":1', '"label":0', 1))
    with refused(IntegrityError, "chest/case_set.json", "Merkle root"):
        small.prepared()


def test_edited_golden_scores_are_refused(small: Small) -> None:
    small.prepared()
    golden = small.baseline / "golden.json"
    save_golden(approved(scored(locked(2, 2))), golden)
    golden.write_text(golden.read_text().replace("A. Radiologist", "B. Nobody"))
    with refused(IntegrityError, "chest/golden.json", "golden_sha256"):
        small.prepared()


def test_a_misspelt_policy_is_refused(small: Small) -> None:
    small.prepared()
    policy = small.baseline / "policy.yaml"
    policy.write_text(policy.read_text().replace("metric: sensitivity", "metric: sensitivty"))
    with refused(PolicyError, "policy.yaml:7: ", "did you mean 'sensitivity'"):
        small.prepared()


def test_attention_cannot_gate_where_nobody_knows_the_lesions(small: Small) -> None:
    small.prepared()
    assert small.prepared().lesions == ""
    policy = small.baseline / "policy.yaml"
    policy.write_text(f"{policy.read_text()}attention: {{role: gate, rationale: planted}}\n")
    with refused(PolicyError, policy, "attention.role", "gate", "supporting"):
        small.prepared()


def test_the_phantom_is_asked_for_its_lesions_unless_the_policy_says_off(
    small: Small, tmp_path: Path
) -> None:
    spec = "data.source=phantom:n=400"
    assert small.prepared(spec).lesions == "phantom:n=400"
    shutil.copytree(SHIPPED_BASELINES / "phantom", tmp_path / "own" / "phantom")
    policy = tmp_path / "own" / "phantom" / "policy.yaml"
    policy.write_text(f"{policy.read_text()}attention: {{role: 'off', rationale: planted}}\n")
    assert small.prepared(spec, f"case_set.directory={tmp_path / 'own'}").lesions == ""


def test_the_case_set_may_come_from_elsewhere(small: Small, tmp_path: Path) -> None:
    other = write_npz(tmp_path / "other.npz", rows=150)
    inputs = small.prepared(f"case_set.source={other}")
    assert len(inputs.case_set.cases) == 150 and inputs.case_set.name == "other"
    assert inputs.case_source_sha256 != inputs.source_sha256


def test_the_schema_is_copied_under_its_hash(small: Small) -> None:
    inputs = small.prepared()
    assert inputs.schema_sha256[:16] in inputs.schema_path.name
    assert inputs.schema_path.read_bytes() == SCHEMA.read_bytes()


def test_a_spoilt_copy_of_the_schema_is_made_again(small: Small) -> None:
    small.prepared().schema_path.write_text("spoilt")
    assert small.prepared().schema_path.read_bytes() == SCHEMA.read_bytes()


CHANGES_TRAINING = {
    "data": {"source_sha256": "x"},
    "case set": {"case_set_sha256": "x"},
    "schema": {"schema_sha256": "x"},
}
CHANGES_THE_VERDICT = {
    "images of the case set": {"case_source_sha256": "x"},
    "golden": {"golden_sha256": "x"},
    "destination": {"destination": Path("x")},
}


@pytest.mark.parametrize("what", [*CHANGES_TRAINING, *CHANGES_THE_VERDICT])
def test_the_fingerprint_follows_what_decides_the_verdict(small: Small, what: str) -> None:
    inputs = small.prepared()
    changed = replace(inputs, **{**CHANGES_TRAINING, **CHANGES_THE_VERDICT}[what])
    assert changed.fingerprint != inputs.fingerprint
    assert (changed.training_sha256 != inputs.training_sha256) == (what in CHANGES_TRAINING)


def test_the_fingerprint_follows_policy_and_settings(small: Small) -> None:
    inputs = small.prepared()
    stricter = replace(inputs, policy=replace(inputs.policy, sha256="x"))
    deeper = replace(inputs, config=small.config("model.epochs=3"))
    assert len({inputs.fingerprint, stricter.fingerprint, deeper.fingerprint}) == 3
    assert stricter.training_sha256 == inputs.training_sha256 != deeper.training_sha256
    patient = replace(inputs, config=small.config("training.wait_minutes=3"))
    assert patient.fingerprint == inputs.fingerprint


def test_a_runtime_that_came_since_makes_an_unchanged_run_look_again(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporting = small.config("exports=[tfjs]")
    found = []
    for node in (None, "/usr/bin/node"):
        monkeypatch.setattr(inputs_module, "presence", lambda node=node: {"node": node})
        plain, exported = small.prepared(), replace(small.prepared(), config=exporting)
        found.append((plain.fingerprint, exported.fingerprint))
        assert exported.training_sha256 == plain.training_sha256
    assert found[0][0] == found[1][0]
    assert found[0][1] != found[1][1]


def test_an_artefact_that_the_policy_requires_has_to_be_made(small: Small) -> None:
    policy = small.prepared().baseline / "policy.yaml"
    rule = "\nexports: {tflite_int8: {required: true, agreement: 0.5, rationale: agreed on}}\n"
    policy.write_text(policy.read_text("utf-8") + rule, encoding="utf-8")
    with refused(ConfigError, "exports", "tflite_int8"):
        small.prepared()
    asked = json.loads(small.prepared("exports=[tflite_int8]").gate_request())
    assert (asked["exports"], asked["released_exports"]) == (["tflite_int8"], [])


def test_the_fingerprint_follows_what_people_decided(small: Small) -> None:
    before = small.prepared().fingerprint
    ledger = Ledger(small.workspace.ledger)
    for expires in ("2020-01-31", "2999-01-31"):
        given = vars(waiver("sensitivity[overall].floor", expires=expires))
        body = {key: value for key, value in given.items() if key not in ("by", "at")}
        ledger.append("waiver", body, by=given["by"], at=given["at"])
        same = small.prepared().fingerprint == before
        assert same == (expires == "2020-01-31")  # one that has expired decides nothing


def test_a_check_that_can_never_pass_stops_before_anything_is_trained(small: Small) -> None:
    small.prepared()
    policy = (small.baseline / "policy.yaml").read_text()
    (small.baseline / "policy.yaml").write_text(policy.replace("margin: 0.05", "margin: 0.01"))
    with refused(
        PolicyError, "policy first-run: sensitivity[overall]", "chest version 1", "wanted 381"
    ):
        small.prepared()


def test_the_fingerprint_follows_the_code(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    before = small.prepared().training_sha256
    monkeypatch.setattr(inputs_module, "deciding_sha256", lambda: "edited")
    assert small.prepared().training_sha256 != before


def test_the_fingerprint_does_not_follow_the_clock(small: Small) -> None:
    first = small.prepared()
    assert replace(first, run_id="run-2", created="later").fingerprint == first.fingerprint


def test_the_gate_is_asked_with_a_hash_beside_every_path(small: Small) -> None:
    inputs = small.prepared()
    asked = json.loads(inputs.gate_request())
    assert asked["case_set"] == [str(inputs.case_set_path), inputs.case_set_sha256]
    assert asked["policy"][1] == inputs.policy.sha256 and asked["golden"][1] == ""
    assert asked["fingerprint"] == inputs.fingerprint
    assert load_case_set(Path(asked["case_set"][0])) == inputs.case_set


def test_the_release_record_names_data_case_set_and_code(small: Small) -> None:
    inputs = small.prepared("owner=ward 3")
    record = inputs.release_record()
    assert record["owner"] == "ward 3" and record["synthetic"] is False
    assert record["case_set_merkle_root"] == inputs.case_set.merkle_root
    assert record["data_sha256"] == inputs.source_sha256
    assert json.loads(json.dumps(record)) == record


def with_champion(inputs: Inputs, folder: Path) -> Inputs:
    return replace(inputs, champion=Champion(1, folder, "0" * 64, folder / "decision.json"))


def test_drift_is_measured_from_the_champions_data(small: Small, tmp_path: Path) -> None:
    inputs = small.prepared()
    assert inputs.previous_statistics == inputs.previous_statistics_sha256 == ""
    released = with_champion(inputs, tmp_path)
    assert released.previous_statistics == ""
    (tmp_path / STATISTICS).write_bytes(b"statistics")
    assert released.previous_statistics == str(tmp_path / STATISTICS)
    assert len(released.previous_statistics_sha256) == 64


def test_a_champion_of_other_software_is_named_to_the_gate(small: Small, tmp_path: Path) -> None:
    inputs = small.prepared()
    assert json.loads(inputs.gate_request())["findings"] == []
    released = with_champion(inputs, tmp_path)
    assert json.loads(released.gate_request())["findings"] == []
    save_record(record(), tmp_path / RUN_RECORD)
    [finding] = json.loads(released.gate_request())["findings"]
    assert f"Python {record().environment.python} -> " in finding
    assert released.fingerprint == inputs.fingerprint


# Spans, and a champion that is released elsewhere


def delivered(folder: Path) -> str:
    """Two spans of the phantom below a folder; their pattern."""
    for number in (1, 2):
        source = open_source(f"phantom:n=60,seed={number}")
        draw(source, folder / f"span-{number:04d}")
    return f"{folder}/span-{{SPAN:4}}"


def test_spans_are_resolved_and_named_one_by_one(small: Small, tmp_path: Path) -> None:
    pattern = delivered(tmp_path / "ward")
    inputs = small.prepared(f"data.source={pattern}", f"case_set.source={small.data}")
    assert inputs.source.spec == f"spans:{pattern}@1-2"
    assert json.loads(inputs.compared_spans()) == {"newest": "span-0002", "previous": "span-0001"}
    rolled = small.prepared(
        f"data.source={pattern}",
        f"case_set.source={small.data}",
        "data.window=rolling",
        "data.window_spans=1",
    )
    assert rolled.source.spec.endswith("@2") and rolled.fingerprint != inputs.fingerprint
    named = small.prepared(f"data.source={inputs.source.spec}", f"case_set.source={small.data}")
    assert named.compared_spans() == inputs.compared_spans()


def test_spans_without_images_of_the_case_set_are_refused(small: Small, tmp_path: Path) -> None:
    with refused(ConfigError, "case_set.source: got null"):
        small.prepared(f"data.source={delivered(tmp_path / 'ward')}")


def test_a_champion_from_elsewhere_is_compared_with_and_part_of_the_fingerprint(
    small: Small, tmp_path: Path
) -> None:
    path = tmp_path / "champion.json"
    save_scores(scored(locked(2, 2)), path)
    told = prepare(small.config(), small.workspace, "run-1", champion_scores=path)
    assert json.loads(told.gate_request())["champion"] == [str(path), sha256_file(path)]
    assert told.fingerprint != small.prepared().fingerprint


def test_two_champions_at_once_are_refused(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = Champion(3, tmp_path, "1" * 64, tmp_path / "decision.json")
    monkeypatch.setattr(inputs_module, "find_champion", lambda *_: served)
    path = tmp_path / "champion.json"
    save_scores(scored(locked(2, 2)), path)
    with refused(ConfigError, "champion.json: ", "serving/pneumonia"):
        prepare(small.config(), small.workspace, "run-1", champion_scores=path)


def heard(small: Small) -> str:
    """What a run says before it trains."""
    told: list[str] = []
    with events.listen(lambda event: told.append(event.detail)):
        small.prepared()
    return "\n".join(told)


def test_the_first_run_on_few_cases_goes_on_with_a_fitted_placeholder(small: Small) -> None:
    write_npz(small.data, rows=60)
    path = small.baseline / "policy.yaml"
    told = heard(small)
    assert str(path.resolve()) in told and "margin of sensitivity" in told
    fitted = path.read_text("utf-8")
    assert fitted != FIRST_RUN_POLICY.read_text("utf-8") and "agreed by nobody" in fitted
    assert str(path.resolve()) in heard(small) and path.read_text("utf-8") == fitted


@pytest.mark.parametrize("approved_by_a_person", [True, False])
def test_a_policy_that_a_person_edited_or_approved_under_is_never_fitted(
    small: Small, approved_by_a_person: bool
) -> None:
    write_npz(small.data, rows=60)
    small.prepared()
    path = small.baseline / "policy.yaml"
    text = FIRST_RUN_POLICY.read_text("utf-8")
    if approved_by_a_person:
        (small.baseline / "golden.json").write_text("{}")
    else:
        text = text.replace("planned_looks: 20", "planned_looks: 21")
    path.write_text(text)
    with refused(PolicyError, path.resolve(), "can be proven"):
        small.prepared()
    assert path.read_text() == text


def test_a_policy_of_ones_own_is_not_called_a_placeholder(small: Small) -> None:
    small.prepared()
    path = small.baseline / "policy.yaml"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    assert "placeholder" not in heard(small)


def test_another_way_to_train_trains_anew(small: Small) -> None:
    mirrored = small.prepared("training.strategy=mirrored")
    assert mirrored.training_sha256 != small.prepared().training_sha256


def test_an_edit_of_ones_own_network_or_another_option_trains_anew(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ownnet.py").write_text("def build(model): ...\n")
    own = "model.network=ownnet:build"
    first = small.prepared(own)
    assert first.release_record()["network"] == "ownnet:build"
    assert small.prepared(own).training_sha256 == first.training_sha256
    other = small.prepared(own, "model.options.width=3")
    (tmp_path / "ownnet.py").write_text("def build(model): return None\n")
    edited = small.prepared(own)
    kept = [each.model_settings() for each in (first, other, edited, small.prepared())]
    assert len({each.training_sha256 for each in (first, other, edited)}) == 3
    assert len({json.dumps(each) for each in kept}) == 4


def test_a_network_that_is_not_there_is_refused_before_the_data_are_read(small: Small) -> None:
    small.data.unlink()
    with refused(ConfigError, "absent_net"):
        small.prepared("model.network=absent_net:build")


def test_a_model_that_was_trained_elsewhere_is_known_by_its_files_and_named_in_the_decision(
    small: Small, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"one graph")
    setting = f"model.saved_model={folder}"
    first = small.prepared(setting)
    assert first.training_sha256 == small.prepared(setting).training_sha256
    (folder / "saved_model.pb").write_bytes(b"another graph")
    assert first.training_sha256 != small.prepared(setting).training_sha256
    assert any("declared, not used" in line and str(folder) in line for line in first.findings)
    assert first.release_record()["saved_model"] == str(folder)
    assert small.prepared().findings == ()
    assert json.loads(first.gate_request())["trained_elsewhere"] is True


def test_a_model_that_is_not_there_or_beside_a_network_is_refused(
    small: Small, tmp_path: Path
) -> None:
    with refused(ConfigError, tmp_path / "absent"):
        small.prepared(f"model.saved_model={tmp_path / 'absent'}")
    with refused(ConfigError, "saved_model", "efficientnet_lite0"):
        small.prepared("model.saved_model=x", "model.network=efficientnet_lite0")
