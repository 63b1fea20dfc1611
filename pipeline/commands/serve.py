"""`casegate serve`: the released model over REST and gRPC."""

from pathlib import Path
from typing import Any

import click

from pipeline.commands import options
from pipeline.commands.ending import command
from pipeline.settings.workspace import Workspace


@command()
@options.config("YAML file of settings.")
@options.settings()
@options.listening(8501, remote=", with TLS and tokens.")
@click.option("--grpc-port", type=click.IntRange(0, 65535), default=8500, show_default=True)
@options.file("--tls-certificate", "Chain of certificates in PEM; then it speaks TLS.")
@options.file("--tls-key", "Its private key in PEM.")
@options.file("--token-file", "Lines NAME:TOKEN, for its owner's eyes only; then one is needed.")
@options.workspace(exists=True)
def serve(config: Path | None, settings: tuple[str, ...], workspace: Path, **where: Any) -> int:
    """Answers by the released model, in the way of TensorFlow Serving, until Ctrl+C.

    Only a version is served whose files, decision, ledger entry and signatures fit. A rollback or a
    new release is taken up by itself; requests that came before are answered by the version before.
    """
    import asyncio

    from pipeline.serving.server import Door
    from pipeline.serving.server import serve as start
    from pipeline.settings.config import load_config

    place, resolved = Workspace(workspace.resolve()), load_config(config, settings)
    asyncio.run(start(resolved, place, Door(**where), say=click.echo))
    return 0
