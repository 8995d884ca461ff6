"""The HTTP protocol of a server, with limits that uvicorn does not have: on heads of requests, and on connections.

A head, the request line and the headers, comes before any check, so it is what a client without a token can send.
"""

import resource
from asyncio import BaseTransport, TimerHandle
from time import monotonic
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD = 32 << 10
"""Bytes of a head; browsers and proxies send a few thousand."""

HEAD_SECONDS = 10.0
"""Seconds until a connection has sent a whole head."""

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
    """Refuses heads that are too large or come too slowly, and connections beyond `most`."""

    most: ClassVar[int] = 1 << 20
    warned: ClassVar[float] = 0.0

    _head_size = 0
    _timer: TimerHandle | None = None

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
        super().connection_lost(exc)

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
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.transport.is_closing():
            super().on_message_complete()

    def _expect_head(self) -> None:
        self._head_size = 0
        self._timer = self.loop.call_later(HEAD_SECONDS, self._refuse, TOO_SLOW)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: bytes) -> None:
        """Answer with a status and no body, and close the connection."""
        self._stop_timer()
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()
