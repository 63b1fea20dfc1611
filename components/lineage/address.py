"""Where ML Metadata is kept and how SQL reaches it: a SQLite file, or a server that many share.

An address never holds a password, so it can be shown, logged and recorded as it is. The password
comes from the environment or a private file each time a connection is made, and is kept nowhere.
"""

import logging
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from components.lineage.backslashes import register_escaping
from components.records.errors import ConfigError, suggestion

VARIABLE = "CASEGATE_METADATA_PASSWORD"
FILE_VARIABLE = "CASEGATE_METADATA_PASSWORD_FILE"
WHERE_IT_GOES = f"set {VARIABLE}, or {FILE_VARIABLE} to a file that only you can read"
_HIDDEN = "[password]"


def read_password() -> str | None:
    """The password; None where neither variable is set.

    Raises:
      ConfigError: both are set, or the file is missing, empty or open to others.
    """
    given, file = os.environ.get(VARIABLE), os.environ.get(FILE_VARIABLE)
    if given and file:
        raise ConfigError(f"{VARIABLE} and {FILE_VARIABLE}: both are set; unset one")
    return _from_file(Path(file)) if file else given or None


def _from_file(path: Path) -> str:
    where = f"{FILE_VARIABLE}: {path}"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise ConfigError(f"{where}: others can read it (mode {mode:o}); chmod 600 it")
        password = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"{where}: cannot be read: {words}") from None
    if not password:
        raise ConfigError(f"{where}: is empty; put the password there")
    return password


class Redacting(logging.Filter):
    """Takes secrets out of log records; to be added to a handler.

    Nothing that casegate gives to TFX holds the password. This is for what a library may say.
    """

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        super().__init__()
        self._secrets = [secret for secret in secrets if secret]

    def filter(self, record: logging.LogRecord) -> bool:
        message = self._without(record.getMessage())
        if message != record.getMessage():
            record.msg, record.args = message, ()
        if record.exc_info:
            # Formatted here, so that no formatter after this one takes it from the exception.
            record.exc_text = self._without(logging.Formatter().formatException(record.exc_info))
        return True

    def _without(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text


SQLITE, POSTGRESQL, MYSQL = "sqlite", "postgresql", "mysql"
_PORTS = {POSTGRESQL: 5432, MYSQL: 3306}
_CONNECT_SECONDS = 5
_STATEMENT_SECONDS = 120
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
        """SQLAlchemy's engine; its first connection is made and waits in its pool.

        Args:
          read_only: whether the database itself is told to refuse to write.

        Raises:
          ConfigError: there is no such store, or it cannot be reached with these rights.
        """
        import sqlalchemy

        make = {SQLITE: _sqlite, POSTGRESQL: _postgresql, MYSQL: _mysql}[self.kind]
        engine = make(self, read_only)
        try:
            engine.connect().close()
        except sqlalchemy.exc.DBAPIError as error:
            engine.dispose()
            raise connection_error(self, error) from None
        return engine

    @contextmanager
    def opened(self, *, read_only: bool = True) -> Iterator[Any]:
        """As `engine`, closed afterwards; what the database refuses is a ConfigError."""
        import sqlalchemy

        engine = self.engine(read_only=read_only)
        try:
            yield engine
        except sqlalchemy.exc.DBAPIError as error:
            raise connection_error(self, error) from None
        finally:
            engine.dispose()

    def tfx_config(self) -> Any:
        """ML Metadata's connection without the password: TFX logs what the graph is given."""
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
    """A copy of ML Metadata's connection that has the password, where it is to a server.

    It is to write with; never log it.
    """
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
    if any(name.lower() in ("password", "passwd", "pwd") for name in options):
        raise ConfigError(f"metadata: {kind}://...: no password in an address; {WHERE_IT_GOES}")
    if options:
        names = ", ".join(sorted(options))
        raise ConfigError(f"metadata: {kind}://...: unknown option {names!r}; known: socket")
    if not user or not re.fullmatch(r"[^/\\\s`\"']+", database) or parts.fragment:
        raise ConfigError(f"{wanted}; the user or the name of one database is missing")
    if bool(host) == bool(socket):
        raise ConfigError(f"{wanted}; give a host, or ?socket=PATH instead of one")
    return Server(user, host, port, database, socket)


def database_message(error: Any) -> str:
    """The database's error in one line; never the values that were sent along."""
    words = error.orig.args[-1] if error.orig.args else error.orig
    return " ".join(str(words).split())


def connection_error(address: StoreAddress, error: Any) -> ConfigError:
    """The database's error in one line, and what to do about it."""
    words = database_message(error)
    lowered = words.lower()
    if address.kind == "sqlite":
        return ConfigError(f"{address}: cannot be opened: {words}")
    if "password" in lowered or "access denied for user" in lowered:
        if "to database" in lowered:
            step = "ask the server's administrator for rights on that database"
        else:
            given = "the one that was given is not right" if read_password() else "none was given"
            step = f"{given}; {WHERE_IT_GOES}"
    elif "does not exist" in lowered or "unknown database" in lowered:
        step = "make it, or correct the address"
    elif "permission denied" in lowered or "denied" in lowered:
        step = "ask the server's administrator for the right"
    else:
        step = "is the server running, and the address right?"
    return ConfigError(f"{address}: {words}; {step}")


def _sqlite(address: StoreAddress, read_only: bool) -> Any:
    import sqlite3

    import sqlalchemy

    if address.path is None or not address.path.exists():
        raise ConfigError(f"{address}: no such store; a run makes it")
    uri = f"file:{quote(str(address.path))}?mode={'ro' if read_only else 'rw'}"

    def connect() -> Any:
        options: Any = {"timeout": _CONNECT_SECONDS, "check_same_thread": False}
        connection = sqlite3.connect(uri, uri=True, **options)
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        return connection

    return sqlalchemy.create_engine("sqlite://", creator=connect, poolclass=sqlalchemy.QueuePool)


def _postgresql(address: StoreAddress, read_only: bool) -> Any:
    options = [f"statement_timeout={_STATEMENT_SECONDS}s", "application_name=casegate"]
    if read_only:
        options.append("default_transaction_read_only=on")
    return _server_engine(
        address.server,
        "postgresql+psycopg",
        address.server.socket or address.server.host,
        {"options": " ".join(f"-c {option}" for option in options)},
        register_escaping,
    )


def _mysql(address: StoreAddress, read_only: bool) -> Any:
    """An engine that reads text as ML Metadata writes it.

    ML Metadata declares its connection to be Latin-1 and sends UTF-8 through it. Only who does
    the same gets back what was written, whatever the character set of the database.
    """
    setting = "SESSION TRANSACTION READ ONLY" if read_only else "SESSION sql_mode='TRADITIONAL'"
    arguments: dict[str, Any] = {
        "charset": "latin1",
        "read_timeout": _STATEMENT_SECONDS,
        "init_command": f"SET {setting}",
    }
    if address.server.socket:
        arguments["unix_socket"] = address.server.socket

    def send_utf8(connection: Any) -> None:
        connection.encoding = "utf8"

    host = address.server.host or "localhost"
    return _server_engine(address.server, "mysql+pymysql", host, arguments, send_utf8)


def _server_engine(
    server: Server,
    driver: str,
    host: str,
    arguments: Mapping[str, Any],
    prepare: Callable[[Any], None],
) -> Any:
    """An engine whose every new connection is prepared before it is used."""
    import sqlalchemy

    url = sqlalchemy.URL.create(
        driver,
        username=server.user,
        password=read_password(),
        host=host,
        port=server.port,
        database=server.database,
    )
    connect = {"connect_timeout": _CONNECT_SECONDS, **arguments}
    engine = sqlalchemy.create_engine(url, pool_pre_ping=True, connect_args=connect)
    sqlalchemy.event.listen(engine, "connect", lambda connection, _: prepare(connection))
    return engine
