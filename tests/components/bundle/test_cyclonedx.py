"""A bill of materials that CycloneDX' own strict schema accepts."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from cyclonedx.model.bom import Bom

from components.bundle.cyclonedx import Bill, BillMetric, Dataset, cyclonedx_json, fault_in
from components.records.errors import IntegrityError
from tests.components.bundle.tracing import AWKWARD
from tests.refusing import refused

BILL = Bill(
    name="chest",
    version="7",
    at="2026-01-01T00:01:00.000Z",
    serial="0123abcd/R1/7",
    packages={"numpy": "1.26.4", "ruamel.yaml": "0.18", "Jinja2": "3.1.6"},
    datasets=(Dataset("planted", "training", None, ("Merkle root", "ab" * 32), 6),),
    metrics=(
        BillMetric("sensitivity", "device=Aster", 0.95, 0.9, 1.0),
        BillMetric("auc", "overall", 0.99),
    ),
    properties={"run_id": "R1"},
)


def test_the_strict_schema_accepts_it() -> None:
    assert fault_in(cyclonedx_json(BILL)) is None


def test_the_strict_schema_would_refuse_a_key_it_does_not_know() -> None:
    document = json.loads(cyclonedx_json(BILL))
    document["metadata"]["component"]["modelCard"]["accuracy"] = 1
    assert fault_in(json.dumps(document).encode()) is not None


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff"])
def test_what_is_no_bill_has_a_fault(content: bytes) -> None:
    assert fault_in(content) is not None


def test_packages_are_components_with_their_purl() -> None:
    components = json.loads(cyclonedx_json(BILL))["components"]
    purls = {c["purl"] for c in components if c["type"] == "library"}
    assert purls == {
        "pkg:pypi/jinja2@3.1.6",
        "pkg:pypi/numpy@1.26.4",
        "pkg:pypi/ruamel.yaml@0.18",
    }


def test_the_model_card_has_the_figures_with_their_bounds() -> None:
    model = json.loads(cyclonedx_json(BILL))["metadata"]["component"]
    assert (model["type"], model["version"]) == ("machine-learning-model", "7")
    first, second = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert first["slice"] == "device=Aster"
    assert first["confidenceInterval"] == {"lowerBound": "0.9", "upperBound": "1.0"}
    assert "confidenceInterval" not in second


def test_data_are_components_that_the_model_card_names() -> None:
    document = json.loads(cyclonedx_json(BILL))
    (data,) = (c for c in document["components"] if c["type"] == "data")
    card = document["metadata"]["component"]["modelCard"]
    assert card["modelParameters"]["datasets"] == [{"ref": data["bom-ref"]}]
    assert {"name": "casegate:Merkle root", "value": "ab" * 32} in data["properties"]


def test_the_same_bill_gives_the_same_bytes_and_states_no_present_time() -> None:
    assert cyclonedx_json(BILL) == cyclonedx_json(BILL)
    assert "timestamp" not in json.loads(cyclonedx_json(replace(BILL, at=None)))["metadata"]


def test_awkward_names_are_accepted() -> None:
    bill = replace(BILL, name=AWKWARD, packages={AWKWARD: "1"}, properties={"x": AWKWARD})
    assert fault_in(cyclonedx_json(bill)) is None


def test_a_bill_that_the_schema_refuses_is_never_given_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.bundle.cyclonedx.fault_in", lambda content: "planted")
    with refused(IntegrityError, "planted"):
        cyclonedx_json(BILL)


def test_checking_a_bill_does_not_wait_for_a_grammar_that_nothing_here_uses() -> None:
    code = (
        "import sys; from components.bundle.cyclonedx import fault_in; fault_in(b'{}')\n"
        "sys.exit('rfc3987_syntax.syntax_helpers' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_librarys_reader_finds_the_model_its_packages_and_its_data() -> None:
    read = Bom.from_json(json.loads(cyclonedx_json(BILL)))
    assert read.metadata.component is not None
    assert (read.metadata.component.name, read.metadata.component.version) == ("chest", "7")
    found = {(one.type.value, one.name, one.version) for one in read.components}
    assert ("library", "numpy", "1.26.4") in found and ("data", "planted", None) in found
    (model,) = [one for one in read.dependencies if one.ref.value == "model"]
    assert len(model.dependencies) == len(BILL.packages) + len(BILL.datasets)
