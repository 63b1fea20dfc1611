"""A bill of materials that CycloneDX' own strict schema accepts."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from cyclonedx.model.bom import Bom

from components.lineage.record import RunInputs
from components.records.errors import IntegrityError
from components.records.ledger.records import Release
from pipeline.evidence.bundle.bom import cyclonedx_json, fault_in
from tests.components.bundle.tracing import AWKWARD
from tests.components.lineage.test_record import record
from tests.components.report.making import FLOOR, MARGIN, decision
from tests.refusing import refused

PACKAGES = {"numpy": "1.26.4", "ruamel.yaml": "0.18", "Jinja2": "3.1.6"}
RECORD = record(inputs=RunInputs(data="planted", training_root="ab" * 32, training_cases=6))
RECORD = replace(RECORD, environment=replace(RECORD.environment, packages=PACKAGES))
BOUNDED = replace(FLOOR, slice="device=Aster", estimate=0.95, lower=0.9, upper=1.0)
UNBOUNDED = replace(FLOOR, metric="auc", estimate=0.99, lower=None, upper=None)
DECISION = replace(decision(BOUNDED, UNBOUNDED, MARGIN), slices=())
AT = "2026-01-01T00:01:00.000Z"
RELEASE = Release("serving/chest", 7, "ab" * 32, "cd" * 32, 4, "release", "casegate", AT)


def billed(**changed: Any) -> bytes:
    return cyclonedx_json(replace(RECORD, **changed), DECISION, RELEASE)


def test_the_strict_schema_accepts_it() -> None:
    assert fault_in(billed()) is None


def test_the_strict_schema_would_refuse_a_key_it_does_not_know() -> None:
    document = json.loads(billed())
    document["metadata"]["component"]["modelCard"]["accuracy"] = 1
    assert fault_in(json.dumps(document).encode()) is not None


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff"])
def test_what_is_no_bill_has_a_fault(content: bytes) -> None:
    assert fault_in(content) is not None


def test_packages_are_components_with_their_purl() -> None:
    components = json.loads(billed())["components"]
    purls = {c["purl"] for c in components if c["type"] == "library"}
    assert purls == {
        "pkg:pypi/jinja2@3.1.6",
        "pkg:pypi/numpy@1.26.4",
        "pkg:pypi/ruamel.yaml@0.18",
    }


def test_the_model_card_has_the_figures_with_their_bounds() -> None:
    model = json.loads(billed())["metadata"]["component"]
    assert (model["type"], model["version"]) == ("machine-learning-model", "7")
    first, second = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert first["slice"] == "device=Aster"
    assert first["confidenceInterval"] == {"lowerBound": "0.9", "upperBound": "1.0"}
    assert "confidenceInterval" not in second


def test_data_are_components_that_the_model_card_names() -> None:
    document = json.loads(billed())
    (data,) = (c for c in document["components"] if c["type"] == "data")
    card = document["metadata"]["component"]["modelCard"]
    assert card["modelParameters"]["datasets"] == [{"ref": data["bom-ref"]}]
    assert {"name": "casegate:Merkle root", "value": "ab" * 32} in data["properties"]


def test_the_same_bill_gives_the_same_bytes_and_states_no_present_time() -> None:
    assert billed() == billed()
    assert "timestamp" not in json.loads(billed(finished=None))["metadata"]


def test_awkward_names_are_accepted() -> None:
    environment = replace(RECORD.environment, packages={AWKWARD: "1"}, python=AWKWARD)
    awkward = replace(RECORD, environment=environment)
    release = replace(RELEASE, destination=f"serving/{AWKWARD}")
    assert fault_in(cyclonedx_json(awkward, DECISION, release)) is None


def test_a_bill_that_the_schema_refuses_is_never_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.evidence.bundle.bom.fault_in", lambda content: "planted")
    with refused(IntegrityError, "planted"):
        billed()


def test_checking_a_bill_does_not_wait_for_a_grammar_that_nothing_here_uses() -> None:
    code = (
        "import sys; from pipeline.evidence.bundle.bom import fault_in; fault_in(b'{}')\n"
        "sys.exit('rfc3987_syntax.syntax_helpers' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_librarys_reader_finds_the_model_its_packages_and_its_data() -> None:
    read = Bom.from_json(json.loads(billed()))
    assert read.metadata.component is not None
    assert (read.metadata.component.name, read.metadata.component.version) == ("chest", "7")
    found = {(one.type.value, one.name, one.version) for one in read.components}
    assert ("library", "numpy", "1.26.4") in found and ("data", "planted", None) in found
    (model,) = [one for one in read.dependencies if one.ref.value == "model"]
    assert len(model.dependencies) == len(PACKAGES) + 1
