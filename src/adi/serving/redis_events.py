"""Users' latest events in Redis, which several servers may share."""

import re
from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic
from typing import TypeVar, cast
from urllib.parse import urlsplit

import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from adi.errors import AdiError
from adi.serving.recent import KEPT, Event, StoreError

PREFIX = "adi:events:"
"""A user's events are the list with this key and the user's id, each as the JSON of [item, domain]."""

KEPT_SECONDS = 30 * 24 * 3600
"""A list goes away so long after its latest event: by then a bundle has them, and a Redis server's memory is dear."""

TIMEOUT = 0.5
"""Seconds to connect, and for each answer: many times what a server that is well takes."""

PAUSE = 2.0
"""Seconds for which a server that did not answer is not asked again: a request that waits for it holds a worker."""

NO_ADDRESS = (
    "--events: no address of a Redis server. Write redis://HOST:PORT/DB, rediss:// for TLS or unix://PATH?db=DB, "
    "and / ? # @ : in a password as %2F %3F %23 %40 %3A."
)

Result = TypeVar("Result")


class RedisRecent:
    """Events in a Redis server; `url` may give options of the client, such as `?socket_timeout=1`.

    One that does not answer is not asked again for `PAUSE` seconds, and then by one request, not by all. Nothing is
    sent twice: events that were on their way may have been kept.

    Args:
        tell: told in words when the server stops to answer, and when it answers again.

    Raises `AdiError` for an address that is none, and for a server that does not answer. No message has a password.
    """

    def __init__(self, url: str, tell: Callable[[str], None] = lambda words: None) -> None:
        self._client, self.name = _opened(url)
        self._tell = tell
        self._lock = Lock()
        self._again: float | None = None  # when to ask a server again that did not answer
        self._refusal = ""  # the latest, which is told once

    def add(self, user: str, events: Sequence[Event]) -> None:
        key = f"{PREFIX}{user}"

        def write() -> None:
            with self._client.pipeline(transaction=True) as all_or_none:
                all_or_none.rpush(key, *map(orjson.dumps, events))
                all_or_none.ltrim(key, -KEPT, -1)
                all_or_none.expire(key, KEPT_SECONDS)
                all_or_none.execute()

        self._answer(write)

    def of(self, users: Sequence[str]) -> list[list[Event]]:
        def read() -> list[list[bytes]]:
            with self._client.pipeline(transaction=False) as at_once:
                for user in users:
                    at_once.lrange(f"{PREFIX}{user}", 0, -1)
                return cast("list[list[bytes]]", at_once.execute())

        return [[(item, domain) for item, domain in map(orjson.loads, rows)] for rows in self._answer(read)]

    def close(self) -> None:
        self._client.close()

    def _answer(self, command: Callable[[], Result]) -> Result:
        """What a command gives; raises `StoreError` where the server does not answer, at once while it is not asked."""
        with self._lock:
            if self._again is not None:
                if monotonic() < self._again:
                    raise StoreError(f"{self.name}: did not answer lately.")
                self._again = monotonic() + PAUSE  # this request asks; those meanwhile do not wait for what it finds
        try:
            result = command()
        except (redis.ConnectionError, redis.TimeoutError) as error:
            self._found(answers=False, why=_reason(error))
            raise StoreError(f"{self.name}: {_reason(error)}") from None
        except redis.RedisError as error:
            self._found(answers=True)
            if (why := _reason(error)) != self._refusal:  # a write to a full server, say; it may be read all the same
                self._refusal = why
                self._tell(f"{self.name}: refuses ({why}).")
            raise StoreError(f"{self.name}: {why}") from None
        self._found(answers=True)
        return result

    def _found(self, *, answers: bool, why: str = "") -> None:
        with self._lock:
            did = self._again is None
            self._again = None if answers else monotonic() + PAUSE
        if did and not answers:
            self._tell(f"{self.name}: does not answer ({why}). Lists come without recent events until it does.")
        elif answers and not did:
            self._tell(f"{self.name}: answers again.")


def _opened(url: str) -> tuple[redis.Redis, str]:
    """A client of the server at an address, which has answered, and the address without name and password."""
    try:
        parts = urlsplit(url)
        host, by_socket = parts.netloc.rpartition("@")[2], parts.scheme == "unix"
        name = f"{parts.scheme}://{host}{parts.path}"
        right = parts.path and not host if by_socket else parts.hostname and re.fullmatch(r"/?\d*", parts.path)
        # What follows a password's own / or ? or # would be taken for something else, and shown.
        whole = "@" not in parts.path + parts.query and not parts.fragment
        if parts.scheme not in ("redis", "rediss", "unix") or not right or not whole:
            raise ValueError
        client = redis.Redis.from_url(
            url, socket_connect_timeout=TIMEOUT, socket_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0)
        )
        client.ping()
    except (ValueError, TypeError):  # of an option that is none, too
        raise AdiError(NO_ADDRESS) from None
    except redis.RedisError as error:
        raise AdiError(
            f"--events: {name}: cannot be used ({_reason(error)}). Start the server, or give another place."
        ) from None
    return client, name


def _reason(error: redis.RedisError) -> str:
    """What a server or the way to it says, without the command, in which a pipeline's errors have all events."""
    return str(error).rpartition("of pipeline caused error: ")[2].rstrip(".")
