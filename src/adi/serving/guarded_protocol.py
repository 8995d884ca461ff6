"""The HTTP protocol of a server, with limits that uvicorn does not have: on heads of requests, connections and load.

A head, the request line and the headers, comes before any check, so it is what a client without a token can send.
"""

import resource
from asyncio import BaseTransport, TimerHandle
from collections.abc import Callable
from time import monotonic
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from adi.serving.problems import ProblemError

MOST_HEAD = 32 << 10
"""Bytes of a head; browsers and proxies send a few thousand."""

HEAD_SECONDS = 10.0
"""Seconds until a connection has sent a whole head, and the rest of a body that nobody reads."""

PAUSE_SECONDS = 0.25
"""Seconds for which a connection is not read after a request that was refused for lack of time. To refuse takes time,
too: without a pause, ten times the load that a server can answer leaves it none for anything else."""

RESERVED_FILES = 128
"""File descriptors that are kept for bundles, stores and logs."""

TOO_LARGE = b"431 Request Header Fields Too Large"
TOO_SLOW = b"408 Request Timeout"
TOO_MANY = b"503 Service Unavailable"

SECONDS_BETWEEN_WARNINGS = 10.0


def most_connections() -> int:
    """Raise the limit of open files of this process as far as it may be; returns the connections that leave enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(hard - RESERVED_FILES, 1)


class GuardedProtocol(HttpToolsProtocol):
    """Refuses heads that are too large or come too slowly, and connections beyond `most`.

    While `refusal` returns a problem, that is the answer to every POST as soon as its head is there, and the connection
    then pauses. An application takes five times as long to say no, and a server that is asked for ten times what it can
    do would do little else.
    """

    most: ClassVar[int] = 1 << 20
    warned: ClassVar[float] = 0.0

    _head_size = 0
    _timer: TimerHandle | None = None
    _rest_timer: TimerHandle | None = None
    _skips_body = False

    def __init__(self, *args: Any, refusal: Callable[[], ProblemError | None] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.refusal = refusal
        self._cycles: list[RequestResponseCycle] = []  # requests of this connection that are being answered, pipelined

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        if len(self.connections) > self.most:
            if monotonic() - self.warned > SECONDS_BETWEEN_WARNINGS:
                type(self).warned = monotonic()
                self.logger.warning("%d connections are open, and more are refused.", self.most)
            self._refuse(TOO_MANY)
            return
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stop_rest_timer()
        super().connection_lost(exc)
        for cycle in self._cycles:  # uvicorn tells the last one alone, and the others log a traceback when they answer
            cycle.disconnected = True
            cycle.message_event.set()

    def data_received(self, data: bytes) -> None:
        if self._timer is not None:
            self._head_size += len(data)
        if not self.transport.is_closing():
            super().data_received(data)
        if self._timer is not None and self._head_size > MOST_HEAD:
            self._refuse(TOO_LARGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._timer is None:  # a further request of the connection
            self._expect_head()

    def on_headers_complete(self) -> None:
        self._stop_timer()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MOST_HEAD:
            self._refuse(TOO_LARGE)
        elif (problem := self._problem()) is not None:
            self._skips_body = True
            self._expect_rest()
            self.transport.write(problem.as_http())
        else:
            super().on_headers_complete()
            self._cycles = [*(cycle for cycle in self._cycles if not cycle.response_complete), self.cycle]

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing() and not self._skips_body:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._stop_rest_timer()
        if self._skips_body:
            self._skips_body = False
            if not self.parser.should_keep_alive():
                self.transport.close()
            super().on_response_complete()
            if not self.transport.is_closing():
                self.flow.pause_reading()
                self.loop.call_later(PAUSE_SECONDS, self._resume)
        elif not self.transport.is_closing():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and self.cycle.more_body:
            self._expect_rest()

    def _problem(self) -> ProblemError | None:
        """The reason for which a request is refused before it has come."""
        is_answering = self.cycle is not None and not self.cycle.response_complete  # an earlier one, pipelined
        if self.refusal is None or is_answering or self.parser.get_method() != b"POST":
            return None
        return self.refusal()

    def _resume(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def _expect_head(self) -> None:
        self._head_size = 0
        self._timer = self.loop.call_later(HEAD_SECONDS, self._refuse, TOO_SLOW)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expect_rest(self) -> None:
        self._rest_timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_rest_timer(self) -> None:
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None

    def _refuse(self, status: bytes) -> None:
        """Answer with a status and no body, and close the connection."""
        self._stop_timer()
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()
