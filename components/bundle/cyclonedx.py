"""A released model as a CycloneDX 1.6 bill of materials: model, data, and every package behind it.

Security tools look up packages in such a list; the model itself is described by the model card that
CycloneDX has for machine learning, with the figures the gate judged by.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from components.records.clock import parse_time
from components.records.errors import IntegrityError
from components.records.files import canonical_json
from components.records.schema import import_jsonschema

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

MODEL = "model"


@dataclass(frozen=True)
class BillMetric:
    """One figure with its bounds; `slice` is 'overall' or such as 'device=Cirrus'."""

    name: str
    slice: str
    value: float
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class Dataset:
    """Attributes:
    role: training or evaluation.
    digest: what identifies its content, such as ('Merkle root', hex).
    """

    name: str
    role: str
    version: str | None
    digest: tuple[str, str]
    cases: int | None


@dataclass(frozen=True)
class Bill:
    """What a bill of materials is made from.

    Attributes:
      version: of the release; None where nothing was released.
      at: ISO 8601 in UTC.
      serial: text that makes its serial number, so that the same release has the same one.
    """

    name: str
    version: str | None
    at: str | None
    serial: str
    packages: Mapping[str, str]
    datasets: tuple[Dataset, ...] = ()
    metrics: tuple[BillMetric, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)


def cyclonedx_json(bill: Bill) -> bytes:
    """The bill as JSON that the standard's own strict schema accepts.

    Raises:
      IntegrityError: it does not.
    """
    document = _document(bill)
    written = canonical_json(document) + b"\n"
    if fault := fault_in(written):
        raise IntegrityError(f"bill of materials: {fault}; report this")
    return written


def fault_in(content: bytes) -> str | None:
    """What CycloneDX 1.6's strict JSON schema has against a document; None where nothing."""
    import_jsonschema()
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    try:
        error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(content.decode())
    except (UnicodeDecodeError, json.JSONDecodeError) as fault:
        return f"not JSON: {fault}"
    return None if error is None else " ".join(str(error).split())[:300]


def _document(bill: Bill) -> dict[str, Any]:
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.output.json import JsonV1Dot6

    model = _model(bill)
    packages = [_package(name, version) for name, version in sorted(bill.packages.items())]
    datasets = [_dataset(one) for one in bill.datasets]
    bom = Bom(
        components=[*packages, *datasets],
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"urn:casegate:{bill.serial}"),
        metadata=BomMetaData(component=model, timestamp=parse_time(bill.at) if bill.at else None),
    )
    bom.register_dependency(model, [*packages, *datasets])
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    # The library knows the card of a model and the data of a component by name only.
    document["metadata"]["component"]["modelCard"] = _model_card(bill)
    if bill.at is None:
        del document["metadata"]["timestamp"]  # the library puts the present there
    for component in document["components"]:
        if component["type"] == "data":
            component["data"] = [{"type": "dataset", "name": component["name"]}]
    return document


def _model(bill: Bill) -> "Component":
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    named = sorted(bill.properties.items())
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=bill.name,
        version=bill.version,
        bom_ref=MODEL,
        properties=[Property(name=f"casegate:{name}", value=value) for name, value in named],
    )


def _package(name: str, version: str) -> "Component":
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    purl = PackageURL("pypi", None, name, version)
    return Component(
        type=ComponentType.LIBRARY, name=name, version=version, purl=purl, bom_ref=purl.to_string()
    )


def _dataset(dataset: Dataset) -> "Component":
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    found = [Property(name="casegate:role", value=dataset.role)]
    found.append(Property(name=f"casegate:{dataset.digest[0]}", value=dataset.digest[1]))
    if dataset.cases is not None:
        found.append(Property(name="casegate:cases", value=str(dataset.cases)))
    return Component(
        type=ComponentType.DATA,
        name=dataset.name,
        version=dataset.version,
        bom_ref=_reference(dataset),
        properties=found,
    )


def _reference(dataset: Dataset) -> str:
    return f"data-{dataset.role}-{dataset.digest[1][:16]}"


def _model_card(bill: Bill) -> dict[str, Any]:
    metrics = []
    for metric in bill.metrics:
        row: dict[str, Any] = {"type": metric.name, "slice": metric.slice}
        row["value"] = str(metric.value)
        bounds = {"lowerBound": metric.lower, "upperBound": metric.upper}
        known = {name: str(value) for name, value in bounds.items() if value is not None}
        if known:
            row["confidenceInterval"] = known
        metrics.append(row)
    card: dict[str, Any] = {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "binary classification",
            "inputs": [{"format": "image"}],
            "outputs": [{"format": "probability"}, {"format": "label at the operating point"}],
            "datasets": [{"ref": _reference(dataset)} for dataset in bill.datasets],
        }
    }
    if metrics:
        card["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    return card
