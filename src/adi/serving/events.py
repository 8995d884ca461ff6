"""What users did since the bundle was made: their latest events, which the next request takes into account."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Protocol

from adi.errors import AdiError

KEPT = 200
"""Events of a user that are kept; a history looks no further back."""

Event = tuple[str, str]
"""An item, and the domain that it was taken in."""


class StoreError(Exception):
    """The place where events are kept does not answer; the message names it, without its password, and says why."""


class Recent(Protocol):
    """Several threads may add and ask at once. Both raise `StoreError` where the store does not answer."""

    def add(self, user: str, events: Sequence[Event]) -> None:
        """Append events to a user's, oldest first."""
        ...

    def of(self, users: Sequence[str]) -> list[list[Event]]:
        """The latest events of each user, oldest first; none for a user who has none."""
        ...


class SqliteRecent:
    """Events in a SQLite file, or in memory for as long as the process lives.

    Raises `AdiError` for a file that cannot be opened or is no database.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._lock = Lock()
        try:
            self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS event (number INTEGER PRIMARY KEY, user TEXT, item TEXT, domain TEXT)"
            )
            self._db.execute("CREATE INDEX IF NOT EXISTS of_user ON event (user, number)")
        except sqlite3.Error as error:
            raise AdiError(f"{path}: no place to keep events ({error}). Give another file with --events.") from None

    def add(self, user: str, events: Sequence[Event]) -> None:
        with self._transaction():
            self._db.executemany(
                "INSERT INTO event (user, item, domain) VALUES (?, ?, ?)", [(user, *event) for event in events]
            )
            self._db.execute(
                "DELETE FROM event WHERE user = ? AND number <= "
                "(SELECT number FROM event WHERE user = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
                (user, user, KEPT),
            )

    def of(self, users: Sequence[str]) -> list[list[Event]]:
        found: dict[str, list[Event]] = {user: [] for user in users}
        places = ", ".join("?" * len(found))
        select = f"SELECT user, item, domain FROM event WHERE user IN ({places}) ORDER BY number"
        with self._lock:
            try:
                for user, *event in self._db.execute(select, tuple(found)):
                    found[user].append((event[0], event[1]))
            except sqlite3.Error as error:
                raise StoreError(f"SQLite: {error}") from None
        return [found[user] for user in users]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """What the block writes is kept as a whole, or, where the disk is full, not at all."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise StoreError(f"SQLite: {error}") from None

    def close(self) -> None:
        with self._lock:
            self._db.close()
