"""What every command of `casegate lineage` shares: where it looks, and how its answer is given."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.commands.shared import echo_utf8, refusing_in_one_line, workspace_option

if TYPE_CHECKING:
    from pipeline.evidence.answer import Answer

# As pipeline/evidence/show_answer.py has them; help should not have to import that.
FORMATS = ("text", "json", "csv")
_WIDTH_OF_A_FILE = 200  # tables of checks have many columns


def answered(command: "Callable[..., Answer]") -> Callable[..., None]:
    """Makes a command of `command(evidence, ...)`, which has only to find the answer.

    It gets the options --workspace, --format, --table and --out, and ends with the answer's exit
    code. Its own arguments and options are declared above this one.
    """

    @workspace_option(exists=True)
    @click.option(
        "--format", "format_", type=click.Choice(FORMATS), default="text", show_default=True
    )
    @click.option("--table", metavar="NAME", help="Only this table; CSV has the first if none.")
    @click.option(
        "--out",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Writes the answer to this file.",
    )
    @refusing_in_one_line
    @wraps(command)
    def wrapped(
        workspace: Path, format_: str, table: str | None, out: Path | None, **own: Any
    ) -> int:
        from pipeline.evidence.subject import Evidence

        with Evidence(workspace) as evidence:
            answer = command(evidence, **own)
        give(answer, format_=format_, table=table, out=out)
        return answer.exit_code

    return wrapped


def of_one(command: "Callable[..., Answer]") -> "Callable[..., Answer]":
    """For a question about one run or release: `command(evidence, subject, ...)`."""

    @click.argument("name", metavar="VERSION|RUN")
    @click.option(
        "--destination",
        metavar="DIR",
        help="serving/MODEL, where the version stands in several.",
    )
    @wraps(command)
    def wrapped(evidence: Any, name: str, destination: str | None, **own: Any) -> "Answer":
        return command(evidence, evidence.subject(name, destination=destination), **own)

    return wrapped


def give(answer: "Answer", *, format_: str, table: str | None, out: Path | None) -> None:
    """Prints the answer, or writes it to a file.

    Raises:
      ConfigError: it has no table of this name, or the file cannot be written.
    """
    from pipeline.evidence.show_answer import as_csv, as_json, as_text

    if table is not None:
        answer = _with_one_table(answer, table)
    if format_ == "json":
        text = as_json(answer)
    elif format_ == "csv":
        text = as_csv(answer)
    elif out is None and sys.stdout.isatty():
        width, colour = shutil.get_terminal_size().columns, "NO_COLOR" not in os.environ
        text = as_text(answer, width=width, colour=colour)
    else:
        text = as_text(answer, width=_WIDTH_OF_A_FILE)
    if out is None and format_ == "text":
        click.echo(text, nl=False)
    elif out is None:
        echo_utf8(text)
    else:
        write_out(out, text.encode())


def write_out(path: Path, content: bytes) -> None:
    """Writes what a person asked for, atomically.

    Raises:
      ConfigError: it cannot be written.
    """
    from components.records.errors import ConfigError
    from components.records.files import write_atomically

    try:
        write_atomically(path, content)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None


def _with_one_table(answer: "Answer", name: str) -> "Answer":
    from components.records.errors import ConfigError, suggestion

    for table in answer.tables:
        if table.name == name:
            return replace(answer, tables=(table,))
    if not answer.tables:
        raise ConfigError(f"--table {name}: this answer has no table; leave --table out")
    known = suggestion(name, [table.name for table in answer.tables])
    raise ConfigError(f"--table {name}: no such table{known}")
