"""The options that two commands or more share: each means the same wherever it stands."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Any], Any]

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
EXISTING_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
EXISTING_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


def stacked(*options: Decorator) -> Decorator:
    """One decorator of several, in the order in which `--help` lists their options."""

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def file(name: str, words: str, *, exists: bool = False, **other: Any) -> Decorator:
    return click.option(name, type=EXISTING_FILE if exists else FILE, help=words, **other)


def folder(
    name: str, words: str, *, exists: bool = False, metavar: str | None = "DIR", **other: Any
) -> Decorator:
    kind = EXISTING_FOLDER if exists else FOLDER
    return click.option(name, type=kind, metavar=metavar, help=words, **other)


def workspace(*, exists: bool) -> Decorator:
    """`--workspace DIR`, by default the one in this folder."""
    return click.option(
        "--workspace",
        type=EXISTING_FOLDER if exists else FOLDER,
        default=Path("workspace"),
        show_default=True,
        help="Where runs, releases, the ledger and metadata are kept.",
    )


def config(
    words: str = "YAML file of settings; without it the one shipped for the data, if any.",
    **other: Any,
) -> Decorator:
    return file("--config", words, **other)


def settings(words: str | None = "Overrides one setting; may be repeated.") -> Decorator:
    return click.option("--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help=words)


def reading() -> Decorator:
    """`--config` and `--set`, for what they say in `data` of how names are read: as `reading`."""

    def decorate(command: Any) -> Any:
        @functools.wraps(command)
        def with_reading(config: Path | None, settings: tuple[str, ...], **given: Any) -> Any:
            from pipeline.settings.config import load_config

            return command(**given, reading=load_config(config, settings).data.reading)

        words = "YAML file of settings; those of `data` say how names in SOURCE are read."
        return stacked(file("--config", words), settings())(with_reading)

    return decorate


def data(words: str) -> Decorator:
    return click.option("--data", metavar="SOURCE", help=words)


def form(*formats: str, words: str | None = None) -> Decorator:
    """`--format`, by default the first of those there are; without any, text and JSON."""
    choices = formats or ("text", "json")
    return click.option(
        "--format",
        "form",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help=words,
    )


def why() -> Decorator:
    return click.option("--why", metavar="TEXT", help="One line for the run's record.")


def person(by: str) -> Decorator:
    """`--by NAME` and `--reason TEXT`, of what a person decides."""
    return stacked(
        click.option("--by", required=True, metavar="NAME", help=by),
        click.option("--reason", required=True, metavar="TEXT"),
    )


def destination(words: str = "serving/MODEL, where the version stands in several.") -> Decorator:
    return click.option("--destination", metavar="DIR", help=words)


def case_set() -> Decorator:
    return click.option(
        "--case-set",
        required=True,
        metavar="NAME|FILE",
        help="A baseline's name, shipped or in the workspace, or a case_set.json.",
    )


def listening(port: int, remote: str) -> Decorator:
    """Where a server listens, and whether other machines may reach it."""
    return stacked(
        click.option(
            "--host", default="127.0.0.1", show_default=True, help="Address to listen on."
        ),
        click.option(
            "--port",
            type=click.IntRange(0, 65535),
            default=port,
            show_default=True,
            help="0 takes any.",
        ),
        click.option(
            "--allow-remote",
            "names",
            metavar="NAME",
            multiple=True,
            help=f"Lets --host be one that other machines reach, under this name{remote}",
        ),
    )


def with_data(
    config: Path | None, data: str | None, settings: tuple[str, ...]
) -> tuple[Path | None, list[str]]:
    """The file of settings, or the one shipped for the data; and the settings, with the data."""
    from components.records.yaml_lines import spell_yaml
    from pipeline.settings.config import shipped_config

    source = [] if data is None else [f"data.source={spell_yaml(data)}"]
    return config or shipped_config(data or "phantom"), [*settings, *source]
