"""What every command shares: how it refuses, how it ends, and options that mean the same."""

import itertools
import json
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click

from components.records.errors import CasegateError, UsageError
from components.records.problems import json_line


def refusing_in_one_line(command: Callable[..., int]) -> Callable[..., None]:
    """Ends the process with the command's exit code; an error becomes one line on stderr.

    With `--format json` that line is an object: docs/errors.md.
    """

    @wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        as_json = "json" in (options.get("form"), options.get("format_"))
        try:
            code = command(*arguments, **options)
        except CasegateError as error:
            code = _refuse(error, f"{type(error).__name__}: {error}", as_json=as_json)
        except Exception as error:
            words = f"internal error: {_story(error)}"
            code = _refuse(CasegateError(words), words, as_json=as_json)
        sys.exit(code)

    return wrapped


def _refuse(error: CasegateError, words: str, *, as_json: bool) -> int:
    """Prints the one line of an error; returns the exit code."""
    click.echo(json_line(error) if as_json else f"{words} [{error.code}]", err=True)
    return error.exit_code


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
            words = f"{where}: {words} See '{where} --help'."
            given = options.get("args", arguments[0] if arguments else None)
            code = _refuse(UsageError(words), words, as_json=_asked_for_json(given))
        except (click.Abort, KeyboardInterrupt):
            click.echo("interrupted: nothing was released", err=True)
            code = 130
        sys.exit(code or 0)


def _asked_for_json(given: Sequence[str] | None) -> bool:
    """Whether the command line, which could not be understood, has `--format json` in it."""
    words = list(sys.argv[1:] if given is None else given)
    return "--format=json" in words or ("--format", "json") in itertools.pairwise(words)


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
