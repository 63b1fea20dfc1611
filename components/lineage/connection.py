"""How TFX's launcher connects to ML Metadata: with the password, and safe on PostgreSQL.

The graph holds neither. TFX logs the connection that it is given, and opens ML Metadata's own
store, whose PostgreSQL backend mistakes text for SQL (see backslashes.py).
"""

from tfx.orchestration import metadata

from components.lineage.opening import OpenStore


class Connection(metadata.Metadata):
    """What `tfx.orchestration.metadata.Metadata` is, for a connection without its password."""

    def __enter__(self) -> "Connection":
        self._store = OpenStore(self._connection_config)
        self._users += 1
        return self
