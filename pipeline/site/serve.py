"""Starts the site: checks where it may listen, says where it is, and stops at Ctrl+C."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.settings.listening import address_of, listen
from pipeline.site.site import Site


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

    from pipeline.evidence.subject import Evidence
    from pipeline.site.app import make_app

    with Evidence(root) as evidence:
        say(f"workspace {evidence.workspace_id}, {len(evidence.entries):,} ledger entries")
    taken = listen(host, port, remote=bool(names), why_not="what is served has no password")
    say(address_of(taken, host))
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
