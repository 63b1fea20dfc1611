"""A released model as a CycloneDX 1.6 bill of materials: model, data, and every package behind it.

Security tools look up packages in such a list; the model itself is described by the model card that
CycloneDX has for machine learning, with the figures the gate judged by.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from components.decision import CheckResult, Decision, SliceEstimate
from components.lineage.record import RunRecord
from components.records.clock import parse_time
from components.records.errors import IntegrityError
from components.records.files import canonical_json
from components.records.ledger.records import Release
from components.records.schema import import_jsonschema
from pipeline.evidence.answer import Columns, Value, facts_of

MODEL = "model"
_BILLED: Columns = {
    "run_id": "run_id",
    "state": "state",
    "model_tree_sha256": "decision.candidate_sha256",
    "code_sha256": "code.code_sha256",
    "git_commit": "code.git_commit",
    "python": "environment.python",
    "lock_file_sha256": "environment.lock_file_sha256",
    "verdict": "decision.verdict",
}


def cyclonedx_json(record: RunRecord, decision: Decision | None, release: Release | None) -> bytes:
    """The bill as JSON that the standard's own strict schema accepts.

    Raises:
      IntegrityError: it does not.
    """
    written = canonical_json(_document(record, decision, release)) + b"\n"
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


def _document(
    record: RunRecord, decision: Decision | None, release: Release | None
) -> dict[str, Any]:
    place = release.destination if release else record.store.pipeline
    version = str(release.version) if release else None
    model = Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=place.rpartition("/")[2],
        version=version,
        bom_ref=MODEL,
        properties=_properties(facts_of(record, _BILLED)),
    )
    packages, datasets = list(_packages(record)), list(_datasets(record))
    # The same release has the same serial number.
    serial = f"urn:casegate:{record.workspace_id}/{record.run_id}/{version or ''}"
    at = parse_time(record.finished) if record.finished else None
    bom = Bom(
        components=[*packages, *datasets],
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, serial),
        metadata=BomMetaData(component=model, timestamp=at),
    )
    bom.register_dependency(model, [*packages, *datasets])
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    # The library knows the card of a model and the data of a component by name only.
    document["metadata"]["component"]["modelCard"] = _model_card(decision, datasets)
    if at is None:
        del document["metadata"]["timestamp"]  # the library puts the present there
    for component in document["components"]:
        if component["type"] == "data":
            component["data"] = [{"type": "dataset", "name": component["name"]}]
    return document


def _properties(known: Mapping[str, Value]) -> list[Property]:
    named = {f"casegate:{name}": value for name, value in known.items() if value is not None}
    return [Property(name=name, value=str(value)) for name, value in named.items()]


def _packages(record: RunRecord) -> Iterator[Component]:
    kind = ComponentType.LIBRARY
    for name, version in sorted(record.environment.packages.items()):
        purl = PackageURL("pypi", None, name, version)
        yield Component(type=kind, name=name, version=version, purl=purl, bom_ref=purl.to_string())


def _datasets(record: RunRecord) -> Iterator[Component]:
    given = record.inputs
    if (root := given.training_root) is not None:
        yield _dataset("training", given.data or "training data", None, root, given.training_cases)
    if given.case_set and (root := given.case_set_root) is not None:
        version = str(given.case_set_version)
        yield _dataset("evaluation", given.case_set, version, root, given.case_set_cases)


def _dataset(role: str, name: str, version: str | None, root: str, cases: int | None) -> Component:
    return Component(
        type=ComponentType.DATA,
        name=name,
        version=version,
        bom_ref=f"data-{role}-{root[:16]}",
        properties=_properties({"role": role, "Merkle root": root, "cases": cases}),
    )


def _model_card(decision: Decision | None, datasets: list[Component]) -> dict[str, Any]:
    card: dict[str, Any] = {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "binary classification",
            "inputs": [{"format": "image"}],
            "outputs": [{"format": "probability"}, {"format": "label at the operating point"}],
            "datasets": [{"ref": dataset.bom_ref.value} for dataset in datasets],
        }
    }
    if figures := list(_figures(decision)) if decision else []:
        card["quantitativeAnalysis"] = {"performanceMetrics": figures}
    return card


def _figures(decision: Decision) -> Iterator[dict[str, Any]]:
    """The candidate's own figures: those the gate judged, then those it only describes."""
    checks = [c for c in decision.checks if c.metric and c.against == "none"]
    judged = [check for check in checks if check.estimate is not None]
    seen = {(check.metric, check.slice or "overall") for check in judged}
    described = [one for one in decision.slices if (one.metric, one.slice) not in seen]
    figures: list[CheckResult | SliceEstimate] = [*judged, *described]
    for one in figures:
        row = {"type": one.metric, "slice": one.slice or "overall", "value": str(one.estimate)}
        bounds = {"lowerBound": one.lower, "upperBound": one.upper}
        known = {name: str(bound) for name, bound in bounds.items() if bound is not None}
        yield {**row, **({"confidenceInterval": known} if known else {})}
