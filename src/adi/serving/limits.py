"""Admission limits and authentication."""

import asyncio
import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import TypeVar
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.security import HTTPBearer
from pydantic import Field
from starlette.requests import HTTPConnection

from adi.serving.metrics import Metrics
from adi.serving.problems import BODY_TOO_LARGE, BUSY, OTHER_SITE, SLOW_BODY, TOO_SLOW, UNAUTHORIZED, ProblemError
from adi.strict import Strict
from adi.thread_budget import THREAD_BUDGET
from adi.timing import stopwatch

Result = TypeVar("Result")


class Limits(Strict):
    """Limits of a server, and its token.

    A server answers `workers` requests at once, queues `waiting` more and rejects the rest. It rejects bodies of more
    than `body_bytes` and gives up on a request after `timeout` seconds. If there is a `token`, all routes but the open
    ones (`adi.serving.routes.open_router`) require it as the bearer token.
    """

    workers: int = Field(2, ge=1)
    waiting: int = Field(64, ge=0)
    timeout: float = Field(5.0, gt=0.0)
    body_bytes: int = Field(1 << 20, ge=1)
    token: str | None = Field(None, min_length=1)


class BearerToken(HTTPBearer):
    """A FastAPI dependency that raises `ProblemError` for requests without the server's token."""

    def __init__(self, token: str) -> None:
        super().__init__(scheme_name="token", description="The token that the server was started with.")
        self._header = f"Bearer {token}".encode()
        """The bytes of the header, which the framework shows as latin-1."""

    async def __call__(self, request: HTTPConnection) -> None:
        if not hmac.compare_digest(request.headers.get("authorization", "").encode("latin-1"), self._header):
            raise ProblemError(UNAUTHORIZED, "Send the server's token: Authorization: Bearer TOKEN.")


def refuse_other_sites(request: Request) -> None:
    """Raise `ProblemError` for a request that a browser sends for a page of another site.

    A page can make the browser of somebody who reaches this server send it anything that needs no answer.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    is_other = site not in ("same-origin", "none")
    if site is None:
        is_other = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if is_other:
        raise ProblemError(OTHER_SITE, f"A page of {origin or 'another site'} sent this. Send it from a server.")


async def read_body(request: Request, most: int, timeout: float) -> bytes:
    """Read the body of a request; raises `ProblemError` once it exceeds `most` bytes, or `timeout` seconds."""
    content = bytearray()
    try:
        async with asyncio.timeout(timeout):
            async for chunk in request.stream():
                content += chunk
                if len(content) > most:
                    raise ProblemError(
                        BODY_TOO_LARGE, f"The body has more than {most:,} bytes. Send fewer requests in one body."
                    )
    except TimeoutError:
        raise ProblemError(SLOW_BODY, f"The body took more than {timeout:g} seconds.") from None
    return bytes(content)


class LoadLimiter:
    """Runs work in a thread pool, within the limits on its amount and time.

    Attributes:
        in_flight: requests in the queue or at work, whether or not somebody still waits for their answers.
    """

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self.limits, self.metrics = limits, metrics
        self.pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="adi-serve")
        self.in_flight = 0

    async def read_body(self, request: Request) -> bytes:
        """Read the body of a request; raises `ProblemError` for one that is too large or takes too long."""
        return await read_body(request, self.limits.body_bytes, self.limits.timeout)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run work in the pool and return its result; raises `ProblemError` if the queue is full or time is up."""
        self.acquire()
        queued = perf_counter()
        loop = asyncio.get_running_loop()

        def timed_work() -> Result:
            started = perf_counter()
            with THREAD_BUDGET.active(), stopwatch() as watch:
                try:
                    return work()
                finally:
                    stages = {"queue": started - queued, "work": perf_counter() - started}
                    self.metrics.observe_stages(stages | watch.seconds)
                    loop.call_soon_threadsafe(self.release)

        future = loop.run_in_executor(self.pool, timed_work)
        try:
            return await self.in_time(asyncio.shield(future))  # running work goes on, and counts until it ends
        except ProblemError:
            future.add_done_callback(lambda done: done.exception())  # retrieved here if nobody else waits for it
            raise

    async def in_time(self, future: "asyncio.Future[Result]") -> Result:
        """Await a future; cancels it and raises `ProblemError` after the timeout."""
        try:
            return await asyncio.wait_for(future, self.limits.timeout)
        except TimeoutError:
            raise ProblemError(TOO_SLOW, f"No answer within {self.limits.timeout:g} seconds. Ask for less.") from None

    def acquire(self) -> None:
        """Count a request in; raises `ProblemError` if the queue is full. Every request that enters must `release`."""
        if self.in_flight >= self.limits.workers + self.limits.waiting:
            raise ProblemError(BUSY, f"{self.in_flight} requests are queued or being answered. Retry in a second.")
        self.in_flight += 1
        self.metrics.requests_in_flight.inc()

    def release(self) -> None:
        """Count a request out."""
        self.in_flight -= 1
        self.metrics.requests_in_flight.dec()
