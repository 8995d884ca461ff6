"""Stores of users' events since the export, which the next request takes into account."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Protocol

from adi.errors import ArgumentError

MAX_KEPT = 200
"""Events kept for each user; histories look no further back."""

Event = tuple[str, str]
"""An item and the domain of the interaction."""


class EventStoreError(Exception):
    """The store does not answer; the message has its address, without the password, and the reason."""


class EventStore(Protocol):
    """A store of each user's latest events, safe to use from several threads.

    Both methods raise `EventStoreError` if the store does not answer.
    """

    def add(self, user: str, events: Sequence[Event]) -> None:
        """Append events, oldest first, to a user's."""
        ...

    def of(self, users: Sequence[str]) -> list[list[Event]]:
        """The latest events of each user, oldest first."""
        ...


class SqliteEventStore:
    """Events in a SQLite file, or in memory until the process ends.

    Raises `ArgumentError` for a file that cannot be opened or is not a database.
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
            raise ArgumentError("events", f"{path}: cannot keep events ({error}). Give another file.") from None

    def add(self, user: str, events: Sequence[Event]) -> None:
        with self._transaction():
            self._db.executemany(
                "INSERT INTO event (user, item, domain) VALUES (?, ?, ?)", [(user, *event) for event in events]
            )
            self._db.execute(
                "DELETE FROM event WHERE user = ? AND number <= "
                "(SELECT number FROM event WHERE user = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
                (user, user, MAX_KEPT),
            )

    def of(self, users: Sequence[str]) -> list[list[Event]]:
        events: dict[str, list[Event]] = {user: [] for user in users}
        marks = ", ".join("?" * len(events))
        select = f"SELECT user, item, domain FROM event WHERE user IN ({marks}) ORDER BY number"
        with self._lock:
            try:
                for user, item, domain in self._db.execute(select, tuple(events)):
                    events[user].append((item, domain))
            except sqlite3.Error as error:
                raise EventStoreError(f"SQLite: {error}") from None
        return [events[user] for user in users]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit the writes of the block; if one fails, as on a full disk, roll all of them back."""
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise EventStoreError(f"SQLite: {error}") from None

    def close(self) -> None:
        with self._lock:
            self._db.close()
