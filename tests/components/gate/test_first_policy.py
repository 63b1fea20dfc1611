from pathlib import Path

import pytest
import yaml

from components.gate.first_policy import fit_policy
from components.gate.policy import load_policy
from components.gate.preflight import preflight, refuse_hopeless
from components.records.errors import PolicyError
from pipeline.settings.config import CONFIGS
from tests.components.gate.test_preflight import locked
from tests.refusing import refused

PLACEHOLDER = CONFIGS / "first_run_policy.yaml"


def test_what_the_cases_can_prove_stays_as_it_is() -> None:
    text, moved = fit_policy(PLACEHOLDER, locked(390, 234))
    assert (text, moved) == (PLACEHOLDER.read_text("utf-8"), ())


@pytest.mark.parametrize(("positives", "negatives"), [(30, 60), (60, 30), (12, 9), (5, 200)])
def test_the_fitted_placeholder_is_the_nearest_that_can_pass(
    tmp_path: Path, positives: int, negatives: int
) -> None:
    case_set = locked(positives, negatives)
    with pytest.raises(PolicyError):
        refuse_hopeless(load_policy(PLACEHOLDER), case_set)
    text, moved = fit_policy(PLACEHOLDER, case_set)
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    refuse_hopeless(load_policy(path), case_set)
    assert moved and all(sentence in text for sentence in moved)
    for place, check in enumerate(yaml.safe_load(text)["checks"]):
        before = yaml.safe_load(PLACEHOLDER.read_text("utf-8"))["checks"][place]
        assert check["margin"] >= before["margin"] and check["floor"] <= before["floor"]
        for key, step in (("margin", -0.01), ("floor", 0.01)):
            if check[key] != before[key]:
                nearer = yaml.safe_load(text)
                nearer["checks"][place][key] = round(check[key] + step, 2)
                path.write_text(yaml.safe_dump(nearer), encoding="utf-8")
                with pytest.raises(PolicyError):
                    refuse_hopeless(load_policy(path), case_set)


def test_the_refusal_names_the_file_and_the_number_that_would_do() -> None:
    rules = load_policy(PLACEHOLDER)
    with refused(
        PolicyError, "w/policy.yaml: policy first-run: sensitivity[overall].", "can be proven"
    ):
        refuse_hopeless(rules, locked(30, 200), path=Path("w/policy.yaml"))


def test_the_agreement_of_an_artefact_is_fitted_where_one_is_made(tmp_path: Path) -> None:
    few, kinds = locked(60, 40), ("tflite_int8", "tfjs")
    path = tmp_path / "policy.yaml"
    path.write_text(fit_policy(PLACEHOLDER, few, kinds)[0], encoding="utf-8")
    policy = load_policy(path)
    assert {kind: rule.agreement for kind, rule in policy.exports.items()} == dict.fromkeys(
        kinds, 0.96
    )
    assert all(one.possible for one in preflight(policy, few) if one.rule == "alike")
    assert "exports" not in fit_policy(PLACEHOLDER, locked(390, 234), kinds)[0]
