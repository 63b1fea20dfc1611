"""Starts the endpoint: checks who may use it and where it listens, and stops at Ctrl+C."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from components.records.errors import SourceError
from pipeline.feedback.places import FeedbackPlaces
from pipeline.feedback.served import ServedCases
from pipeline.feedback.tokens import load_tokens
from pipeline.settings.config import FeedbackConfig
from pipeline.settings.listening import address_of, listen


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
      say: is told the address once connections are taken.

    Raises:
      ConfigError: the tokens are not to be used, or it cannot listen there.
      IntegrityError: the record was altered.
    """
    import uvicorn

    from pipeline.feedback.endpoint import Endpoint, make_app

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
    settings = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        limit_concurrency=64,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,
    )
    with contextlib.suppress(KeyboardInterrupt):  # which is how it is told to end
        uvicorn.Server(settings).run(sockets=[listening])
