"""Replicas: asks one of several servers that answer alike, and another if that one does not answer."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

import httpx

from adi.router.metrics import RouterMetrics

ASIDE = 2.0
"""Seconds for which a server that did not answer is tried last."""

CONNECT = 1.0
"""Seconds after which a connection that is not made has failed."""

KEEP_ALIVE = 2.0
"""Seconds for which an idle connection is kept: fewer than the five after which a server closes it."""

Fault = Callable[[httpx.Response], str | None]
"""Says what is wrong with an answer for which another server is to be asked; None if nothing is."""


@dataclass(eq=False)
class Server:
    """A server, the requests that it is answering, and the time until which it is tried last."""

    address: str
    in_flight: int = 0
    aside_until: float = 0.0

    @property
    def is_aside(self) -> bool:
        return monotonic() < self.aside_until


class NoAnswerError(Exception):
    """No replica answered. `unavailable` is the last answer with a status of 5xx, if there was one."""

    def __init__(self, reasons: Mapping[str, str], unavailable: httpx.Response | None) -> None:
        super().__init__(", ".join(f"{address} ({reason})" for address, reason in reasons.items()))
        self.unavailable = unavailable


class Client:
    """Sends requests to servers. All methods are for one event loop.

    Args:
        try_timeout: seconds after which a server has not answered.
        transport: for tests, what answers instead of the network.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        metrics: RouterMetrics,
        *,
        try_timeout: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.servers = {address: Server(address) for address in addresses}
        self.metrics, self.try_timeout = metrics, try_timeout
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEEP_ALIVE)
        timeout = httpx.Timeout(try_timeout, connect=min(CONNECT, try_timeout))
        self._http = httpx.AsyncClient(
            limits=limits,
            timeout=timeout,
            transport=transport,
            trust_env=False,  # proxies are for other hosts
        )
        for address in addresses:
            metrics.server_aside.labels(address).set(0)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def ask(
        self,
        addresses: Sequence[str],
        path: str,
        content: bytes,
        headers: Mapping[str, str],
        *,
        fault: Fault = lambda response: None,
        repeatable: bool = True,
    ) -> httpx.Response:
        """Post to one of the servers, to another after each that does not answer or is unavailable (5xx).

        The server with the fewest requests is asked first; those that did not answer lately are asked last. With
        `repeatable` False, another is asked only if the request cannot have arrived.

        Raises `NoAnswerError` if none answers.
        """
        reasons: dict[str, str] = {}
        unavailable = None
        for server in self._in_order(addresses):
            try:
                response = await self._post(server, path, content, headers)
            except httpx.HTTPError as error:
                reasons[server.address] = f"{type(error).__name__} {error}".strip()
                self._note(server, "failed", aside=True)
                if repeatable or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                    continue
                break
            if response.status_code >= 500:
                unavailable, reasons[server.address] = response, f"status {response.status_code}"
                self._note(server, "unavailable", aside=response.status_code != 503)  # a busy server is well
                if repeatable:
                    continue
                break
            if response.status_code < 400 and (reason := fault(response)) is not None:
                reasons[server.address] = reason
                self._note(server, "failed", aside=True)
                continue
            self._note(server, "answered", aside=False)
            return response
        raise NoAnswerError(reasons, unavailable)

    async def get(self, address: str, path: str) -> httpx.Response | None:
        """Get a page of a server; None if it does not answer within `CONNECT` seconds."""
        try:
            async with asyncio.timeout(CONNECT):
                return await self._http.get(f"{address}{path}")
        except (httpx.HTTPError, TimeoutError):
            return None

    async def _post(self, server: Server, path: str, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """Post to a server; raises `httpx.HTTPError` if it does not answer in time."""
        server.in_flight += 1
        try:
            async with asyncio.timeout(self.try_timeout):  # the client's own limits the pause between two parts
                return await self._http.post(f"{server.address}{path}", content=content, headers=dict(headers))
        except TimeoutError:
            raise httpx.ReadTimeout(f"after {self.try_timeout:g} seconds") from None
        finally:
            server.in_flight -= 1

    def _in_order(self, addresses: Sequence[str]) -> list[Server]:
        """The servers in the order in which to ask them."""
        servers = [self.servers[address] for address in addresses]
        random.shuffle(servers)
        return sorted(servers, key=lambda server: (server.aside_until if server.is_aside else 0.0, server.in_flight))

    def _note(self, server: Server, outcome: str, *, aside: bool) -> None:
        """Count a try by its outcome, and set the server aside or take it back."""
        self.metrics.tries.labels(server.address, outcome).inc()
        self.metrics.server_aside.labels(server.address).set(aside)
        server.aside_until = monotonic() + ASIDE if aside else 0.0
