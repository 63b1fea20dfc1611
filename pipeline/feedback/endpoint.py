"""Feedback over HTTP: one request, one opinion, from a reader whom a token names.

No pixels are taken: a case is named by its id or by the hash of its picture. A request that was
recorded once is refused when it comes again, by its nonce, which stands in the record and so
outlives the server.
"""

import asyncio
import json
import math
import re
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from components.feedback.opinion import HTTP, Opinion
from components.feedback.record import Record, Replayed
from components.pages.server import (
    LOOPBACK,
    address_of,
    answer_until_interrupted,
    body_of,
    listen,
)
from components.records.errors import (
    CasegateError,
    ConfigError,
    IntegrityError,
    SourceError,
    UsageError,
    suggestion,
)
from pipeline.feedback import add
from pipeline.feedback.served import FeedbackPlaces, ServedCases
from pipeline.governance.tokens import Tokens, bearer_of, load_tokens
from pipeline.settings.sections import FeedbackConfig

WINDOW_S = 60.0
MOST_CLIENTS = 10_000


class RateLimit:
    """Lets `per_minute` requests of a client pass in any 60 seconds.

    Args:
      clock: seconds that never go back, whatever is done to the time of day.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._passed: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, client: str) -> int:
        """0 where the request may pass, and then it counts; else seconds until one may."""
        now = self._clock()
        with self._lock:
            passed = self._passed.setdefault(client, deque())
            self._passed.move_to_end(client)
            while len(self._passed) > MOST_CLIENTS:
                self._passed.popitem(last=False)
            while passed and passed[0] <= now - WINDOW_S:
                passed.popleft()
            if len(passed) < self._per_minute:
                passed.append(now)
                return 0
            return max(1, math.ceil(passed[0] + WINDOW_S - now))


_SHA256 = re.compile("[0-9a-f]{64}")
_NONCE = re.compile(r"[\x21-\x7e]{8,100}")


class MalformedRequest(UsageError):
    """A body that is no request."""


@dataclass(frozen=True)
class OpinionBody:
    """Attributes:
    case_id, pixels_sha256: one of them names the case.
    """

    case_id: str | None
    pixels_sha256: str | None
    label: str
    note: str | None
    nonce: str


KEYS = tuple(field.name for field in fields(OpinionBody))


def parse_body(content: bytes) -> OpinionBody:
    """The request in a body.

    Raises:
      MalformedRequest: why it is none; what it says is not repeated, since it may be of a patient.
    """
    try:
        given = json.loads(content, object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        raise MalformedRequest("wanted one JSON object, in UTF-8, with each key once") from None
    if not isinstance(given, dict):
        raise MalformedRequest("wanted a JSON object")
    for key in given:
        if key == "by":
            raise MalformedRequest("by: leave it out; the token says who you are")
        if key not in KEYS:
            raise MalformedRequest(f"unknown key{suggestion(key[:40], KEYS)}")
    for key in KEYS:
        if given.get(key) is not None and not isinstance(given[key], str):
            raise MalformedRequest(f"{key}: wanted text")
    found: dict[str, Any] = {key: given.get(key) for key in KEYS}
    body = OpinionBody(**found)
    if (body.case_id is None) == (body.pixels_sha256 is None):
        raise MalformedRequest("wanted case_id or pixels_sha256, one of them")
    if body.pixels_sha256 is not None and not _SHA256.fullmatch(body.pixels_sha256):
        raise MalformedRequest("pixels_sha256: wanted 64 hex digits")
    if not _NONCE.fullmatch(body.nonce or ""):
        raise MalformedRequest("nonce: wanted 8 to 100 printable ASCII characters, new each time")
    if body.label is None:
        raise MalformedRequest("label: wanted positive, negative or unsure")
    return body


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


BODY_S = 10.0  # within which a whole request has to be here
HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


class Endpoint:
    """What answers; one for a server, since it keeps what was verified and read."""

    def __init__(
        self, record: Record, served: ServedCases, tokens: Tokens, config: FeedbackConfig
    ) -> None:
        self._record = record
        self._served = served
        self._tokens = tokens
        self._max_bytes = config.max_bytes
        self._requests = RateLimit(config.requests_per_minute)
        self._failures = RateLimit(config.requests_per_minute)

    async def take(self, request: Request) -> Response:
        """POST /feedback."""
        client = request.client.host if request.client else ""
        reader = self._tokens.reader_of(bearer_of(request.headers))
        rate, who = (self._requests, reader) if reader else (self._failures, client)
        if wait := rate.wait_s(who):
            return refused(429, "too many requests", **{"retry-after": str(wait)})
        if reader is None:
            return refused(401, "no such token", **{"www-authenticate": "Bearer"})
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return refused(415, "wanted application/json")
        try:
            content = await asyncio.wait_for(body_of(request, self._max_bytes), BODY_S)
        except asyncio.TimeoutError:
            return refused(408, f"the request was not here within {BODY_S:g} s", connection="close")
        if content is None:
            return refused(413, f"got more than {self._max_bytes:,} bytes", connection="close")
        try:
            opinion = await run_in_threadpool(self._record_opinion, parse_body(content), reader)
        except CasegateError as error:
            return _explained(error)
        receipt = ("seq", "case_id", "by", "label", "version", "entry_sha256")
        return answer(201, {name: getattr(opinion, name) for name in receipt})

    async def health(self, request: Request) -> Response:
        """GET /health: whether the record can be relied on; says nothing of what is in it."""
        try:
            await run_in_threadpool(self._record.content)
        except CasegateError:
            return answer(503, {"status": "the record was altered; see casegate feedback verify"})
        return answer(200, {"status": "ok"})

    def _record_opinion(self, body: OpinionBody, reader: str) -> Opinion:
        try:
            given = add.tidy(
                add.GivenOpinion(body.label, reader, body.note, source=HTTP, nonce=body.nonce)
            )
        except ConfigError as error:
            raise MalformedRequest(str(error)) from None
        if body.case_id is not None:
            case = add.find_served(self._served, body.case_id)
        else:
            assert body.pixels_sha256 is not None
            case = add.find_picture(self._served, body.pixels_sha256, where="pixels_sha256")
        return add.record_opinion(self._record, case, given)


def make_app(endpoint: Endpoint, *, hosts: Iterable[str] = ()) -> ASGIApp:
    """The application.

    Args:
      hosts: names, besides those of loopback, that a request may be for.
    """
    allowed = [*LOOPBACK, *hosts]
    return Starlette(
        routes=[
            Route("/feedback", endpoint.take, methods=["POST"]),
            Route("/health", endpoint.health, methods=["GET"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False)],
        exception_handlers={
            HTTPException: _refusing(500, "wanted POST /feedback or GET /health"),
            ClientDisconnect: _refusing(400, "the request was not sent to its end"),
            Exception: _refusing(500, "internal error; nothing was recorded"),
        },
    )


def _refusing(status: int, words: str) -> Callable[[Request, Exception], Response]:
    return lambda request, error: refused(getattr(error, "status_code", status), words)


def answer(status: int, content: dict[str, Any], **headers: str) -> Response:
    return JSONResponse(content, status, {**HEADERS, **headers})


def refused(status: int, words: str, **headers: str) -> Response:
    return answer(status, {"error": words}, **headers)


def _explained(error: CasegateError) -> Response:
    """Why nothing was recorded; of what is wrong on this side, no more than that it is."""
    known: list[tuple[type[CasegateError], int]] = [
        (MalformedRequest, 400),
        (add.UnknownCase, 404),
        (Replayed, 409),
        (add.AmbiguousCase, 422),
        (UsageError, 503),
        (IntegrityError, 503),
    ]
    status = next((code for kind, code in known if isinstance(error, kind)), 500)
    words = {404: "no such case was served", 503: "not now; its operator has to look at it"}
    return refused(status, words.get(status) or str(error))


def serve(
    places: FeedbackPlaces,
    served: ServedCases,
    config: FeedbackConfig,
    *,
    token_file: Path,
    host: str,
    port: int,
    names: Sequence[str],
    say: Callable[[str], None],
) -> None:
    """Serves until it is interrupted.

    Args:
      names: under which other machines reach it; without one, only loopback is listened on.

    Raises:
      ConfigError: the tokens are not to be used, or it cannot listen there.
      IntegrityError: the record was altered.
    """
    tokens, record = load_tokens(token_file), places.record
    entries = len(record.opinions())
    listening = listen(
        host, port, remote=bool(names), why_not="tokens would cross the network in the clear"
    )
    say(f"{record.path}: {entries:,} entries; prediction log {served.path}")
    say(address_of(listening, host))
    try:
        served.counts()  # before the first request, which would have to wait for it
    except SourceError as error:
        say(f"WARNING: no case is known yet: {error}")
    if names:
        say("WARNING: this speaks plain HTTP; put a proxy that speaks TLS in front of it")
    app = make_app(Endpoint(record, served, tokens, config), hosts=names)
    answer_until_interrupted(app, listening, proxy_headers=False)
