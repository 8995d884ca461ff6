"""Users' events in Redis, shared by several servers."""

import re
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from time import monotonic
from typing import TypeVar, cast
from urllib.parse import urlsplit

import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from adi.errors import ArgumentError
from adi.serving.events import (
    CLICKS_AT_ONCE,
    MALFORMED,
    MAX_KEPT,
    MOST_CLICKS,
    Clicked,
    Event,
    EventStoreError,
    Malformed,
    StoredClick,
    as_click,
    ignore,
)

PREFIX = "adi:events:"
"""Start of the keys. A key ends with the user's id and holds a list of events, each as JSON: [item, domain]."""

CLICKS = "adi:clicks"
"""Key of the stream of all users' clicks, each in the field `click` as JSON: [user, item, domain, time], or with the
context as a fifth element, {feature: value}."""

KEPT_SECONDS = 30 * 24 * 3600
"""Lifetime of a list after its latest event: by then bundles have the events, and Redis keeps them in memory."""

TIMEOUT = 0.5
"""Seconds to connect, and to wait for an answer: many times what a healthy server takes."""

PAUSE = 2.0
"""Seconds between tries of a server that does not answer, since a request that waits for it holds a worker."""

NO_LIST = "WRONGTYPE"
"""Start of Redis's refusal to read a list from a key that has something else."""

INVALID_URL = (
    "not the address of a Redis server. Write redis://HOST:PORT/DB, rediss:// for TLS or unix://PATH?db=DB, and "
    "/ ? # @ : in a password as %2F %3F %23 %40 %3A."
)

Result = TypeVar("Result")

_Entry = tuple[bytes, dict[bytes, bytes]]


class RedisEventStore:
    """Events in a Redis server.

    After a failure to answer, the server is tried again every `PAUSE` seconds, by one request while the others fail at
    once. Nothing is sent twice: events on their way when the server failed may have been kept.

    Args:
        url: the server's address, which may have options of the client such as `?socket_timeout=1`.
        report: called with a message when the server stops answering and when it answers again.
        malformed: called with the name of each entry that is no event.

    Raises `ArgumentError` for an invalid address and for a server that does not answer. No message shows the password.
    """

    def __init__(
        self, url: str, report: Callable[[str], None] = lambda message: None, malformed: Malformed = ignore
    ) -> None:
        self._client, self.name = _connect(url)
        self._report, self._malformed = report, malformed
        self._lock = Lock()
        self._next_try: float | None = None  # while the server does not answer: when to try it again
        self._refusal = ""  # the latest refusal, which is reported once

    def add(
        self,
        user: str,
        events: Sequence[Event],
        clicked: Sequence[Clicked] | None = None,
    ) -> None:
        key = f"{PREFIX}{user}"

        def write() -> None:
            with self._client.pipeline(transaction=True) as transaction:
                transaction.rpush(key, *map(orjson.dumps, events))
                transaction.ltrim(key, -MAX_KEPT, -1)
                transaction.expire(key, KEPT_SECONDS)
                for event, (time, context) in zip(events, clicked, strict=True) if clicked is not None else ():
                    click = orjson.dumps((user, *event, time, context) if context else (user, *event, time))
                    transaction.xadd(CLICKS, {"click": click}, maxlen=MOST_CLICKS, approximate=True)
                transaction.execute()

        self._send(write)

    def of(self, users: Sequence[str]) -> list[list[Event]]:
        def read() -> list[list[bytes] | redis.ResponseError]:
            with self._client.pipeline(transaction=False) as pipeline:
                for user in users:
                    pipeline.lrange(f"{PREFIX}{user}", 0, -1)
                replies = cast("list[list[bytes] | redis.ResponseError]", pipeline.execute(raise_on_error=False))
            for reply in replies:
                if isinstance(reply, redis.RedisError) and not str(reply).startswith(NO_LIST):
                    raise reply
            return replies

        return [list(self._events(user, reply)) for user, reply in zip(users, self._send(read), strict=True)]

    def _events(self, user: str, reply: list[bytes] | redis.ResponseError) -> Iterator[Event]:
        """The events of a user's list."""
        if isinstance(reply, redis.ResponseError):
            self._malformed(f"{self.name}: the value of key {PREFIX}{user}")
            return
        for number, entry in enumerate(reply):
            event = _event(entry)
            if event is None:
                self._malformed(f"{self.name}: entry {number} of list {PREFIX}{user}")
            else:
                yield event

    def clicks(self, after: str | None) -> list[StoredClick]:
        first = "-" if after is None else f"({after}"
        entries = self._send(lambda: self._client.xrange(CLICKS, min=first, count=CLICKS_AT_ONCE))
        return [_click(position.decode(), fields) for position, fields in cast("list[_Entry]", entries)]

    def close(self) -> None:
        self._client.close()

    def _send(self, command: Callable[[], Result]) -> Result:
        """Run a command; raises `EventStoreError` if it fails, and at once until the next try is due."""
        with self._lock:
            if self._next_try is not None:
                if monotonic() < self._next_try:
                    raise EventStoreError(f"{self.name}: did not answer a moment ago.")
                self._next_try = monotonic() + PAUSE  # this request tries; others fail at once until it knows
        try:
            result = command()
        except (redis.ConnectionError, redis.TimeoutError) as error:
            self._note(answers=False, reason=_reason(error))
            raise EventStoreError(f"{self.name}: {_reason(error)}") from None
        except redis.RedisError as error:
            self._note(answers=True)
            if (reason := _reason(error)) != self._refusal:  # such as a write to a full server, which reads still
                self._refusal = reason
                self._report(f"{self.name}: refuses ({reason}).")
            raise EventStoreError(f"{self.name}: {reason}") from None
        self._note(answers=True)
        return result

    def _note(self, *, answers: bool, reason: str = "") -> None:
        """Note whether the server answered, and report a change."""
        with self._lock:
            answered_before = self._next_try is None
            self._next_try = None if answers else monotonic() + PAUSE
        if answered_before and not answers:
            self._report(f"{self.name}: does not answer ({reason}). Lists come without recent events until it does.")
        elif answers and not answered_before:
            self._report(f"{self.name}: answers again.")


def _connect(url: str) -> tuple[redis.Redis, str]:
    """A client of a server that has answered, and the server's address without user name and password."""
    try:
        parts = urlsplit(url)
        host, is_socket = parts.netloc.rpartition("@")[2], parts.scheme == "unix"
        name = f"{parts.scheme}://{host}{parts.path}"
        has_address = parts.path and not host if is_socket else parts.hostname and re.fullmatch(r"/?\d*", parts.path)
        # An unescaped / ? # in a password would move its rest into other parts of the URL, and so into messages.
        hides_password = "@" not in parts.path + parts.query and not parts.fragment
        if parts.scheme not in ("redis", "rediss", "unix") or not has_address or not hides_password:
            raise ValueError
        client = redis.Redis.from_url(
            url, socket_connect_timeout=TIMEOUT, socket_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0)
        )
        client.ping()
    except (ValueError, TypeError):  # also of an invalid option
        raise ArgumentError("events", INVALID_URL) from None
    except redis.RedisError as error:
        raise ArgumentError(
            "events", f"{name}: cannot be used ({_reason(error)}). Start the server, or give another address."
        ) from None
    return client, name


def _reason(error: redis.RedisError) -> str:
    """The reason of an error without the command, which in a pipeline's errors contains all events."""
    return str(error).rpartition("of pipeline caused error: ")[2].rstrip(".")


def _event(entry: bytes) -> Event | None:
    """The event of an entry of a list; None if it has another form."""
    try:
        event = orjson.loads(entry)
    except orjson.JSONDecodeError:
        return None
    is_event = isinstance(event, list) and len(event) == 2 and all(isinstance(text, str) for text in event)
    return (event[0], event[1]) if is_event else None


def _click(position: str, fields: dict[bytes, bytes]) -> StoredClick:
    """The click of an entry of the stream, to which others write, too; malformed if it has another form."""
    try:
        user, item, domain, time, *contexts = orjson.loads(fields[b"click"])
        (context,) = contexts or ({},)
    except (KeyError, ValueError, TypeError):
        return StoredClick(position, "", "", "", MALFORMED)
    return as_click(position, user, item, domain, time, context)
