"""TensorFlow Serving's REST paths, with its words where a client may look for them."""

import asyncio
import binascii
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote

import numpy as np
import orjson
from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from components.pages.server import LOOPBACK, body_of
from pipeline.governance.tokens import Tokens, bearer_of
from pipeline.serving.messages import as_json, metadata_pb2
from pipeline.serving.refused import Refused, Status, refusal_of
from pipeline.serving.releases import LoadedRelease
from pipeline.serving.service import CASE_ID, ModelSpec, Service

DEFAULT = "serving_default"
Work = Callable[[Request], Awaitable[Response]]
_PATH = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/(\d{1,18})|/labels/([^/:]+))?(/metadata|:predict)?"
)


def make_app(
    service: Service, *, tokens: Tokens | None = None, hosts: Sequence[str] = ()
) -> Starlette:
    """The application; without tokens anybody who reaches it may ask.

    Args:
      hosts: names, besides those of loopback, that a request may be for.
    """

    async def guarded(request: Request, work: Work) -> tuple[str, Response]:
        try:
            authorize(request.headers, tokens)
            return "OK", await work(request)
        except ClientDisconnect:
            return "CANCELLED", Response(status_code=400)
        except Exception as error:
            refusal = refusal_of(error)
            return refusal.status.name, _json(refusal.status.value, {"error": refusal.words})

    async def model(request: Request) -> Response:
        since = time.perf_counter()
        code, response = await guarded(request, partial(_answer, service))
        service.count("rest", code, since)
        return response

    async def metrics(request: Request) -> Response:
        return (await guarded(request, partial(_metrics, service)))[1]

    async def alive(request: Request) -> Response:
        return _json(200, {"status": "ok"})

    async def ready(request: Request) -> Response:
        return _json(503 if service.unready else 200, {"status": service.unready or "ok"})

    allowed = [*LOOPBACK, *hosts]
    return Starlette(
        routes=[
            Route("/healthz", alive),
            Route("/readyz", ready),
            Route("/metrics", metrics),
            Route("/monitoring/prometheus/metrics", metrics),
            Route("/{path:path}", model, methods=["GET", "POST"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False)],
    )


def authorize(headers: Mapping[str, str], tokens: Tokens | None) -> None:
    """Raises Refused where a token is needed, and the headers have none that counts."""
    if tokens is not None and tokens.reader_of(bearer_of(headers)) is None:
        raise Refused("no such token", Status.UNAUTHENTICATED)


def _json(code: int, content: Mapping[str, Any]) -> Response:
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, code, media_type="application/json")


async def _metrics(service: Service, request: Request) -> Response:
    return Response(generate_latest(service.registry), media_type="text/plain; version=0.0.4")


async def _answer(service: Service, request: Request) -> Response:
    found, method = _PATH.fullmatch(request.url.path), request.method
    if not found or (method == "POST") != (found[4] == ":predict"):
        raise Refused(f"Malformed request: {method} {request.url.path[:200]}")
    version, label = int(found[2]) if found[2] else None, found[3] and unquote(found[3])
    spec = ModelSpec(unquote(found[1]), version, label)
    if method == "POST":
        return _json(200, await _predict(service, spec, request))
    if not found[4]:
        return _json(200, as_json(service.status(spec)))
    message, signatures = service.metadata(spec), metadata_pb2.SignatureDefMap()
    message.metadata["signature_def"].Unpack(signatures)
    metadata = {"signature_def": as_json(signatures)}
    return _json(200, {"model_spec": as_json(message.model_spec), "metadata": metadata})


async def _predict(service: Service, spec: ModelSpec, request: Request) -> Mapping[str, Any]:
    service.find(spec)  # before a body is read for nothing
    limits = service.config.server
    try:
        body = await asyncio.wait_for(body_of(request, limits.max_bytes), limits.timeout_seconds)
    except asyncio.TimeoutError:
        words = "the request was not here in time"
        raise Refused(words, Status.DEADLINE_EXCEEDED) from None
    if body is None:
        raise Refused(f"got more than {limits.max_bytes:,} bytes")
    loaded = service.find(spec)  # again: there may be another one by now
    signature, inputs, by_row = parse_body(body, loaded)
    case_ids = request.headers.getlist(CASE_ID)
    found = await service.answer(loaded, signature, inputs, case_ids=case_ids)
    return {"predictions": _rows(found)} if by_row else {"outputs": found}


def _rows(columns: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def input_of(loaded: LoadedRelease, signature: str) -> str:
    """The name of a signature's input. Raises Refused: the model has no such signature."""
    if signature not in loaded.signatures:
        raise Refused(f'Serving signature name: "{signature[:99]}" not found in signature def')
    return str(next(iter(loaded.signatures[signature].inputs)))


def parse_body(body: bytes, loaded: LoadedRelease) -> tuple[str, list[bytes], bool]:
    """Signature, inputs, and whether they came row by row.

    Raises:
      Refused: it is no request for a signature of this model.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(f"JSON Parse error: {str(error).partition(':')[0]}") from None
    if not isinstance(document, dict) or ("instances" in document) == ("inputs" in document):
        raise Refused("Missing 'inputs' or 'instances' key")
    signature = document.get("signature_name") or DEFAULT
    if not isinstance(signature, str):
        raise Refused("'signature_name' key must be a string value.")
    name, by_row = input_of(loaded, signature), "instances" in document
    values = document["instances" if by_row else "inputs"]
    if not by_row and isinstance(values, dict) and values.keys() == {name}:
        values = values[name]
    if not isinstance(values, list):
        raise Refused("'instances' or 'inputs': wanted a list")
    return signature, [_decoded(value, name, number) for number, value in enumerate(values)], by_row


def _decoded(value: Any, name: str, number: int) -> bytes:
    """The bytes that {"b64": TEXT}, perhaps under the input's name, stands for."""
    if isinstance(value, dict) and value.keys() == {name}:
        value = value[name]
    text = value.get("b64") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(text, str):
        raise Refused(f"Failed to process element: {number}: wanted '{name}' as {{\"b64\": TEXT}}")
    try:
        found = binascii.a2b_base64(text)
    except ValueError:
        found = b""
    # What is no base64 is passed over in silence, and then there is too little.
    if not found or len(text) % 4 or len(found) != len(text) // 4 * 3 - text[-2:].count("="):
        raise Refused(f"Failed to process element: {number}: Unable to base64 decode")
    return found
