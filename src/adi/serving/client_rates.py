"""Limits on the requests of each client: a token bucket for each address."""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from math import ceil
from time import monotonic

from prometheus_client import Counter
from starlette.requests import HTTPConnection

from adi.serving.problems import TOO_MANY_REQUESTS, ProblemError

BURST_SECONDS = 10.0
"""A client that was quiet may send as many requests at once as it may send in this time."""

MOST_CLIENTS = 100_000
"""Clients that are remembered: those that asked last."""

IPV6_NETWORK = 64
"""Bits of an IPv6 address that are the client's network; it chooses the rest."""


class ClientRates:
    """A FastAPI dependency that raises `ProblemError` for a client with more than `rate` requests a second.

    Each request of a body counts (`charge`). A body is not refused for its size, but what it takes too much is missing
    later. The client is the address that connects; if that is a proxy which uvicorn trusts (``FORWARDED_ALLOW_IPS``, by
    default this machine), the address that the proxy names in ``X-Forwarded-For``.
    """

    def __init__(self, rate: float, refused: Counter) -> None:
        """`refused` counts by reason, of which one is ``client``."""
        self.rate, self._refused = rate, refused
        self._burst = max(1.0, rate * BURST_SECONDS)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and at which moment

    async def __call__(self, request: HTTPConnection) -> None:
        left = self.charge(request, 0)
        if left < 1:
            self._refused.labels("client").inc()
            wait = (1 - left) / self.rate
            later = TOO_MANY_REQUESTS._replace(headers={"Retry-After": str(ceil(wait))})
            raise ProblemError(later, f"More than {self.rate:g} requests per second. Retry in {wait:.1f} seconds.")
        self.charge(request, 1)

    def charge(self, request: HTTPConnection, number: int) -> float:
        """Count requests of a client; returns how many it has left, which may be below 0."""
        client, now = client_of(request), monotonic()
        left, moment = self._buckets.pop(client, (self._burst, now))
        left = min(self._burst, left + (now - moment) * self.rate) - number
        self._buckets[client] = left, now
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return left


def client_of(request: HTTPConnection) -> str:
    """The address of a client, of IPv6 its network; empty for one without, such as of a Unix socket."""
    host = "" if request.client is None else request.client.host
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(IPv6Address(int(address) >> 128 - IPV6_NETWORK << 128 - IPV6_NETWORK))
    return host
