"""A trace as W3C PROV-JSON, which provenance tools of other makers read.

A thing is an entity, an execution or a run an activity, a person an agent; how two are related
follows from what they are: https://www.w3.org/TR/prov-dm/, sections 5.1 to 5.3.
"""

import json
import re
from datetime import datetime
from typing import Any

from prov.model import ProvDocument

from components.bundle.trace_graph import EXECUTION, PERSON, TraceGraph, TraceNode
from components.records.clock import parse_time
from components.records.errors import IntegrityError
from components.records.files import canonical_json
from components.records.text import kind_and_words

NAMESPACE = "urn:casegate:"
_ACTIVITIES = (EXECUTION, "run")
# How what came of it is related to a person, an activity, and anything else.
_OF_ACTIVITY = {PERSON: "wasAssociatedWith", "run": "wasInformedBy", "data": "used"}
_OF_ENTITY = {PERSON: "wasAttributedTo", "run": "wasGeneratedBy", "data": "wasDerivedFrom"}
_TIMES = ("started", "ended", "finished")
_ODD = re.compile(r"[^A-Za-z0-9._-]")


def prov_json(graph: TraceGraph) -> bytes:
    """The trace as PROV-JSON, canonical, and read back to be the same.

    Raises:
      IntegrityError: it would not read back as it is.
    """
    document = prov_document(graph)
    written = canonical_json(json.loads(str(document.serialize(format="json")))) + b"\n"
    if read_prov(written) != document:
        raise IntegrityError(f"{graph.subject}: its PROV-JSON would not read back; report this")
    return written


def read_prov(content: bytes) -> ProvDocument:
    """PROV-JSON as the prov library reads it.

    Raises:
      IntegrityError: it is none.
    """
    try:
        return ProvDocument.deserialize(content=content.decode(), format="json")
    except Exception as error:  # the library has no error of its own for every fault
        raise IntegrityError(f"prov.json: no PROV-JSON: {kind_and_words(error)}") from None


def prov_document(graph: TraceGraph) -> ProvDocument:
    document = ProvDocument()
    document.add_namespace("casegate", NAMESPACE)
    for node in graph.nodes:
        _add(document, node)
    software = document.agent("casegate:casegate", {"prov:type": "prov:SoftwareAgent"})
    for node in graph.of_kind(EXECUTION):
        document.wasAssociatedWith(_name(node.key), software)
    for edge in graph.edges:
        source, target = graph.node(edge.source), graph.node(edge.target)
        kinds = _OF_ACTIVITY if target.kind in _ACTIVITIES else _OF_ENTITY
        kind = kinds.get("run" if source.kind in _ACTIVITIES else source.kind, kinds["data"])
        relate, label = getattr(document, kind), {"prov:label": edge.label}
        relate(_name(target.key), _name(source.key), other_attributes=label)
    return document


def _add(document: ProvDocument, node: TraceNode) -> None:
    attributes: dict[Any, Any] = {"prov:label": node.label, "prov:type": f"casegate:{node.kind}"}
    if node.sha256 is not None:
        attributes["casegate:sha256"] = node.sha256
    for name, value in node.facts.items():
        if value is not None and name not in _TIMES:
            attributes[f"casegate:{_local(name)}"] = str(value)
    if node.kind in _ACTIVITIES:
        ended = _time(node, "ended") or _time(node, "finished")
        document.activity(_name(node.key), _time(node, "started"), ended, attributes)
    elif node.kind == PERSON:
        document.agent(_name(node.key), {**attributes, "prov:type": "prov:Person"})
    else:
        document.entity(_name(node.key), attributes)


def _time(node: TraceNode, name: str) -> datetime | None:
    value = node.facts.get(name)
    return parse_time(str(value)) if value else None


def _name(key: str) -> str:
    return f"casegate:{_local(key)}"


def _local(text: str) -> str:
    """A local name that PROV-XML takes as well, which knows no per cent signs.

    A blank is an underscore; whatever else is not a letter, digit, dash, dot or underscore of ASCII
    is its code in hex, as in M_x00FC_ller.
    """
    return _ODD.sub(lambda found: f"_x{ord(found[0]):04X}_", text.replace(" ", "_"))
