"""What a store is, for whoever keeps it: version, size, rows, and this account's rights."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.lineage.address import POSTGRESQL, SQLITE, StoreAddress, connection_error
from components.lineage.tables import TABLES, count

_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True)
class StoreFacts:
    """Attributes:
    database: the product and its version.
    schema_version: ML Metadata's.
    bytes: as the database counts them; a file's own size for SQLite.
    rights: what this account may do, such as `read` and `write`.
    rows: by table.
    """

    database: str
    schema_version: int
    bytes: int
    rights: tuple[str, ...]
    rows: Mapping[str, int]


def store_facts(address: StoreAddress) -> StoreFacts:
    """Asks with SELECT alone.

    Raises:
      ConfigError: the store cannot be reached, or holds nothing of ML Metadata.
    """
    import sqlalchemy

    engine = address.engine()
    try:
        with engine.connect() as connection:
            version = connection.exec_driver_sql("SELECT schema_version FROM MLMDEnv").scalar()
            return StoreFacts(
                database=_product(connection),
                schema_version=int(version),
                bytes=_bytes(connection, address),
                rights=_rights(connection, address),
                rows={table: count(connection, table) for table in TABLES},
            )
    except sqlalchemy.exc.DBAPIError as error:
        raise connection_error(address, error) from None
    finally:
        engine.dispose()


def _product(connection: Any) -> str:
    version = ".".join(map(str, connection.dialect.server_version_info))
    if connection.dialect.name == SQLITE:
        return f"SQLite {version}"
    if connection.dialect.name == POSTGRESQL:
        return f"PostgreSQL {version}"
    return f"{'MariaDB' if connection.dialect.is_mariadb else 'MySQL'} {version}"


def _bytes(connection: Any, address: StoreAddress) -> int:
    if address.path is not None:
        return address.path.stat().st_size
    if address.kind == POSTGRESQL:
        sql = "SELECT pg_database_size(current_database())"
    else:
        sql = (
            "SELECT sum(data_length + index_length) FROM information_schema.tables "
            "WHERE table_schema = schema()"
        )
    return int(connection.exec_driver_sql(sql).scalar())


def _rights(connection: Any, address: StoreAddress) -> tuple[str, ...]:
    """Read and write as tables allow them, and whether new tables may be made."""
    if address.path is not None:
        writable = os.access(address.path, os.W_OK) and os.access(address.path.parent, os.W_OK)
        held = {*_RIGHTS, "CREATE"} if writable else {"SELECT"}
    elif address.kind == POSTGRESQL:
        held = {right for right in _RIGHTS if _may(connection, "table", "artifact", right)}
        held |= {"CREATE"} if _may(connection, "schema", "public", "CREATE") else set()
    else:
        held = _mysql_rights(connection)
    found = ["read"] if "SELECT" in held else []
    found += ["write"] if held.issuperset(_RIGHTS) else []
    return (*found, "make tables") if "CREATE" in held else tuple(found)


def _may(connection: Any, what: str, name: str, right: str) -> bool:
    sql = f"SELECT has_{what}_privilege('{name}', '{right}')"
    return bool(connection.exec_driver_sql(sql).scalar())


def _mysql_rights(connection: Any) -> set[str]:
    where = "REPLACE(grantee, '''', '') = CURRENT_USER()"
    schema = "schema() LIKE table_schema"
    sql = (
        f"SELECT privilege_type FROM information_schema.user_privileges WHERE {where} UNION "
        "SELECT privilege_type FROM information_schema.schema_privileges "
        f"WHERE {where} AND {schema} UNION "
        "SELECT privilege_type FROM information_schema.table_privileges "
        f"WHERE {where} AND {schema} AND table_name = 'Artifact'"
    )
    return set(connection.exec_driver_sql(sql).scalars())
