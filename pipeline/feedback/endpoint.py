"""Feedback over HTTP: one request, one opinion, from a reader whom a token names.

No pixels are taken: a case is named by its id or by the hash of its picture. A request that was
recorded once is refused when it comes again, by its nonce, which stands in the record and so
outlives the server.
"""

import asyncio
from collections.abc import Iterable
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
from components.records.errors import CasegateError, ConfigError, IntegrityError, UsageError
from pipeline.feedback.add import (
    AmbiguousCase,
    Given,
    UnknownCase,
    find_picture,
    find_served,
    record_opinion,
    tidied,
)
from pipeline.feedback.body import MalformedRequest, OpinionBody, parse_body
from pipeline.feedback.rate import RateLimit
from pipeline.feedback.served import ServedCases
from pipeline.feedback.tokens import Tokens
from pipeline.settings.config import FeedbackConfig
from pipeline.settings.listening import LOOPBACK

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
        reader = self._tokens.reader_of(_bearer(request))
        rate, who = (self._requests, reader) if reader else (self._failures, client)
        if wait := rate.wait_s(who):
            return refused(429, "too many requests", **{"retry-after": str(wait)})
        if reader is None:
            return refused(401, "no such token", **{"www-authenticate": "Bearer"})
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return refused(415, "wanted application/json")
        try:
            content = await asyncio.wait_for(self._body(request), BODY_S)
        except asyncio.TimeoutError:
            return refused(408, f"the request was not here within {BODY_S:g} s", connection="close")
        if content is None:
            words = f"got more than {self._max_bytes:,} bytes"
            return refused(413, words, connection="close")
        try:
            opinion = await run_in_threadpool(self._recorded, parse_body(content), reader)
        except CasegateError as error:
            return _explained(error)
        return answer(201, {"seq": opinion.seq, **_receipt(opinion)})

    async def health(self, request: Request) -> Response:
        """GET /health: whether the record can be relied on; says nothing of what is in it."""
        try:
            await run_in_threadpool(self._record.content)
        except CasegateError:
            return answer(503, {"status": "the record was altered; see casegate feedback verify"})
        return answer(200, {"status": "ok"})

    def _recorded(self, said: OpinionBody, reader: str) -> Opinion:
        given = Given(said.label, reader, said.note, source=HTTP, nonce=said.nonce)
        try:
            given = tidied(given)
        except ConfigError as error:
            raise MalformedRequest(str(error)) from None
        if said.case_id is not None:
            case = find_served(self._served, said.case_id)
        else:
            assert said.pixels_sha256 is not None
            case = find_picture(self._served, said.pixels_sha256, where="pixels_sha256")
        return record_opinion(self._record, case, given)

    async def _body(self, request: Request) -> bytes | None:
        """The request's body; None as soon as it is too long, however it says that it is."""
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_bytes:
            return None
        content = bytearray()
        async for piece in request.stream():
            content += piece
            if len(content) > self._max_bytes:
                return None
        return bytes(content)


def make_app(endpoint: Endpoint, *, hosts: Iterable[str] = ()) -> ASGIApp:
    """The application.

    Args:
      hosts: names, besides those of loopback, that a request may be for.
    """
    return Starlette(
        routes=[
            Route("/feedback", endpoint.take, methods=["POST"]),
            Route("/health", endpoint.health, methods=["GET"]),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, *hosts], www_redirect=False)
        ],
        exception_handlers={
            HTTPException: _no_such,
            ClientDisconnect: _gone,
            Exception: _broken,
        },
    )


def answer(status: int, content: dict[str, Any], **headers: str) -> Response:
    return JSONResponse(content, status, {**HEADERS, **headers})


def refused(status: int, words: str, **headers: str) -> Response:
    return answer(status, {"error": words}, **headers)


def _explained(error: CasegateError) -> Response:
    """Why nothing was recorded; of what is wrong on this side, no more than that it is."""
    known: list[tuple[type[CasegateError], int]] = [
        (MalformedRequest, 400),
        (UnknownCase, 404),
        (Replayed, 409),
        (AmbiguousCase, 422),
        (UsageError, 503),
        (IntegrityError, 503),
    ]
    status = next((code for kind, code in known if isinstance(error, kind)), 500)
    words = {404: "no such case was served", 503: "not now; its operator has to look at it"}
    return refused(status, words.get(status) or str(error))


def _receipt(opinion: Opinion) -> dict[str, Any]:
    return {
        "case_id": opinion.case_id,
        "by": opinion.by,
        "label": opinion.label,
        "version": opinion.version,
        "entry_sha256": opinion.entry_sha256,
    }


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _no_such(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return refused(status, "wanted POST /feedback or GET /health")


def _gone(request: Request, error: Exception) -> Response:
    return refused(400, "the request was not sent to its end")


def _broken(request: Request, error: Exception) -> Response:
    return refused(500, "internal error; nothing was recorded")
