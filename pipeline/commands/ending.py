"""How every command refuses, ends and prints what a program reads."""

import itertools
import json
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import click

from components.records.errors import CasegateError, UsageError
from components.records.problems import json_line
from components.records.text import kind_and_words

if TYPE_CHECKING:
    from rich.console import Console


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
    return f"{kind_and_words(error)}; the traceback is in {file.name}"


class OneLineCommand(click.Command):
    """Ends the process with what the command returns, its exit code.

    An error becomes one line on stderr: with `--format json` an object, as docs/errors.md says.
    """

    def invoke(self, context: click.Context) -> NoReturn:
        as_json = context.params.get("form") == "json"
        try:
            code = super().invoke(context)
        except CasegateError as error:
            code = _refuse(error, f"{type(error).__name__}: {error}", as_json=as_json)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            words = f"internal error: {_story(error)}"
            code = _refuse(CasegateError(words), words, as_json=as_json)
        sys.exit(code)


class OneLineGroup(OneLineCommand, click.Group):
    """Usage errors in one line and with exit code 2, an interrupt with 130 as shells expect."""

    command_class = OneLineCommand

    def main(self, *arguments: Any, **options: Any) -> NoReturn:
        try:
            code = super().main(*arguments, **{**options, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            code = error.exit_code
        except click.ClickException as error:
            words = " ".join(error.format_message().split())
            context = error.ctx if isinstance(error, click.UsageError) else None
            where = context.command_path if context else "casegate"
            words = f"{where}: {words} See '{where} --help'."
            given = options.get("args", arguments[0] if arguments else None)
            code = _refuse(UsageError(words), words, as_json=_asked_for_json(given))
        except (click.Abort, KeyboardInterrupt):
            click.echo("interrupted", err=True)
            code = 130
        sys.exit(code or 0)


command = partial(click.command, cls=OneLineCommand)
group = partial(click.group, cls=OneLineGroup)


def _asked_for_json(given: Sequence[str] | None) -> bool:
    """Whether the command line, which could not be understood, has `--format json` in it."""
    words = list(sys.argv[1:] if given is None else given)
    return "--format=json" in words or ("--format", "json") in itertools.pairwise(words)


def echo_utf8(text: str) -> None:
    """Prints what a program reads, which wants UTF-8 whatever the terminal is set to."""
    click.echo(text.encode("utf-8", "replace"), nl=not text.endswith("\n"))


def console() -> "Console":
    """Where tables are printed; figures in them keep the colour of the text around them."""
    from rich.console import Console

    return Console(highlight=False)


def print_answer(form: str, document: Callable[[], Any], show: "Callable[[Console], None]") -> int:
    """Prints the document as JSON where `form` is that, else what `show` prints; returns 0."""
    if form == "json":
        echo_json(document())
    else:
        show(console())
    return 0


@contextmanager
def progress_bar() -> "Iterator[Callable[[str, int, int], None]]":
    """On a terminal, a bar: of what, how much is done, and of how much; silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda what, done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as view:
        bar = view.add_task("", total=None)
        yield lambda what, done, of: view.update(
            bar, description=what, completed=done, total=max(of, 1)
        )


def echo_json(document: Any) -> None:
    """Prints a document as JSON; in RFC 8259 there is neither NaN nor another encoding."""
    echo_utf8(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
