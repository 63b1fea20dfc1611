"""No model is released that others' programs cannot run, with the scores that it was judged on."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner, Result

from components.baselines.scores import load_scores
from components.decision import Verdict, load_decision
from components.records.errors import IntegrityError, Unservable
from components.records.files import sha256_tree
from components.records.ledger.ledger import Ledger
from components.release.component import AtomicPusherExecutor, pusher_executor
from components.release.serving import versions
from pipeline.cli import main
from pipeline.model import export as export_module
from pipeline.model.explanation import GradCam
from pipeline.model.export import Classifier
from tests.components.scoring import making
from tests.components.scoring.c_program import build, classify
from tests.e2e.conftest import Released
from tests.e2e.making import OTHER_SEED, released_sha256, watched_run
from tests.refusing import refused

pytestmark = pytest.mark.tensorflow


def casegate(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


class TrackedClassifier(Classifier):
    """As models were released before anybody served one: Python alone can run it."""

    def __init__(
        self, network: object, transform: object, operating_point: float, explained: str | None
    ) -> None:
        tf.Module.__init__(self, name="casegate")
        self._network = network
        self._heatmap = GradCam(network, explained).heatmap
        self._prepare = transform.transform_features_layer()  # type: ignore[attr-defined]
        self.operating_point = tf.Variable(operating_point, trainable=False, dtype=tf.float32)

    def for_exports(self) -> dict[str, object]:
        return {}


def test_a_c_program_gets_from_the_release_the_scores_it_was_judged_on(
    honest: Released, tmp_path: Path
) -> None:
    release = honest.second.outcome.release
    assert release is not None
    rows = honest.data.of_split("test")[:80]
    said = classify(build(tmp_path), release.path, [honest.data.folder / r["path"] for r in rows])
    judged = load_scores(release.decision.parent / "scores.json")
    known = dict(zip(judged.case_ids, judged.scores))
    wanted = np.array([known[row["case_id"]] for row in rows])
    np.testing.assert_allclose([p for p, _ in said], wanted, rtol=0, atol=1e-6)
    assert [call for _, call in said] == (wanted >= judged.operating_point).astype(int).tolist()


def test_the_decision_says_what_was_answered_and_where(honest: Released) -> None:
    decision = honest.second.outcome.decision
    (check,) = [check for check in decision.checks if check.rule == "servable"]
    assert check.verdict is Verdict.PASS and check.n == decision.case_set["cases"]
    served = load_scores(honest.second.outcome.report.parent / "scores.json").served
    assert served is not None and served.fault is None and served.alone >= 8
    assert served.largest_difference is not None and served.largest_difference <= 1e-6


def test_a_model_that_only_python_can_run_is_blocked_by_name_in_every_format(
    released: Released, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = released_sha256(released.workspace)
    monkeypatch.setattr(export_module, "Classifier", TrackedClassifier)
    outcome = watched_run(released.data.config(OTHER_SEED), released.workspace).outcome
    decision = outcome.decision
    assert (decision.verdict, decision.exit_code) == (Verdict.FAIL, 1)
    assert [check.check for check in decision.checks if check.open] == ["servable"]
    assert released_sha256(released.workspace) == before
    assert len(versions(released.workspace / "serving" / "pneumonia")) == 1
    assert "servable" in outcome.report.read_text("utf-8")
    assert "servable" in outcome.summary.read_text("utf-8")
    baseline = released.workspace / "baselines" / "small" / "case_set.json"
    for form in ("text", "json", "junit", "sarif", "github", "markdown", "html"):
        scores = outcome.report.parent / "scores.json"
        shown = casegate("gate", "--case-set", baseline, "--candidate", scores, "--format", form)
        assert shown.exit_code == 1
        assert "ervable" in shown.stdout or "Served" in shown.stdout, form
        if form == "junit":
            failed = ElementTree.fromstring(shown.stdout).findall(".//testcase[failure]")
            assert [case.get("name") for case in failed] == ["servable"]
        if form == "sarif":
            results = json.loads(shown.stdout)["runs"][0]["results"]
            assert [r["ruleId"] for r in results if r["level"] == "error"] == ["servable"]
    waived = casegate(
        *("waive", "servable", "--run", decision.run_id, "--by", "A", "--second", "B"),
        *("--reason", "only the loader", "--expires", "2099-01-01"),
        *("--workspace", released.workspace),
    )
    assert waived.exit_code == 2


@pytest.mark.parametrize(
    "kind",
    [
        "no variables",  # tests of scoring show that each of them is found
        pytest.param("no serve_examples", marks=pytest.mark.slow),
        pytest.param("a torn shard", marks=pytest.mark.slow),
    ],
)
def test_a_model_that_nothing_can_run_is_blocked_with_a_decision(
    kind: str, released: Released, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export(classifier: Classifier, directory: str, record: object) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        making.UNSERVABLE[kind][0](Path(directory))

    monkeypatch.setattr(export_module, "export", export)
    config = released.data.config(OTHER_SEED, "model.epochs=1")
    outcome = watched_run(config, released.workspace).outcome
    decision = load_decision(outcome.report.with_name("decision.json"))
    assert (decision.verdict, decision.exit_code) == (Verdict.FAIL, 1)
    blocking = [check.check for check in decision.checks if check.open]
    assert blocking[0] == "servable" and "scores.finite.candidate" in blocking
    assert len(versions(released.workspace / "serving" / "pneumonia")) == 1


def test_files_that_change_between_the_verdict_and_the_push_are_not_released(
    retrained: Released, monkeypatch: pytest.MonkeyPatch
) -> None:
    push = pusher_executor.Executor.Do

    def altered(self: AtomicPusherExecutor, inputs: dict, outputs: dict, properties: dict) -> None:
        push(self, inputs, outputs, properties)
        for version in (retrained.workspace / "serving" / ".incoming" / "pneumonia").iterdir():
            (version / "assets.extra" / "release.json").write_text("{}")

    monkeypatch.setattr(pusher_executor.Executor, "Do", altered)
    before = released_sha256(retrained.workspace)
    with refused(IntegrityError, "wanted ", "not those that were judged"):
        watched_run(retrained.data.config(OTHER_SEED), retrained.workspace)
    assert released_sha256(retrained.workspace) == before
    kinds = [entry.kind for entry in Ledger(retrained.workspace / "ledger.jsonl").entries()]
    assert kinds.count("release") == 1


def test_a_model_without_warm_up_is_judged_and_not_released(
    released: Released, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_module, "_write_warm_up", lambda *given: None)
    before = released_sha256(released.workspace)
    with refused(Unservable, "tf_serving_warmup_requests", "nothing was pushed"):
        watched_run(released.data.config(OTHER_SEED), released.workspace)
    assert released_sha256(released.workspace) == before


def test_a_champion_of_before_judges_with_a_remark_and_nobody_rolls_back_to_it(
    released: Released, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a workspace of before: the released version can be run by Python alone."""
    destination = released.workspace / "serving" / "pneumonia"
    with monkeypatch.context() as before:
        before.setattr(export_module, "Classifier", TrackedClassifier)
        before.setattr("components.gate.decide.servable_checks", lambda *given, **named: [])
        for check in ("_refuse_other", "_refuse_unservable"):
            before.setattr(f"components.release.component.{check}", lambda *given: None)
        config = released.data.config(OTHER_SEED)
        assert watched_run(config, released.workspace).outcome.exit_code == 0
    old = versions(destination)[-1]
    outcome = watched_run(released.data.config(), released.workspace).outcome
    assert outcome.exit_code == 0 and outcome.decision.hashes["champion"] is not None
    assert any("champion cannot be served" in finding for finding in outcome.decision.findings)
    newest = versions(destination)[-1]
    back = casegate(
        *("rollback", "--to", old, "--by", "A", "--reason", "b"),
        *("--workspace", released.workspace),
    )
    assert back.exit_code == 1 and "conv2d" in back.stderr
    assert versions(destination)[-1] == newest
    checked = casegate(
        "lineage", "verify", "--workspace", released.workspace, "--all", "--format", "json"
    )
    facts = json.loads(checked.stdout)["facts"]
    answers = {name: said for name, said in facts.items() if name.startswith("can be served")}
    assert answers[f"can be served: serving/pneumonia/{newest}"] == "yes"
    assert answers[f"can be served: serving/pneumonia/{old}"].startswith("no: ")


def test_cases_verify_tries_any_model_on_the_locked_images(
    honest: Released, tmp_path: Path
) -> None:
    release = honest.second.outcome.release
    assert release is not None
    baseline = honest.workspace / "baselines" / "small" / "case_set.json"
    source = (baseline, "--source", honest.data.folder)
    said = casegate("cases", "verify", *source, "--model", release.path)
    assert said.exit_code == 0 and "500 cases" in said.stdout
    copy = tmp_path / "model"
    shutil.copytree(release.path, copy)
    shutil.rmtree(copy / "variables")
    assert sha256_tree(copy) != release.sha256
    refused = casegate("cases", "verify", *source, "--model", copy)
    assert refused.exit_code == 2 and "variables.index" in refused.stderr
