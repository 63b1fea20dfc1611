"""SQLAlchemy engines for each kind of store, and what a database says in words for a person."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from components.lineage.backslashes import speak_so
from components.lineage.password import WHERE_IT_GOES, read_password
from components.records.errors import ConfigError

if TYPE_CHECKING:
    from components.lineage.address import StoreAddress

_CONNECT_SECONDS = 5
_STATEMENT_SECONDS = 120


def connected_engine(address: "StoreAddress", *, read_only: bool) -> Any:
    """An engine whose first connection is made and waits in its pool.

    Raises:
      ConfigError: no such store, or it cannot be reached.
    """
    import sqlalchemy

    engine = {"sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mysql}[address.kind](
        address, read_only
    )
    try:
        engine.connect().close()
    except sqlalchemy.exc.DBAPIError as error:
        engine.dispose()
        raise told(address, error) from None
    return engine


def said(error: Any) -> str:
    """What the database said, in one line; never the values that were sent along."""
    words = error.orig.args[-1] if error.orig.args else error.orig
    return " ".join(str(words).split())


def told(address: "StoreAddress", error: Any) -> ConfigError:
    """What the database said, in one line, and what to do about it."""
    words = said(error)
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


def _sqlite(address: "StoreAddress", read_only: bool) -> Any:
    import sqlalchemy

    if address.path is None or not address.path.exists():
        raise ConfigError(f"{address}: no such store; a run makes it")
    uri = f"file:{quote(str(address.path))}?mode={'ro' if read_only else 'rw'}"
    return sqlalchemy.create_engine(
        "sqlite://",
        creator=lambda: _sqlite_connection(uri, read_only),
        poolclass=sqlalchemy.QueuePool,
    )


def _sqlite_connection(uri: str, read_only: bool) -> Any:
    import sqlite3

    connection = sqlite3.connect(uri, uri=True, timeout=_CONNECT_SECONDS, check_same_thread=False)
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def _postgresql(address: "StoreAddress", read_only: bool) -> Any:
    import sqlalchemy

    server = address.server
    options = [f"statement_timeout={_STATEMENT_SECONDS}s", "application_name=casegate"]
    if read_only:
        options.append("default_transaction_read_only=on")
    url = sqlalchemy.URL.create(
        "postgresql+psycopg",
        username=server.user,
        password=read_password(),
        host=server.socket or server.host,
        port=server.port,
        database=server.database,
    )
    engine = sqlalchemy.create_engine(
        url,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": _CONNECT_SECONDS,
            "options": " ".join(f"-c {option}" for option in options),
        },
    )

    @sqlalchemy.event.listens_for(engine, "connect")
    def hide_backslashes(connection: Any, _: Any) -> None:
        speak_so(connection)

    return engine


def _mysql(address: "StoreAddress", read_only: bool) -> Any:
    """An engine that reads text as ML Metadata writes it.

    ML Metadata declares its connection to be Latin-1 and sends UTF-8 through it. Only who does
    the same gets back what was written, whatever the character set of the database.
    """
    import sqlalchemy

    server = address.server
    setting = "SESSION TRANSACTION READ ONLY" if read_only else "SESSION sql_mode='TRADITIONAL'"
    url = sqlalchemy.URL.create(
        "mysql+pymysql",
        username=server.user,
        password=read_password(),
        host=server.host or "localhost",
        port=server.port,
        database=server.database,
    )
    arguments: dict[str, Any] = {
        "charset": "latin1",
        "connect_timeout": _CONNECT_SECONDS,
        "read_timeout": _STATEMENT_SECONDS,
        "init_command": f"SET {setting}",
    }
    if server.socket:
        arguments["unix_socket"] = server.socket
    engine = sqlalchemy.create_engine(url, pool_pre_ping=True, connect_args=arguments)

    @sqlalchemy.event.listens_for(engine, "connect")
    def send_utf8(connection: Any, _: Any) -> None:
        connection.encoding = "utf8"

    return engine
