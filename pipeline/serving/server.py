"""Puts the server together: who may reach it, both protocols in one process, and how it ends."""

import asyncio
import contextlib
import signal
import ssl
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from logging import INFO
from pathlib import Path

import uvicorn

from components.drift.log_writer import MEBIBYTE, PredictionLog
from components.pages.server import is_loopback, listen
from components.records.errors import ConfigError
from components.records.text import brief
from pipeline.governance.tokens import load_tokens
from pipeline.serving.journal import note, start_journal
from pipeline.serving.rest import make_app
from pipeline.serving.rpc import make_server
from pipeline.serving.service import Service
from pipeline.settings.config import Config
from pipeline.settings.workspace import Workspace

CONNECTIONS, GRACE_S = 512, 30


@dataclass(frozen=True)
class Door:
    """Where the server listens, and who may come in.

    Attributes:
      port, grpc_port: 0 takes any.
      names: under which other machines reach it; none: loopback alone.
      tls_certificate, tls_key: chain and private key in PEM; None: it speaks in the clear.
      token_file: lines NAME:TOKEN; None: whoever reaches it may ask.
    """

    host: str
    port: int
    grpc_port: int
    names: Sequence[str] = ()
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    token_file: Path | None = None

    def tls(self) -> tuple[bytes, bytes] | None:
        """Key and chain. Raises ConfigError: one cannot be read, or is needed and not there."""
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ConfigError("--tls-certificate, --tls-key: got one, wanted both or neither")
        if not is_loopback(self.host) and not (self.tls_key and self.token_file):
            wanted = "wanted --tls-certificate, --tls-key and --token-file"
            raise ConfigError(f"--host {self.host}: other machines reach it, {wanted}")
        if not (self.tls_key and self.tls_certificate):
            return None
        try:
            found = self.tls_key.read_bytes(), self.tls_certificate.read_bytes()
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.tls_certificate, self.tls_key, password="")
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            where = f"--tls-certificate {self.tls_certificate}, --tls-key {self.tls_key}"
            raise ConfigError(f"{where}: cannot be used: {brief(error)}") from None
        return found


class _Rest(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # they are this module's


async def serve(
    config: Config, workspace: Workspace, door: Door, *, say: Callable[[str], None]
) -> None:
    """Serves until SIGTERM or SIGINT; then answers what was asked, and returns.

    Args:
      say: is told the addresses, when requests may come.

    Raises:
      ConfigError: it cannot listen there, or not as safely as it has to.
    """
    tls, tokens = door.tls(), load_tokens(door.token_file) if door.token_file else None
    why_not = "nobody said under which name others reach it"
    listening = listen(door.host, door.port, remote=bool(door.names), why_not=why_not)
    start_journal()
    # The threads that pass batches on are not to wait 5 ms each time for the one that answers.
    sys.setswitchinterval(0.0005)
    most = config.server.log_mebibytes * MEBIBYTE
    folder = workspace.prediction_log(None, config.monitoring.log)
    log = PredictionLog(folder, name="serve", total_bytes=most, file_bytes=most // 4)
    service = Service(config, workspace, log)
    host = f"[{door.host}]" if ":" in door.host else door.host
    grpc, grpc_port = make_server(service, f"{host}:{door.grpc_port}", tokens=tokens, tls=tls)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await service.releases.look()
    watching = asyncio.create_task(service.releases.watch())
    rest = _Rest(
        uvicorn.Config(
            make_app(service, tokens=tokens, hosts=door.names),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=GRACE_S,
            ssl_certfile=door.tls_certificate,
            ssl_keyfile=door.tls_key,
        )
    )
    await grpc.start()
    answering = asyncio.create_task(rest.serve(sockets=[listening]))
    port, scheme = listening.getsockname()[1], "https" if tls else "http"
    say(f"REST {scheme}://{host}:{port}/v1/models/{service.name}")
    say(f"gRPC {host}:{grpc_port}")
    asked = asyncio.create_task(stopped.wait())
    await asyncio.wait({asked, answering}, return_when=asyncio.FIRST_COMPLETED)
    note(INFO, "stopping")
    service.draining, rest.should_exit = True, True
    watching.cancel()
    await asyncio.gather(grpc.stop(GRACE_S), answering)
    await service.releases.close()
    await asyncio.to_thread(log.close)
    note(INFO, "stopped")
