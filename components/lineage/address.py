"""Where ML Metadata is kept: a SQLite file by default, or a server that several workspaces share.

An address never holds a password, so it can be shown, logged and recorded as it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from components.lineage.password import WHERE_IT_GOES, read_password
from components.records.errors import ConfigError, suggestion

SQLITE, POSTGRESQL, MYSQL = "sqlite", "postgresql", "mysql"
_PORTS = {POSTGRESQL: 5432, MYSQL: 3306}
_FORMS = "sqlite:PATH, postgresql://USER@HOST:PORT/DATABASE or mysql://USER@HOST:PORT/DATABASE"


@dataclass(frozen=True)
class Server:
    """Attributes:
    socket: PostgreSQL's folder of sockets or MySQL's socket, instead of host and port.
    """

    user: str
    host: str
    port: int
    database: str
    socket: str | None


@dataclass(frozen=True)
class StoreAddress:
    """Attributes:
    url: `sqlite:PATH`, `postgresql://...` or `mysql://...`; never holds a password.
    """

    url: str

    @classmethod
    def parse(cls, text: str, *, root: Path) -> "StoreAddress":
        """The address a person wrote; a plain path is a SQLite file, relative to `root`.

        A socket instead of host and port: `postgresql://USER@/DATABASE?socket=FOLDER`,
        `mysql://USER@/DATABASE?socket=FILE`.

        Raises:
          ConfigError: no address; or one with a password, which is not repeated.
        """
        if "://" not in text:
            path = text.removeprefix("sqlite:")
            if not path:
                raise ConfigError(f"metadata: got '{text}', wanted {_FORMS}")
            return cls(f"sqlite:{(root / path).resolve()}")
        _server(text)
        return cls(text)

    def __str__(self) -> str:
        return self.url

    @property
    def kind(self) -> str:
        """SQLITE, POSTGRESQL or MYSQL (which MariaDB is too)."""
        return self.url.partition(":")[0]

    @property
    def path(self) -> Path | None:
        """The SQLite file; None for a server."""
        return Path(self.url.removeprefix("sqlite:")) if self.kind == SQLITE else None

    @cached_property
    def server(self) -> Server:
        """Of a PostgreSQL or MySQL address."""
        return _server(self.url)

    def engine(self, *, read_only: bool = True) -> Any:
        """SQLAlchemy's engine, with one connection made already.

        Args:
          read_only: whether the database itself is told to refuse to write.

        Raises:
          ConfigError: there is no such store, or it cannot be reached with these rights.
        """
        from components.lineage.engines import connected_engine

        return connected_engine(self, read_only=read_only)

    def mlmd_config(self) -> Any:
        """ML Metadata's connection, to write with; holds the password, so never log it."""
        return with_password(self.tfx_config())

    def tfx_config(self) -> Any:
        """The same without the password, for the graph: TFX logs what it is given."""
        from ml_metadata.proto import metadata_store_pb2

        config = metadata_store_pb2.ConnectionConfig()
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            config.sqlite.filename_uri = str(self.path)
            config.sqlite.connection_mode = config.sqlite.READWRITE_OPENCREATE
            return config
        server = self.server
        if self.kind == POSTGRESQL:
            to = config.postgresql
            to.host, to.port = server.socket or server.host, str(server.port)
            to.user, to.dbname = server.user, server.database
        else:
            to = config.mysql
            to.user, to.database = server.user, server.database
            if server.socket:
                to.socket = server.socket
            else:
                to.host, to.port = server.host, server.port
        # A right to make databases is no right that a run should have.
        to.skip_db_creation = True
        return config


def with_password(config: Any) -> Any:
    """A copy of ML Metadata's connection that has the password, where it is to a server."""
    unlocked = type(config)()
    unlocked.CopyFrom(config)
    kind = unlocked.WhichOneof("config")
    password = read_password() if kind in _PORTS else None
    if password:
        getattr(unlocked, kind).password = password
    return unlocked


def _server(text: str) -> Server:
    """The parts of a server's URL; what cannot be read is never repeated: it may hold a secret."""
    kind, _, rest = text.partition("://")
    if kind not in _PORTS:
        raise ConfigError(f"metadata: unknown kind of store '{kind}'{suggestion(kind, _PORTS)}")
    if ":" in rest.rpartition("@")[0]:
        raise ConfigError(
            f"metadata: {kind}://...: a password does not belong into an address, which is "
            f"recorded; {WHERE_IT_GOES}"
        )
    wanted = f"metadata: {kind}://...: wanted {kind}://USER@HOST:PORT/DATABASE"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port or _PORTS[kind]
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        raise ConfigError(f"{wanted}, with a number as port") from None
    user, database = unquote(parts.username or ""), unquote(parts.path.removeprefix("/"))
    socket = options.pop("socket", None)
    _refuse_options(options, kind)
    if not user or not re.fullmatch(r"[^/\\\s`\"']+", database) or parts.fragment:
        raise ConfigError(f"{wanted}; the user or the name of one database is missing")
    if bool(host) == bool(socket):
        raise ConfigError(f"{wanted}; give a host, or ?socket=PATH instead of one")
    return Server(user, host, port, database, socket)


def _refuse_options(options: Mapping[str, str], kind: str) -> None:
    if any(name.lower() in ("password", "passwd", "pwd") for name in options):
        raise ConfigError(f"metadata: {kind}://...: no password in an address; {WHERE_IT_GOES}")
    if options:
        names = ", ".join(sorted(options))
        raise ConfigError(f"metadata: {kind}://...: unknown option {names!r}; known: socket")
