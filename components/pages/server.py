"""Where a server of casegate may listen: on this machine alone, unless a person says otherwise."""

import contextlib
import ipaddress
import socket
from typing import TYPE_CHECKING, Any

from components.records.errors import ConfigError

if TYPE_CHECKING:
    from starlette.requests import Request

LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")


def listen(host: str, port: int, *, remote: bool, why_not: str) -> socket.socket:
    """A socket that takes connections; port 0 takes any that is free.

    Args:
      remote: whether `host` may be one that other machines reach.
      why_not: a clause for whoever did not say so.

    Raises:
      ConfigError: other machines would reach it, or it cannot listen there.
    """
    if not remote and not is_loopback(host):
        raise ConfigError(
            f"--host {host}: not this machine's loopback; {why_not}; to do so all the same, say "
            "with --allow-remote under which name it will be reached"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named, or asyncio would not switch Nagle's algorithm off, which costs 40 ms an answer.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(64)
    except OSError as error:
        found.close()
        raise ConfigError(
            f"{host}:{port}: cannot listen there: {error.strerror}; choose another --port"
        ) from None
    return found


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def body_of(request: "Request", most: int) -> bytes | None:
    """A request's body; None as soon as it has more than `most` bytes, however it says so."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        return None
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > most:
            return None
    return bytes(content)


def answer_until_interrupted(app: Any, listening: socket.socket, **further: Any) -> None:
    """Has an ASGI application answer until it is interrupted; `further` is for uvicorn."""
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        limit_concurrency=64,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,
        **further,
    )
    with contextlib.suppress(KeyboardInterrupt):  # which is how a person ends it
        uvicorn.Server(config).run(sockets=[listening])


def address_of(listening: socket.socket, host: str) -> str:
    """The address as a browser or a client types it."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}/"
