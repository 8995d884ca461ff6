"""A server of a bundle in a process of its own, asked over a connection that stays open."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, Self

import orjson

from adi.errors import AdiError

PATIENCE = 60.0
"""Seconds that a server may take to come up."""


@dataclass(frozen=True)
class Server:
    """`ready` is how many seconds it took from the start of the process to the first request that /readyz answered."""

    process: "subprocess.Popen[str]"
    port: int
    ready: float

    def connect(self) -> "Client":
        return Client(self.port)

    def resident(self) -> int | None:
        """Bytes of its memory that are resident, pages of mapped files included; None where /proc does not say."""
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            return None
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024


class Client:
    """One connection, not for several threads; a context manager that closes it.

    It reads HTTP as far as this server speaks it: a client of full size would take a fifth of a request's time.
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

    def post(self, body: bytes) -> bytes:
        """The answer to POST /v1/retrieve; raises `AdiError` for any other than 200."""
        return self._answer(b"POST /v1/retrieve", body)

    def _answer(self, what: bytes, body: bytes) -> bytes:
        status, content = self._ask(what, body)
        if status != 200:
            raise AdiError(f"the server answered {status}: {content.decode()}")
        return content

    def get(self, path: str) -> bytes:
        """The answer to a GET; raises `AdiError` for any other than 200."""
        return self._answer(f"GET {path}".encode(), b"")

    def ready(self) -> bool:
        """Whether the server is; no connection that fails is kept."""
        try:
            return self._ask(b"GET /readyz", b"")[0] == 200
        except OSError:
            self.__exit__()
            return False

    def _ask(self, what: bytes, body: bytes) -> tuple[int, bytes]:
        """Status and content."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=PATIENCE)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(
            b"%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (what, len(body), body)
        )
        answer = bytearray()
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._received()
        head = bytes(answer[:end]).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(answer) < end + 4 + length:
            answer += self._received()
        return int(head.split(b" ", 2)[1]), bytes(answer[end + 4 :])

    def _received(self) -> bytes:
        assert self._socket is not None
        piece = self._socket.recv(1 << 16)
        if not piece:
            raise ConnectionError("the server closed the connection")
        return piece


def asked(user: str, domain: str, k: int) -> dict[str, Any]:
    return {"user": user, "domains": [domain], "k": k, "exclude_seen": False}


def body_of(asks: list[dict[str, Any]]) -> bytes:
    """One request, or several in one body."""
    return orjson.dumps(asks[0] if len(asks) == 1 else {"requests": asks})


@contextmanager
def serving(bundle: Path, *, workers: int, watch: Path | None = None) -> Iterator[Server]:
    """Start a server, which may follow a folder, and end it when the block does.

    Raises `AdiError` where it does not come up.
    """
    command = [sys.executable, "-m", "adi.cli.main", "serve", str(bundle), "--port", "0", "--workers", str(workers)]
    command += [] if watch is None else ["--watch", str(watch)]
    started = perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            if "http://" not in said:
                raise AdiError(f"{bundle}: the server did not start; what it said is above.")
            port = int(said.partition("http://")[2].split(":")[1].split(".")[0])
            with Client(port) as client:
                while not client.ready():
                    if perf_counter() - started > PATIENCE:
                        raise AdiError(f"{bundle}: no server after {PATIENCE:g} seconds.")
                    sleep(0.005)
            yield Server(process, port, perf_counter() - started)
        finally:
            process.terminate()
