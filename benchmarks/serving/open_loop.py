"""Clients in open loop: requests are sent at a rate, whether or not the server has answered those before.

A lone client waits for its answer before it asks again, and so spares a slow server. A crowd does not.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast

import numpy as np

MOST_CONNECTIONS = 500
"""Connections that are open at once, as those of a proxy; a request that finds none free counts as unanswered."""


@dataclass
class Outcomes:
    """The outcomes of requests: seconds of those that were answered in time, and the number of each other outcome."""

    seconds: list[float] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)


class _Connection(asyncio.Protocol):
    """A connection with one request at a time; reads no more of HTTP than this server writes."""

    def __init__(self, clients: "_Clients") -> None:
        self.clients, self.received = clients, bytearray()
        self.sent: float | None = None
        """When the request that waits for its response was due; None while there is none."""
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def send(self, content: bytes, due: float) -> None:
        self.sent = min(due, perf_counter())  # timers may be a little early
        self.clients.waiting += 1
        left = due + self.clients.patience - perf_counter()
        self.timer = asyncio.get_running_loop().call_later(left, self._give_up)
        self.transport.write(content)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head_end = self.received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        length = int(bytes(self.received[:head_end]).lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(self.received) < head_end + 4 + length:
            return
        status = bytes(self.received[9:12]).decode()
        self.received.clear()
        self._finish(status)
        self.clients.idle.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._finish("closed")
        self.clients.open -= 1
        if self in self.clients.idle:
            self.clients.idle.remove(self)

    def _give_up(self) -> None:
        """Leave, as a client does that has waited long enough."""
        self._finish("late")
        self.transport.abort()

    def _finish(self, outcome: str) -> None:
        if self.sent is None:
            return
        if self.timer is not None:
            self.timer.cancel()
        if outcome == "200":
            self.clients.outcomes.seconds.append(perf_counter() - self.sent)
        else:
            self.clients.outcomes.others[outcome] += 1
        self.sent = None
        self.clients.waiting -= 1


class _Clients:
    """Connections to a server, of which each request takes an idle one or opens another."""

    def __init__(self, port: int, patience: float) -> None:
        self.port, self.patience = port, patience
        self.idle: list[_Connection] = []
        self.outcomes, self.open, self.waiting = Outcomes(), 0, 0

    async def send(self, content: bytes, due: float) -> None:
        if not self.idle and self.open >= MOST_CONNECTIONS:
            self.outcomes.others["no connection"] += 1
            return
        if self.idle:
            connection = self.idle.pop()
        else:
            self.open += 1
            try:
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(self), "127.0.0.1", self.port
                )
            except OSError:
                self.open -= 1
                self.outcomes.others["closed"] += 1
                return
        connection.send(content, due)


async def send_at_rate(port: int, bodies: Sequence[bytes], rate: float, seconds: float, patience: float) -> Outcomes:
    """Send bodies at random moments, `rate` in a second on average, and leave each after `patience` seconds."""
    contents = [_http(body) for body in bodies]
    clients = _Clients(port, patience)
    moments = np.cumsum(np.random.default_rng(0).exponential(1 / rate, int(rate * seconds)))
    start, sending = perf_counter(), set[asyncio.Task[None]]()
    for number, moment in enumerate(moments):
        due = start + float(moment)
        if (left := due - perf_counter()) > 0:
            await asyncio.sleep(left)
        elif number % 16 == 0:
            await asyncio.sleep(0)  # behind: let responses be read
        content = contents[number % len(contents)]
        if clients.idle:  # without a task, which takes longer than the sending
            clients.idle.pop().send(content, due)
        else:
            task = asyncio.create_task(clients.send(content, due))
            sending.add(task)
            task.add_done_callback(sending.discard)
    await asyncio.gather(*sending)
    while clients.waiting:
        await asyncio.sleep(0.01)
    for connection in clients.idle:
        connection.transport.abort()
    return clients.outcomes


def _http(body: bytes) -> bytes:
    return b"POST /v1/retrieve HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
