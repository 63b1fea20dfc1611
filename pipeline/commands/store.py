"""`casegate store`: where ML Metadata is kept, and moving it to a server that others share."""

import json
import os
from pathlib import Path
from typing import Any

import click

from pipeline.commands import options
from pipeline.commands.answers import FORMATS, give
from pipeline.commands.ending import group, progress_bar
from pipeline.settings.workspace import Workspace


@group()
def store() -> None:
    """The metadata store: what is in it, and moving it to PostgreSQL or MySQL."""


@store.command()
@options.workspace(exists=True)
@options.form(*FORMATS)
def show(workspace: Path, form: str) -> int:
    """Says where the store is, its version and size, and what this account may do there."""
    from components.lineage.tables import store_facts
    from pipeline.evidence.answer import Answer, Table

    address = Workspace(workspace.resolve()).store
    facts = store_facts(address)
    shown: dict[str, Any] = {
        "address": address.url,
        "database": facts.database,
        "schema version": facts.schema_version,
        "size": _size(facts.bytes),
        "rights": ", ".join(facts.rights) or "none",
    }
    rows = Table("rows", "rows by table", ("table", "rows"), tuple(facts.rows.items()))
    return give(Answer("where is the metadata store, and what is in it", shown, (rows,)), form=form)


@store.command()
@options.workspace(exists=True)
@click.option(
    "--to",
    required=True,
    metavar="URL",
    help="postgresql://USER@HOST:PORT/DATABASE or mysql://USER@HOST:PORT/DATABASE.",
)
def migrate(workspace: Path, to: str) -> int:
    """Copies the workspace's SQLite store to an empty database on a server, and uses that.

    Ids are kept and every table is compared at the end. An interrupted copy goes on where it was.
    The SQLite file stays as it is. The password comes from CASEGATE_METADATA_PASSWORD, or from the
    file that CASEGATE_METADATA_PASSWORD_FILE names.
    """
    os.environ.setdefault("GLOG_minloglevel", "2")  # ML Metadata tells of each connection
    from components.lineage.address import StoreAddress
    from components.lineage.migrate import migrate as copy
    from components.lineage.migrate import unmark
    from components.records.files import write_atomically

    place = Workspace(workspace.resolve())
    target = StoreAddress.parse(to, root=place.root)
    with place.opened():
        source = place.store
        if source == target:
            unmark(target)  # in case a copy was interrupted just before
            click.echo(f"{target}: the store of this workspace already")
            return 0
        with progress_bar() as progress:
            contents = copy(source, target, progress=progress)
        write_atomically(place.store_file, json.dumps({"metadata": target.url}).encode())
        unmark(target)
    rows = sum(content.rows for content in contents.values())
    click.echo(
        f"{target}: {rows:,} rows in {len(contents)} tables, each compared; this workspace now "
        f"uses it, and {source.path} is kept as it was"
    )
    return 0


def _size(count: int) -> str:
    if count < 2**20:
        return f"{count / 2**10:.1f} KiB"
    return f"{count / 2**20:,.1f} MiB"
