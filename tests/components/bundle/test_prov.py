"""PROV-JSON that another maker's library reads, and that says what the trace says."""

from pathlib import Path

import prov
import pytest
from lxml import etree

from components.bundle.prov import prov_json, read_prov
from components.records.errors import IntegrityError
from tests.components.bundle.tracing import AWKWARD, traced
from tests.refusing import refused


def test_it_reads_back_as_it_was_written() -> None:
    from components.bundle.prov import prov_document

    assert read_prov(prov_json(traced())) == prov_document(traced())


def test_things_are_entities_executions_activities_and_persons_agents() -> None:
    from prov.model import ProvActivity, ProvAgent, ProvEntity

    document = read_prov(prov_json(traced()))
    names = {
        kind: {record.identifier.localpart for record in document.get_records(kind)}
        for kind in (ProvActivity, ProvAgent, ProvEntity)
    }
    assert names[ProvActivity] == {"execution-1", "run"}
    assert names[ProvAgent] == {"person-Dr._Lang", "casegate"}
    assert {"model", "data", "decision", "release-7"} <= names[ProvEntity]


def test_relations_follow_from_what_is_related() -> None:
    from prov.model import ProvDerivation, ProvGeneration, ProvUsage

    document = read_prov(prov_json(traced()))

    def pairs(kind: type) -> set[tuple[str, str]]:
        found = (
            tuple(v.localpart for _, v in r.formal_attributes[:2])
            for r in document.get_records(kind)
        )
        return set(found)  # type: ignore[arg-type]

    assert ("execution-1", "data") in pairs(ProvUsage)
    assert ("model", "execution-1") in pairs(ProvGeneration)
    assert ("release-7", "decision") in pairs(ProvDerivation)


def test_an_activity_has_its_times() -> None:
    assert b'"prov:endTime":"2026-01-01T00:00:02.500000+00:00"' in prov_json(traced())


def test_awkward_names_read_back() -> None:
    assert b"alert(1)" in prov_json(traced(AWKWARD))


def test_the_same_trace_gives_the_same_bytes() -> None:
    assert prov_json(traced()) == prov_json(traced())


@pytest.mark.parametrize("content", [b"", b"[]", b'{"entity": 3}', b"\xff"])
def test_what_is_no_prov_is_refused(content: bytes) -> None:
    with refused(IntegrityError, "PROV-JSON"):
        read_prov(content)


@pytest.mark.parametrize("name", ["Dr. Lang", AWKWARD])
def test_w3cs_own_schema_of_prov_accepts_what_is_read_back(name: str) -> None:
    schemas = Path(prov.__file__).parent / "tests" / "schemas"
    if not schemas.is_dir():
        pytest.skip("no prov.xsd here: this prov library came without its tests")
    schema = etree.XMLSchema(etree.parse(schemas / "prov.xsd"))
    written = read_prov(prov_json(traced(name))).serialize(format="xml")
    document = etree.fromstring(str(written).encode())
    schema.assertValid(document)
    tags = [etree.QName(element).localname for element in document]
    assert (tags.count("activity"), tags.count("agent"), tags.count("used")) == (2, 2, 2)
    begun = document.find("{*}activity/{*}startTime")
    assert begun is not None
    begun.text = "yesterday"
    assert not schema.validate(document)
