"""The site over HTTP: read-only, on loopback, for browsers that were sent here and no other page.

A page on the web can make a browser ask a server on its own machine. So a request has to name a
host that the server was started for, only GET and HEAD are answered, and no answer may be framed,
embedded, kept or read by another origin.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.pages.server import LOOPBACK, address_of, answer_until_interrupted, listen
from pipeline.evidence.subject import Evidence
from pipeline.site.site import POLICY, Site

LONGEST_ADDRESS, MOST_PARAMETERS = 2000, 20
METHODS = ("GET", "HEAD")
_FRAMES = "; frame-ancestors 'none'"
_HEADERS = {
    b"content-security-policy": (POLICY + _FRAMES).encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
}


def make_app(site: Site, *, hosts: Iterable[str] = ()) -> ASGIApp:
    """The application; a request may be for loopback or for one of `hosts`."""

    def respond(request: Request) -> Response:
        if len(str(request.url)) > LONGEST_ADDRESS:
            return _plain(414, "the address is too long")
        try:
            pairs = parse_qsl(request.url.query, max_num_fields=MOST_PARAMETERS, errors="replace")
        except ValueError:
            return _plain(400, "too many parameters")
        found = site.respond(request.path_params["path"], dict(pairs))
        policy = found.policy if "frame-ancestors" in found.policy else found.policy + _FRAMES
        headers = {"content-security-policy": policy}
        return Response(found.body, found.status, headers, media_type=found.media_type)

    allowed = [*LOOPBACK, *hosts]
    app = Starlette(
        routes=[Route("/{path:path}", respond, methods=["GET"])],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False)],
        exception_handlers={
            HTTPException: lambda request, error: _plain(error.status_code, "refused"),
            # Of a fault of ours a person sees no more than that there was one.
            Exception: lambda request, error: _plain(
                500, "internal error; the terminal that serves this page says more"
            ),
        },
    )
    return _Guarded(app)  # outermost: Starlette's own answer to an error passes it too


class _Guarded:
    """Puts the headers on every answer, errors among them, and refuses what is no reading."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                message["headers"] += [
                    (name, value) for name, value in _HEADERS.items() if name not in there
                ]
            await send(message)

        if scope["type"] != "http":
            return  # no WebSocket is spoken here
        if scope["method"] not in METHODS:
            refusal = _plain(405, "only GET and HEAD are answered", allow=", ".join(METHODS))
            await refusal(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)


def _plain(status: int, words: str, **headers: str) -> PlainTextResponse:
    return PlainTextResponse(f"{status}: {words}\n", status, headers)


def serve(
    root: Path, *, host: str, port: int, names: Sequence[str], say: Callable[[str], None]
) -> None:
    """Serves until it is interrupted.

    Args:
      names: under which other machines reach it; without one, only loopback is listened on.
      say: is told the address once connections are taken.

    Raises:
      ConfigError: nothing ever ran in the workspace, or it cannot listen there.
    """
    with Evidence(root) as evidence:
        say(f"workspace {evidence.workspace_id}, {len(evidence.entries):,} ledger entries")
    taken = listen(host, port, remote=bool(names), why_not="what is served has no password")
    say(address_of(taken, host))
    if names:
        say(f"WARNING: whoever reaches {host} can read this workspace; there is no password")
    answer_until_interrupted(make_app(Site(root.resolve()), hosts=names), taken)
