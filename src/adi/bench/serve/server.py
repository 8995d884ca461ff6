"""A server of a bundle in a process of its own, asked over a connection that stays open."""

import http.client
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
    """One connection, not for several threads; a context manager that closes it."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def post(self, body: bytes) -> bytes:
        """The answer to POST /v1/retrieve; raises `AdiError` for any other than 200."""
        self._connection.request("POST", "/v1/retrieve", body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise AdiError(f"the server answered {response.status}: {content.decode()}")
        return content

    def ready(self) -> bool:
        """Whether the server is; no connection that fails is kept."""
        try:
            self._connection.request("GET", "/readyz")
            response = self._connection.getresponse()
            response.read()
        except OSError:
            self._connection.close()
            return False
        return response.status == 200


def asked(user: str, domain: str, k: int) -> dict[str, Any]:
    return {"user": user, "domains": [domain], "k": k, "exclude_seen": False}


def body_of(asks: list[dict[str, Any]]) -> bytes:
    """One request, or several in one body."""
    return orjson.dumps(asks[0] if len(asks) == 1 else {"requests": asks})


@contextmanager
def serving(bundle: Path, *, workers: int) -> Iterator[Server]:
    """Start a server, and end it when the block does. Raises `AdiError` where it does not come up."""
    command = [sys.executable, "-m", "adi.cli.main", "serve", str(bundle), "--port", "0", "--workers", str(workers)]
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
