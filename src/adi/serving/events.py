"""Stores of users' events since the export, which the next request takes into account."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import NamedTuple, Protocol, cast

import orjson

from adi.errors import ArgumentError

MAX_KEPT = 200
"""Events kept for each user; histories look no further back."""

MOST_CLICKS = 1_000_000
"""Clicks of all users that are kept for counters; older ones are dropped."""

CLICKS_AT_ONCE = 10_000
"""Clicks that one call of `EventStore.clicks` returns at most."""

Event = tuple[str, str]
"""An item and the domain of the interaction."""


MALFORMED = float("nan")
"""The time of an entry that is no click."""


Context = Mapping[str, str]
"""Values of context features, by name."""

NO_CONTEXT: Context = MappingProxyType({})


class Clicked(NamedTuple):
    """When an event was a click, in the unit of the log, and in which context; features that it lacks are missing."""

    time: float
    context: Context = NO_CONTEXT


class StoredClick(NamedTuple):
    """A click that counters are to count: ids, and the rest as in `Clicked`. `position` is that in its store."""

    position: str
    user: str
    item: str
    domain: str
    time: float
    context: Context = NO_CONTEXT


Malformed = Callable[[str], None]
"""Called with the name of a stored entry that is no event, and was skipped."""


def ignore(name: str) -> None:
    """Say nothing of an entry that is no event."""


def as_click(position: str, user: object, item: object, domain: object, time: object, context: object) -> StoredClick:
    """The click of a stored entry; its time is `MALFORMED` if one of its parts is of another kind."""
    is_text = all(isinstance(text, str) for text in (user, item, domain))
    if not is_text or not isinstance(time, int | float) or not isinstance(context, dict):
        return StoredClick(position, "", "", "", MALFORMED)
    if not all(type(value) in (str, int, float) for value in context.values()):
        return StoredClick(position, "", "", "", MALFORMED)
    values = {name: str(value) for name, value in context.items()}
    return StoredClick(position, cast("str", user), cast("str", item), cast("str", domain), float(time), values)


class EventStoreError(Exception):
    """The store does not answer; the message has its address, without the password, and the reason."""


class EventStore(Protocol):
    """A store of each user's latest events, safe to use from several threads.

    Stored entries that are no events are skipped. All methods raise `EventStoreError` if the store does not answer.
    """

    def add(
        self,
        user: str,
        events: Sequence[Event],
        clicked: Sequence[Clicked] | None = None,
    ) -> None:
        """Append events, oldest first, to a user's; with when each was `clicked`, also to the clicks of all users."""
        ...

    def of(self, users: Sequence[str]) -> list[list[Event]]:
        """The latest events of each user, oldest first."""
        ...

    def clicks(self, after: str | None) -> list[StoredClick]:
        """The next clicks of all users after a position, in the order in which they came; from the first if None."""
        ...


class SqliteEventStore:
    """Events in a SQLite file, or in memory until the process ends.

    `malformed` is called with the name of each entry that is no event.

    Raises `ArgumentError` for a file that cannot be opened or is not a database.
    """

    def __init__(self, path: Path | None = None, malformed: Malformed = ignore) -> None:
        self._lock, self._malformed = Lock(), malformed
        self._name = "the events in memory" if path is None else str(path)
        try:
            if path is not None:
                path.touch(mode=0o600)  # who did what is for nobody else to read
            self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
            self._db.text_factory = _text
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS event (number INTEGER PRIMARY KEY, user TEXT, item TEXT, domain TEXT)"
            )
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS click "
                "(number INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT, item TEXT, domain TEXT, time REAL, context TEXT)"
            )
            if "context" not in {name for _, name, *_ in self._db.execute("PRAGMA table_info(click)")}:
                self._db.execute("ALTER TABLE click ADD COLUMN context TEXT")  # a file of an earlier version
            self._db.execute("CREATE INDEX IF NOT EXISTS of_user ON event (user, number)")
        except (sqlite3.Error, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ArgumentError("events", f"{path}: cannot keep events ({reason}). Give another file.") from None

    def add(
        self,
        user: str,
        events: Sequence[Event],
        clicked: Sequence[Clicked] | None = None,
    ) -> None:
        with self._transaction():
            self._db.executemany(
                "INSERT INTO event (user, item, domain) VALUES (?, ?, ?)", [(user, *event) for event in events]
            )
            self._db.execute(
                "DELETE FROM event WHERE user = ? AND number <= "
                "(SELECT number FROM event WHERE user = ? ORDER BY number DESC LIMIT 1 OFFSET ?)",
                (user, user, MAX_KEPT),
            )
            if clicked is not None:
                self._db.executemany(
                    "INSERT INTO click (user, item, domain, time, context) VALUES (?, ?, ?, ?, ?)",
                    [
                        (user, *event, time, orjson.dumps(context).decode() if context else None)
                        for event, (time, context) in zip(events, clicked, strict=True)
                    ],
                )
                self._db.execute(
                    "DELETE FROM click WHERE number <= (SELECT max(number) FROM click) - ?", (MOST_CLICKS,)
                )

    def of(self, users: Sequence[str]) -> list[list[Event]]:
        events: dict[str, list[Event]] = {user: [] for user in users}
        marks = ", ".join("?" * len(events))
        select = f"SELECT number, user, item, domain FROM event WHERE user IN ({marks}) ORDER BY number"
        with self._lock:
            try:
                rows = self._db.execute(select, tuple(events)).fetchall()
            except sqlite3.Error as error:
                raise EventStoreError(f"SQLite: {error}") from None
        for number, user, item, domain in rows:
            if isinstance(item, str) and isinstance(domain, str):
                events[user].append((item, domain))
            else:
                self._malformed(f"{self._name}: row {number} of the table event, of user '{user}',")
        return [events[user] for user in users]

    def clicks(self, after: str | None) -> list[StoredClick]:
        select = "SELECT number, user, item, domain, time, context FROM click WHERE number > ? ORDER BY number LIMIT ?"
        with self._lock:
            try:
                rows = self._db.execute(select, (int(after or 0), CLICKS_AT_ONCE)).fetchall()
            except sqlite3.Error as error:
                raise EventStoreError(f"SQLite: {error}") from None
        return [
            as_click(str(number), user, item, domain, time, {} if text is None else _json(text))
            for number, user, item, domain, time, text in rows
        ]

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


def _text(content: bytes) -> str | None:
    """The text of a column; None if it is none, which then is no event."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _json(text: object) -> object:
    """The content of JSON; None if it is none."""
    try:
        return orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        return None
