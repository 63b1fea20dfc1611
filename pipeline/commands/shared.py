"""What every command shares: how it refuses, how it ends, and options that mean the same."""

import json
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click

from components.errors import CasegateError


def refusing_in_one_line(command: Callable[..., int]) -> Callable[..., None]:
    """Ends the process with the command's exit code; an error becomes one line on stderr."""

    @wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        try:
            code = command(*arguments, **options)
        except CasegateError as error:
            click.echo(f"{type(error).__name__}: {error}", err=True)
            code = error.exit_code
        except Exception as error:
            click.echo(f"internal error: {_story(error)}", err=True)
            code = CasegateError.exit_code
        sys.exit(code)

    return wrapped


def _story(error: Exception) -> str:
    """The error in one line; its traceback in a file, for whoever mends it."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="casegate-", suffix=".log", delete=False, encoding="utf-8"
    ) as file:
        traceback.print_exception(error, file=file)
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}; the traceback is in {file.name}"


class OneLineGroup(click.Group):
    """Usage errors in one line and with exit code 2, an interrupt with 130 as shells expect."""

    def main(self, *arguments: Any, **options: Any) -> NoReturn:
        try:
            code = super().main(*arguments, **{**options, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            code = error.exit_code
        except click.ClickException as error:
            words = " ".join(error.format_message().split())
            where = (
                error.ctx.command_path
                if isinstance(error, click.UsageError) and error.ctx
                else "casegate"
            )
            click.echo(f"{where}: {words} See '{where} --help'.", err=True)
            code = error.exit_code
        except (click.Abort, KeyboardInterrupt):
            click.echo("interrupted: nothing was released", err=True)
            code = 130
        sys.exit(code or 0)


def echo_utf8(text: str) -> None:
    """Prints what a program reads, which wants UTF-8 whatever the terminal is set to."""
    click.echo(text.encode("utf-8", "replace"), nl=not text.endswith("\n"))


def echo_json(document: Any) -> None:
    """Prints a document as JSON; in RFC 8259 there is neither NaN nor another encoding."""
    echo_utf8(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def workspace_option(*, exists: bool) -> Callable[[Any], Any]:
    """`--workspace DIR`, by default the one in this folder."""
    return click.option(
        "--workspace",
        type=click.Path(path_type=Path, file_okay=False, exists=exists),
        default=Path("workspace"),
        show_default=True,
        help="Where runs, releases, the ledger and metadata are kept.",
    )
