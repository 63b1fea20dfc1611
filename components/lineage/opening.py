"""Opens ML Metadata to write: the schema and the types are made once, under a lock.

ML Metadata itself makes both as it goes. Processes that start together on a fresh store then fail,
or register one type twice: neither PostgreSQL nor MySQL is told that a type's name is unique.
"""

import logging
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import filelock
from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.lineage.address import (
    POSTGRESQL,
    Redacting,
    StoreAddress,
    read_password,
    with_password,
)
from components.lineage.backslashes import escape_message, unescape_message
from components.lineage.types import RECORD, TYPES
from components.records.errors import ConfigError
from components.records.text import brief

_KIND = {str: mlmd.STRING, int: mlmd.INT, float: mlmd.DOUBLE}
_WAIT_SECONDS = 60
# As TFX asks for what is in all of several contexts.
_CONTEXT = re.compile(r"\(?contexts_\d+\.id = (\d+)\)?")
# What TFX keeps its cache under; no graph names it.
_CACHE = "execution_cache"
# Compares bytes, as SQLite and PostgreSQL do: other collations take 'Case1' for 'case1'. Latin-1,
# because that is what ML Metadata calls the UTF-8 it sends. Only MariaDB knows the first, which
# tells 'a ' from 'a' too.
_COLLATIONS = ("latin1_nopad_bin", "latin1_bin")


class WritableStore(metadata_store.MetadataStore):
    """ML Metadata's store, safe on PostgreSQL; a context manager too, for its lifetime's sake."""

    def __init__(self, config: Any) -> None:
        """Connects; the password is added to what `StoreAddress.tfx_config` made."""
        self._hides = config.WhichOneof("config") == POSTGRESQL
        logger, redacting = logging.getLogger("absl"), Redacting([read_password()])
        logger.addFilter(redacting)  # ML Metadata logs all that it connects with
        try:
            super().__init__(with_password(config))
        finally:
            logger.removeFilter(redacting)
        self._config = config

    def __enter__(self) -> "WritableStore":
        return self

    def __exit__(self, *_: object) -> None:
        """ML Metadata disconnects when the last reference goes."""

    def get_executions(self, list_options: Any = None, extra_options: Any = None) -> list[Any]:
        """As ML Metadata's, and TFX's one question with a filter where ML Metadata has none.

        From 1.21 on it has no filters. TFX then reads every execution of the pipeline, at each
        component of each run; here those of one context are read, the newest of all that are asked.
        """
        try:
            return super().get_executions(list_options, extra_options)
        except errors.UnimplementedError:
            parts = [_CONTEXT.fullmatch(part) for part in list_options.filter_query.split(" AND ")]
            if None in parts:
                raise
        asked = {int(part[1]) for part in parts if part}
        return [
            execution
            for execution in self.get_executions_by_context(max(asked))
            if asked <= {one.id for one in self.get_contexts_by_execution(execution.id)}
        ]

    def _call_method(self, method_name: str, request: Any, response: Any) -> None:
        sent = escape_message(request) if self._hides else request
        super()._call_method(method_name, sent, response)
        if self._hides:
            unescape_message(response)


def open_store(address: StoreAddress, *, types: Iterable[Any] = ()) -> WritableStore:
    """A store that may be written to, with its schema, casegate's types and these.

    Args:
      types: ArtifactType, ExecutionType and ContextType messages; see `types_of`.

    Raises:
      ConfigError: the store cannot be reached, written to, or was made by another version.
    """
    with lock_schema(address):
        store = connect_store(address)
        own = [
            mlmd.ArtifactType(name=name, properties={key: _KIND[of] for key, of in kinds.items()})
            for name, kinds in TYPES.items()
        ]
        put = {
            mlmd.ArtifactType: store.put_artifact_type,
            mlmd.ExecutionType: store.put_execution_type,
            mlmd.ContextType: store.put_context_type,
        }
        for known in [*own, mlmd.ExecutionType(name=RECORD), *types]:
            put[type(known)](known, can_add_fields=True, can_omit_fields=True)
    return store


def types_of(pipeline: Any) -> list[Any]:
    """Every type that the run of a graph registers, each once.

    Args:
      pipeline: TFX's intermediate representation, as its compiler makes it.
    """
    cache = mlmd.ContextType(name=_CACHE)
    found: dict[tuple[type, str], Any] = {(mlmd.ContextType, _CACHE): cache}
    for node in (entry.pipeline_node for entry in pipeline.nodes):
        types = [node.node_info.type, *(context.type for context in node.contexts.contexts)]
        types += [output.artifact_spec.type for output in node.outputs.outputs.values()]
        for message in types:
            if message.name:
                found.setdefault((type(message), message.name), message)
    return list(found.values())


def connect_store(address: StoreAddress) -> WritableStore:
    """A store with its schema; only for who holds the lock.

    Raises:
      ConfigError: it cannot be reached or written to, or was made by another version.
    """
    try:
        return WritableStore(address.tfx_config())
    except Exception as error:  # ML Metadata raises what its C++ code happens to return
        raise ConfigError(
            f"{address}: ML Metadata cannot write there: {brief(error)}; a run needs the right to "
            "make tables in that database"
        ) from None


@contextmanager
def lock_schema(address: StoreAddress) -> Iterator[None]:
    """One process at a time makes or changes the schema; the lock goes with the process."""
    if address.path is not None:
        address.path.parent.mkdir(parents=True, exist_ok=True)
        beside = address.path.with_name(f".{address.path.name}.lock")
        try:
            with filelock.FileLock(beside, timeout=_WAIT_SECONDS):
                yield
        except filelock.Timeout:
            raise _busy(address) from None
        return
    with address.opened(read_only=False) as engine, engine.connect() as connection:
        yield from _server_lock(address, connection)


def _server_lock(address: StoreAddress, connection: Any) -> Iterator[None]:
    import sqlalchemy

    name = f"casegate {address.server.database}"
    if address.kind == POSTGRESQL:
        key = zlib.crc32(name.encode())
        connection.execute(sqlalchemy.text(f"SET lock_timeout = '{_WAIT_SECONDS}s'"))
        try:
            connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(:key)"), {"key": key})
        except sqlalchemy.exc.OperationalError:
            raise _busy(address) from None
        connection.commit()
    else:
        got = connection.scalar(
            sqlalchemy.text("SELECT GET_LOCK(:name, :seconds)"),
            {"name": name, "seconds": _WAIT_SECONDS},
        )
        if got != 1:
            raise _busy(address)
        _compare_bytes(address, connection)
    yield  # the connection that is closed afterwards takes its lock along


def _compare_bytes(address: StoreAddress, connection: Any) -> None:
    """Gives a MySQL database that holds no table yet a collation under which names differ."""
    import sqlalchemy

    counting = "SELECT count(*) FROM information_schema.tables WHERE table_schema = schema()"
    if connection.scalar(sqlalchemy.text(counting)):
        return
    for collation in _COLLATIONS:
        try:
            connection.exec_driver_sql(f"ALTER DATABASE CHARACTER SET latin1 COLLATE {collation}")
            return
        except sqlalchemy.exc.DBAPIError:
            continue  # an unknown collation, or no right to set one
    if not connection.scalar(sqlalchemy.text("SELECT @@collation_database")).endswith("_bin"):
        raise ConfigError(
            f"{address}: text there is compared without regard to case, so that names would clash; "
            f"ALTER DATABASE {address.server.database} CHARACTER SET latin1 COLLATE latin1_bin"
        )


def _busy(address: StoreAddress) -> ConfigError:
    return ConfigError(
        f"{address}: another process has been opening it for {_WAIT_SECONDS} seconds; try again"
    )
