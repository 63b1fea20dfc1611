"""docs/interfaces.md held to the truth: what leaves the house has a test with a foreign reader."""

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from components.records.run_files import DECISION_ATTESTATION, RELEASE_ATTESTATION
from components.report.formats import FORMATS
from pipeline.ci.job_files import JUNIT, RESULT, SARIF, SUMMARY
from pipeline.cli import main
from pipeline.evidence.bundle.names import BOM, OPENLINEAGE, PROV
from pipeline.settings.sections import NotifyConfig
from tests.test_docs import ROOT, table

PAGE = ROOT / "docs" / "interfaces.md"
ROWS = table("docs/interfaces.md", "what")[1:]
BY_ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
FILES = {JUNIT, RESULT, SARIF, SUMMARY, PROV, OPENLINEAGE, BOM}
FILES |= {DECISION_ATTESTATION, RELEASE_ATTESTATION, ".pre-commit-hooks.yaml"}


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def functions(path: Path) -> set[str]:
    """The tests of a file, by its text: nothing is run."""
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def commands(group: click.Command, *words: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(group, click.Group):
        for name, command in group.commands.items():
            yield from commands(command, *words, name)
    else:
        yield " ".join(("casegate", *words)), group


def formats_for_programs() -> set[str]:
    options = [option for _, command in commands(main) for option in command.params]
    kinds = [option.type for option in options if "--format" in option.opts]
    offered = {name for kind in kinds if isinstance(kind, click.Choice) for name in kind.choices}
    return (offered | set(FORMATS)) - {"text"}


@BY_ROW
def test_every_test_that_a_row_names_exists(row: list[str]) -> None:
    named = quoted(row[3])
    assert named, f"{row[0]}: no test"
    for name in named:
        path, _, function = name.partition("::")
        assert (ROOT / path).is_file(), name
        assert not function or function in functions(ROOT / path), name


@BY_ROW
def test_every_reader_stands_in_a_test_of_its_row_and_is_not_casegate(row: list[str]) -> None:
    readers = quoted(row[2])
    assert readers, f"{row[0]}: read by nobody"
    text = "".join((ROOT / name.partition("::")[0]).read_text("utf-8") for name in quoted(row[3]))
    assert [name for name in readers if name not in text or name.startswith("casegate")] == []


def test_every_format_file_channel_and_server_has_its_row() -> None:
    servers = {name for name, command in commands(main) if name.endswith(" serve")}
    channels = {f"notify.{one.name}" for one in dataclasses.fields(NotifyConfig)}
    channels &= {"notify.webhook", "notify.smtp", "notify.command"}
    ours = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "ci").rglob("*") if path.is_file()
    }
    wanted = {f"--format {name}" for name in formats_for_programs()}
    wanted |= FILES | servers | channels | ours
    assert len(channels) == 3 and len(servers) >= 2 and len(ours) >= 5
    assert wanted - set(quoted(PAGE.read_text("utf-8"))) == set()


def test_no_command_prints_json_but_by_the_one_function_whose_output_is_read() -> None:
    texts = {path: path.read_text("utf-8") for path in (ROOT / "pipeline/commands").glob("*.py")}
    assert [path.name for path, text in texts.items() if "click.echo(json." in text] == []
