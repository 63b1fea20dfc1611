"""What came and what became of it: a SQLite file that any number of nodes may work on.

It knows pictures and studies by keyed hashes alone. A node that works on one holds it for a while;
what a dead node held is another's when that is over. Whatever is written is on disk.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from components.records.clock import current_time
from components.records.errors import ConfigError
from pipeline.pacs.settings import QueueConfig

PICTURE, ANSWER = "picture", "answer"  # what waits: to be judged, or said by a reader
WAITING, SENT, RECORDED, LEFT_OUT, DEAD = "waiting", "sent", "recorded", "left out", "dead"
_TABLE = f"""
CREATE TABLE IF NOT EXISTS item (
  key TEXT PRIMARY KEY, study TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
  reason TEXT NOT NULL, arrived REAL NOT NULL, due REAL NOT NULL, attempts INTEGER NOT NULL,
  model TEXT NOT NULL, holder TEXT NOT NULL, held_until REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS waiting ON item (due) WHERE state = '{WAITING}';
CREATE INDEX IF NOT EXISTS of_study ON item (study, arrived);
"""


@dataclass(frozen=True)
class Item:
    """Attributes:
    key, study: keyed hashes.
    reason: why it is as it is, in words that name nobody.
    attempts: that failed.
    model: SHA-256 of the release that said something of it last; empty where none did.
    """

    key: str
    study: str
    kind: str
    state: str
    reason: str
    arrived: float
    due: float
    attempts: int
    model: str


_COLUMNS = ", ".join(field.name for field in fields(Item))


class PacsQueue:
    """The queue in a folder; opened for each question, so that threads share nothing.

    Args:
      holder: names this node among others.
    """

    def __init__(self, folder: Path, config: QueueConfig, holder: str = "") -> None:
        self._path = folder / "queue.sqlite"
        self._config = config
        self._holder = holder
        if not self._path.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.touch(mode=0o600)
        with self._changing() as table:
            table.execute("PRAGMA user_version = 1")
            for statement in _TABLE.split(";"):
                table.execute(statement)

    def add(
        self, key: str, study: str, kind: str, *, left_out: str = "", again: bool = True
    ) -> str:
        """Takes an instance; the state that it is in then.

        Args:
          left_out: why nothing is to be done with it.
          again: whether one that came before is tried again, or stays as it is.
        """
        now, state = _now(), LEFT_OUT if left_out else WAITING
        changes = (
            "UPDATE SET state = excluded.state, reason = excluded.reason, attempts = 0, "
            "arrived = excluded.arrived, due = excluded.due, holder = ''"
        )
        with self._changing() as table:
            table.execute(
                f"{_INSERT} ON CONFLICT (key) DO {changes if again else 'NOTHING'}",
                (key, study, kind, state, left_out, now, now),
            )
            return str(table.execute(_FIND, (key,)).fetchone()[0])

    def unknown(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys that never came."""
        wanted = set(keys)
        with self._changing() as table:
            known = {key for key in wanted if table.execute(_FIND, (key,)).fetchone()}
        return wanted - known

    def lease(self, *, kinds: Iterable[str] = (PICTURE, ANSWER)) -> Item | None:
        """The next that is due, of a study that is complete; this node's for a while."""
        now, named = _now(), tuple(kinds)
        marks = ", ".join("?" * len(named))
        with self._changing() as table:
            row = table.execute(
                f"SELECT {_COLUMNS} FROM item AS one WHERE state = '{WAITING}' AND due <= ? "  # noqa: S608
                f"AND held_until <= ? AND kind IN ({marks}) AND ? >= "
                "(SELECT max(arrived) FROM item WHERE study = one.study) ORDER BY due LIMIT 1",
                (now, now, *named, now - self._config.quiet_seconds),
            ).fetchone()
            if row is None:
                return None
            until = now + self._config.lease_seconds
            table.execute(
                "UPDATE item SET holder = ?, held_until = ? WHERE key = ?",
                (self._holder, until, row[0]),
            )
        return Item(*row)

    def hold(self, item: Item, model: str) -> bool:
        """Keeps it for this node anew, with the model that speaks of it; False: another has it."""
        until = _now() + self._config.lease_seconds
        return self._set(item, "model = ?, held_until = ?", model, until)

    def finish(self, item: Item, state: str, reason: str = "") -> bool:
        """Writes down what became of it; False where it came again meanwhile, or another has it."""
        return self._set(item, "state = ?, reason = ?, holder = '', held_until = 0", state, reason)

    def retry(self, item: Item, reason: str, *, for_ever: bool = False) -> str:
        """Puts it back, for after a pause; a person has to look at it after too many attempts.

        Args:
          for_ever: what failed says nothing of this item.

        Returns:
          The state that it is in.
        """
        attempts, config = item.attempts + 1, self._config
        if attempts >= config.attempts and not for_ever:
            self._set(item, "state = ?, reason = ?, attempts = ?", DEAD, reason, attempts)
            return DEAD
        pause = config.pause_seconds * 2 ** min(item.attempts, 30)
        due = _now() + min(config.longest_pause_seconds, pause)
        changes = "attempts = ?, due = ?, reason = ?, holder = '', held_until = 0"
        self._set(item, changes, attempts, due, reason)
        return WAITING

    def revive(self, key: str, state: str) -> None:
        """Of what was given up: a person says what becomes of it."""
        with self._changing() as table:
            table.execute(
                "UPDATE item SET state = ?, attempts = 0, due = ?, held_until = 0 "
                "WHERE key = ? AND state = ?",
                (state, _now(), key, DEAD),
            )

    def counts(self) -> dict[str, int]:
        """How many are in each state."""
        with self._changing() as table:
            return dict(table.execute("SELECT state, count(*) FROM item GROUP BY state"))

    def items(self, *states: str) -> list[Item]:
        """Those in one of these states, the oldest first."""
        marks = ", ".join("?" * len(states))
        asked = f"SELECT {_COLUMNS} FROM item WHERE state IN ({marks}) ORDER BY arrived"  # noqa: S608
        with self._changing() as table:
            return [Item(*row) for row in table.execute(asked, states)]

    def _set(self, item: Item, changes: str, *values: Any) -> bool:
        mine = "WHERE key = ? AND holder = ? AND holder != ''"
        with self._changing() as table:
            done = table.execute(
                f"UPDATE item SET {changes} {mine}",  # noqa: S608
                (*values, item.key, self._holder),
            )
            return done.rowcount == 1

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        try:
            table = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            try:
                table.execute("PRAGMA journal_mode = WAL")
                table.execute("PRAGMA synchronous = FULL")
                table.execute("BEGIN IMMEDIATE")
                yield table
                table.execute("COMMIT")
            finally:
                table.close()  # what was not committed is taken back
        except sqlite3.Error as error:
            raise ConfigError(f"{self._path}: cannot be used: {error}") from None


_INSERT = "INSERT INTO item VALUES (?, ?, ?, ?, ?, ?, ?, 0, '', '', 0)"
_FIND = "SELECT state FROM item WHERE key = ?"


def _now() -> float:
    return current_time().timestamp()
