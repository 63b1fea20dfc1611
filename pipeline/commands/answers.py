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

from pipeline.commands import options
from pipeline.commands.ending import echo_utf8

if TYPE_CHECKING:
    from pipeline.evidence.answer import Answer

FORMATS = ("text", "json", "csv")
_WIDTH_OF_A_FILE = 200  # tables of checks have many columns


def answered(command: "Callable[..., Answer]") -> Callable[..., None]:
    """Makes a command of `command(evidence, ...)`, which has only to find the answer.

    It gets the options --workspace, --format, --table and --out, and ends with the answer's exit
    code. Its own arguments and options are declared above this one.
    """

    @options.workspace(exists=True)
    @options.form(*FORMATS)
    @click.option("--table", metavar="NAME", help="Only this table; CSV has the first if none.")
    @options.file("--out", "Writes the answer to this file.")
    @wraps(command)
    def wrapped(workspace: Path, form: str, table: str | None, out: Path | None, **own: Any) -> int:
        from pipeline.evidence.subject import Evidence

        with Evidence(workspace) as evidence:
            answer = command(evidence, **own)
        return give(answer, form=form, table=table, out=out)

    return wrapped


def of_one(command: "Callable[..., Answer]") -> "Callable[..., Answer]":
    """For a question about one run or release: `command(evidence, subject, ...)`."""

    @click.argument("name", metavar="VERSION|RUN")
    @options.destination()
    @wraps(command)
    def wrapped(evidence: Any, name: str, destination: str | None, **own: Any) -> "Answer":
        return command(evidence, evidence.subject(name, destination=destination), **own)

    return wrapped


def give(answer: "Answer", *, form: str, table: str | None = None, out: Path | None = None) -> int:
    """Prints the answer, or writes it to a file; returns its exit code.

    Raises:
      ConfigError: it has no table of this name, or the file cannot be written.
    """
    from pipeline.evidence.show_answer import as_csv, as_json, as_text

    if table is not None:
        answer = _with_one_table(answer, table)
    if form != "text":
        text = {"json": as_json, "csv": as_csv}[form](answer)
    elif out is None and sys.stdout.isatty():
        width, colour = shutil.get_terminal_size().columns, "NO_COLOR" not in os.environ
        text = as_text(answer, width=width, colour=colour)
    else:
        text = as_text(answer, width=_WIDTH_OF_A_FILE)
    print_or_write(text, out, for_people=form == "text")
    return answer.exit_code


def print_or_write(
    text: str, out: Path | None, *, for_people: bool = False, option: str = "--out", done: str = ""
) -> None:
    """Prints what was asked for, in UTF-8 where programs read it; or writes it where a person said.

    Args:
      out: a file, a link to one, a pipe or a device.
      option: by which `out` was named.
      done: what is printed of a file that was written; its path stands behind it.

    Raises:
      ConfigError: it cannot be written.
    """
    from components.records.files import is_standard_output, write_output, writing_to

    if out is not None:
        with writing_to(f"{option} {out}"):
            write_output(out, text.encode())
        if done:
            click.echo(f"{done}: {out}", err=is_standard_output(out))
    elif for_people:
        click.echo(text, nl=False)
    else:
        echo_utf8(text)


def _with_one_table(answer: "Answer", name: str) -> "Answer":
    from components.records.errors import ConfigError, suggestion

    for table in answer.tables:
        if table.name == name:
            return replace(answer, tables=(table,))
    if not answer.tables:
        raise ConfigError(f"--table {name}: this answer has no table; leave --table out")
    known = suggestion(name, [table.name for table in answer.tables])
    raise ConfigError(f"--table {name}: no such table{known}")
