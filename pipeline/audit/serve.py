"""Starts the site: checks where it may listen, says where it is, and stops at Ctrl+C."""

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from components.errors import ConfigError
from pipeline.audit.site import Site


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
    import uvicorn

    from pipeline.audit.app import make_app
    from pipeline.lineage.subject import Evidence

    with Evidence(root) as evidence:
        say(f"workspace {evidence.workspace_id}, {len(evidence.entries):,} ledger entries")
    taken = _listening(host, port, remote=bool(names))
    shown = f"[{host}]" if ":" in host else host
    say(f"http://{shown}:{taken.getsockname()[1]}/")
    if names:
        say(f"WARNING: whoever reaches {host} can read this workspace; there is no password")
    config = uvicorn.Config(
        make_app(Site(root.resolve()), hosts=names),
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        limit_concurrency=64,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,
    )
    with contextlib.suppress(KeyboardInterrupt):  # which is how it is told to end
        uvicorn.Server(config).run(sockets=[taken])


def _listening(host: str, port: int, *, remote: bool) -> socket.socket:
    if not remote and not _is_loopback(host):
        raise ConfigError(
            f"--host {host}: not this machine's loopback; what is served has no password; to do "
            "so all the same, say with --allow-remote under which name it will be reached"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
