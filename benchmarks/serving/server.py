"""A server of a bundle in a process of its own, and clients that each keep a connection to it open."""

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, Self

import orjson

from adi.errors import AdiError
from benchmarks.process import status_bytes

START_TIMEOUT = 60.0
"""Seconds within which a server has to be ready."""


class Client:
    """One connection, not to be shared by threads; a context manager that closes it.

    It reads no more of HTTP than this server writes: a complete client would take a fifth of a request's time.
    """

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def retrieve(self, body: bytes) -> bytes:
        """The response to POST /v1/retrieve; raises `AdiError` for any status but 200."""
        return self._content("POST /v1/retrieve", body)

    def get(self, path: str) -> bytes:
        """The response to a GET; raises `AdiError` for any status but 200."""
        return self._content(f"GET {path}")

    def is_ready(self) -> bool:
        """Whether GET /readyz succeeds; a connection that fails is closed."""
        try:
            return self._exchange("GET /readyz")[0] == 200
        except OSError:
            self.__exit__()
            return False

    def _content(self, request: str, body: bytes = b"") -> bytes:
        status, content = self._exchange(request, body)
        if status != 200:
            raise AdiError(f"the server answered {status}: {content.decode()}")
        return content

    def _exchange(self, request: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and content of the response."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=START_TIMEOUT)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"{request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        response = bytearray()
        while (head_end := response.find(b"\r\n\r\n")) < 0:
            response += self._receive()
        headers = bytes(response[:head_end]).lower()
        length = int(headers.partition(b"content-length:")[2].partition(b"\r\n")[0])
        content_start = head_end + 4
        while len(response) < content_start + length:
            response += self._receive()
        return int(headers.split(b" ", 2)[1]), bytes(response[content_start:])

    def _receive(self) -> bytes:
        assert self._socket is not None
        received = self._socket.recv(1 << 16)
        if not received:
            raise ConnectionError("the server closed the connection")
        return received


@dataclass(frozen=True)
class Server:
    """A server that is ready; `start_seconds` passed from the start of its process until it was."""

    process: "subprocess.Popen[str]"
    port: int
    start_seconds: float

    def connect(self) -> Client:
        return Client(self.port)

    def resident_mb(self) -> int | None:
        """Megabytes of its memory that are resident, mapped files included; None where there is no /proc."""
        resident = status_bytes("VmRSS", self.process.pid)
        return None if resident is None else round(resident / 1e6)


@contextmanager
def serving(bundle: Path, *, workers: int, watch: Path | None = None) -> Iterator[Server]:
    """Start a server, of the bundles in the folder `watch` if there is one, and end it at the end of the block.

    Raises `AdiError` where it does not start.
    """
    command = [sys.executable, "-m", "adi.cli.main", "serve", str(bundle), "--port", "0", "--workers", str(workers)]
    command += [] if watch is None else ["--watch", str(watch)]
    start = perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if "http://" not in line:
                raise AdiError(f"{bundle}: the server did not start; its errors are above.")
            port = int(line.partition("http://")[2].split(":")[1].split(".")[0])
            with Client(port) as client:
                while not client.is_ready():
                    if perf_counter() - start > START_TIMEOUT:
                        raise AdiError(f"{bundle}: no server after {START_TIMEOUT:g} seconds.")
                    sleep(0.005)
            yield Server(process, port, perf_counter() - start)
        finally:
            process.terminate()


def request(user: str, domain: str, k: int) -> dict[str, Any]:
    """A request for a user's top-k in a domain, items of the user's history included."""
    return {"user": user, "domains": [domain], "k": k, "exclude_seen": False}


def request_body(requests: Sequence[dict[str, Any]]) -> bytes:
    """The body of one request, or of several that are sent at once."""
    return orjson.dumps(requests[0] if len(requests) == 1 else {"requests": requests})
