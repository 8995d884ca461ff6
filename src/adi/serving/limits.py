"""What stands before the answers: the token, the size of a body, and how much is taken on at once."""

import asyncio
import hmac
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any, TypeVar

import orjson
from fastapi import Request, Response
from pydantic import Field

from adi.schema import Strict
from adi.serving.messages import ProblemError
from adi.serving.metrics import Metrics
from adi.thread_budget import THREAD_BUDGET
from adi.timing import stopwatch

JSON, PROBLEM = "application/json", "application/problem+json"

Result = TypeVar("Result")


class Limits(Strict):
    """What a server takes on: `workers` requests at work, `waiting` more behind them, bodies of `body_bytes`.

    A request that has not been answered after `timeout` seconds is given up. With a `token` requests need it as their
    bearer token, but for those that ask whether the server is up.
    """

    workers: int = Field(2, ge=1)
    waiting: int = Field(64, ge=0)
    timeout: float = Field(5.0, gt=0.0)
    body_bytes: int = Field(1 << 20, ge=1)
    token: str | None = Field(None, min_length=1)


class Gate:
    """Lets in what the limits allow, and turns the rest away at once."""

    def __init__(self, metrics: Metrics, limits: Limits, pool: ThreadPoolExecutor) -> None:
        self.metrics, self.limits, self.pool = metrics, limits, pool
        self.inside = 0

    def check_token(self, request: Request) -> None:
        token = self.limits.token
        given = request.headers.get("authorization", "")
        if token is not None and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            raise ProblemError(
                401,
                "No access",
                "Give the server's token: Authorization: Bearer TOKEN.",
                headers={"WWW-Authenticate": "Bearer"},
            )

    async def body(self, request: Request) -> bytes:
        """The body of a request; raises `ProblemError` before more than the limit has been read."""
        content = bytearray()
        async for piece in request.stream():
            content += piece
            if len(content) > self.limits.body_bytes:
                raise ProblemError(
                    413, "Too large", f"The body has more than {self.limits.body_bytes:,} bytes. Ask for fewer at once."
                )
        return bytes(content)

    def read(self, reader: Callable[..., Result], *given: object) -> Result:
        """What a reader makes of a body, timed."""
        with stopwatch() as watch:
            try:
                return reader(*given)
            finally:
                self.metrics.stages(watch.seconds)

    async def answer(self, work: Callable[[], Any]) -> Response:
        """What `run` gives, as JSON."""
        return self.reply(await self.run(work))

    def reply(self, given: Any) -> Response:
        """What is given, as JSON."""
        started = perf_counter()
        content = orjson.dumps(given, default=str)
        self.metrics.stages({"write": perf_counter() - started})
        self.metrics.answered(200)
        return Response(content, media_type=JSON)

    async def run(self, work: Callable[[], Result]) -> Result:
        """What work gives, done in a thread of the pool; raises `ProblemError` where that is too much, or too slow."""
        self.enter()
        asked = perf_counter()

        def timed() -> Result:
            started = perf_counter()
            with THREAD_BUDGET.active(), stopwatch() as watch:
                try:
                    return work()
                finally:
                    parts = {"queue": started - asked, "work": perf_counter() - started}
                    self.metrics.stages(parts | watch.seconds)
                    loop.call_soon_threadsafe(self.leave)

        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self.pool, timed)
        try:
            return await self.in_time(asyncio.shield(future))  # work that has begun goes on, and counts until its end
        except ProblemError:
            future.add_done_callback(lambda done: done.exception())  # perhaps nobody waits for it any more
            raise

    async def in_time(self, answer: "asyncio.Future[Result]") -> Result:
        """What comes of it; raises `ProblemError`, and cancels it, where that takes longer than the limit."""
        try:
            return await asyncio.wait_for(answer, self.limits.timeout)
        except TimeoutError:
            raise ProblemError(
                503,
                "Too slow",
                f"No answer within {self.limits.timeout:g} seconds. Ask for less.",
                headers={"Retry-After": "1"},
            ) from None

    def enter(self) -> None:
        """One more is inside; raises `ProblemError` where there is no room."""
        if self.inside >= self.limits.workers + self.limits.waiting:
            raise ProblemError(
                503,
                "Busy",
                f"{self.inside} requests are waiting or at work. Ask again in a second.",
                headers={"Retry-After": "1"},
            )
        self._count(1)

    def leave(self) -> None:
        self._count(-1)

    def _count(self, more: int) -> None:
        self.inside += more
        self.metrics.in_flight.set(self.inside)
