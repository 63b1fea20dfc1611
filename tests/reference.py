"""`make reference`: writes what docs/errors.md and docs/reference/ take from the code.

Such a page has its own words, and between two marks a part of one name that is made here.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import click

from components.records.errors import KINDS
from pipeline.cli import main as casegate
from pipeline.settings.config import REPOSITORY
from tests.schemas import config_schema

PAGES = sorted([REPOSITORY / "docs/errors.md", *(REPOSITORY / "docs/reference").glob("*.md")])
MARKED = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.S)


def row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def head(*cells: str) -> list[str]:
    return [row(*cells), "|" + "---|" * len(cells)]


def written(value: object) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def settings() -> str:
    """A row for each key, in the order of the configuration."""
    schema = config_schema()
    lines = head("key", "default", "may be", "meaning")

    def walk(section: dict[str, Any], prefix: str) -> None:
        for name, one in section["properties"].items():
            reference = one.get("$ref", "")
            if reference.startswith("#/$defs/") and reference.endswith("Config"):
                walk(schema["$defs"][reference.removeprefix("#/$defs/")], f"{prefix}{name}.")
                continue
            meaning = " ".join(one.get("description", "").split())
            default = written(one["default"]) if "default" in one else ""
            lines.append(row(f"`{prefix}{name}`", default, wanted(one), meaning))

    walk(schema, "")
    return "\n".join(lines)


def wanted(one: dict[str, Any] | bool) -> str:
    """What a value may be, in words."""
    if isinstance(one, bool):
        return "anything"
    if "anyOf" in one:
        return " or ".join(wanted(each) for each in one["anyOf"])
    if "enum" in one:
        return ", ".join(written(each) for each in one["enum"])
    if "const" in one:
        return written(one["const"])
    kind = one.get("type", "")
    if isinstance(kind, list):
        return " or ".join(wanted({**one, "type": each}) for each in kind)
    if kind == "array":
        least, most = one.get("minItems"), one.get("maxItems")
        many = f"{least} to {most} of " if least and most else "list of "
        inner = wanted(one["items"]) if one.get("items") else ""
        return many + inner if inner else "list"
    names = {"string": "text", "integer": "whole number", "boolean": "`true`, `false`"}
    if kind in ("integer", "number"):
        bounds = [
            f"{word} {one[key]}"
            for key, word in (
                ("minimum", "from"),
                ("exclusiveMinimum", "above"),
                ("maximum", "to"),
                ("exclusiveMaximum", "below"),
            )
            if key in one
        ]
        return " ".join([names.get(kind, kind), *bounds])
    return names.get(kind, kind if isinstance(kind, str) else "")


def commands() -> str:
    """The help of every command, as a terminal of 90 columns shows it."""
    parts = []
    for words, context in walk_commands(casegate, click.Context(casegate, info_name="casegate")):
        context.max_content_width = context.terminal_width = 90
        command = context.command
        command._help_option = None  # click keeps that of the first context it was asked in
        parts += [f"## {' '.join(words)}", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(parts).rstrip()


def walk_commands(
    command: click.Command, context: click.Context
) -> Iterator[tuple[tuple[str, ...], click.Context]]:
    yield tuple(context.command_path.split()), context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from walk_commands(inner, click.Context(inner, context, info_name=name))


def files() -> str:
    """A table for each JSON Schema but the settings', whose keys have a page of their own."""
    parts = []
    for path in sorted((REPOSITORY / "schemas").glob("*.json")):
        if path.name != "config.json":
            parts += [
                f"## `schemas/{path.name}`",
                "",
                *one_file(json.loads(path.read_text("utf-8"))),
            ]
    return "\n".join(parts).rstrip()


def one_file(schema: dict[str, Any]) -> list[str]:
    """The keys of a file; those of an object in it below them, with a dot."""
    lines = [f"{schema['title']}.", "", *head("key", "what")]

    def resolved(one: dict[str, Any]) -> dict[str, Any]:
        reference = one.get("$ref")
        return (
            resolved(schema["$defs"][reference.rpartition("/")[2]])
            | {key: value for key, value in one.items() if key != "$ref"}
            if reference
            else one
        )

    def walk(section: dict[str, Any], prefix: str) -> None:
        described: dict[str, str] = {}
        for name, found in section.get("properties", {}).items():
            one = resolved(found)
            first = described.setdefault(found.get("$ref", name), name)
            if first != name and "properties" in one:
                lines.append(row(f"`{prefix}{name}`", f"as `{prefix}{first}`"))
                continue
            what = [one.get("title"), one.get("description") or wanted(one)]
            lines.append(
                row(f"`{prefix}{name}`", "; ".join(" ".join(w.split()) for w in what if w))
            )
            inner = one.get("items") if one.get("type") == "array" else one
            if isinstance(inner, dict):
                walk(resolved(inner), f"{prefix}{name}.")

    for alternative in schema.get("oneOf", [schema]):
        walk(resolved(alternative), "")
    return [*lines, ""]


def error_codes() -> str:
    """A row for each kind of error, in the order of the codes."""
    lines = head("error", "kind", "exit code", "what causes it", "what to do")
    for code, kind in sorted(KINDS.items()):
        cause = " ".join((kind.__doc__ or "").split())
        cells = f"`{code}`", f"`{kind.__name__}`", str(kind.exit_code), cause, kind.remedy
        lines.append(row(*cells))
    return "\n".join(lines)


MADE: dict[str, Callable[[], str]] = {
    "settings": settings,
    "commands": commands,
    "files": files,
    "errors": error_codes,
}


def made_anew(text: str) -> str:
    """A page's text with each marked part as the code has it."""
    return MARKED.sub(lambda part: part[1] + "\n" + MADE[part[2]]() + "\n\n" + part[3], text)


def main() -> None:
    for path in PAGES:
        path.write_text(made_anew(path.read_text("utf-8")), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
