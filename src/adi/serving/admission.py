"""Admission of work by the time that it is expected to take, so that what is begun is answered in time."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from math import ceil
from time import perf_counter
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from adi.serving.cost import LOOKUP, Cost, WorkTimes
from adi.serving.limits import Limits, read_body
from adi.serving.metrics import Metrics
from adi.serving.problems import BUSY, TOO_SLOW, ProblemError
from adi.thread_budget import THREAD_BUDGET
from adi.timing import stopwatch

MOST_WAIT = 0.5
"""The part of the timeout within which work must be expected to end, unless a worker is free. Estimates err, and what
ends late was done for nothing."""

Result = TypeVar("Result")


class LoadLimiter:
    """Runs work in a thread pool, within the limits on its amount and time.

    Work is refused at once if it could not be answered in time behind what was admitted before. If a worker is free, it
    is tried in any case: so an estimate that was too high is corrected. All methods are called in the event loop.

    Attributes:
        in_flight: requests in the queue or at work, whether or not somebody still waits for their answers.
        backlog: the cost of all of them.
        times: estimates of how long a cost takes.
    """

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self.limits, self.metrics = limits, metrics
        self.pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="adi-serve")
        self.in_flight, self.backlog, self.times = 0, Cost(), WorkTimes()

    async def read_body(self, request: Request) -> bytes:
        """Read the body of a request; raises `ProblemError` for one that is too large or takes too long."""
        return await read_body(request, self.limits.body_bytes, self.limits.timeout)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run work in the pool and return its result; raises `ProblemError` if it cannot end in time, or does not."""
        self.admit(LOOKUP)
        queued, loop = perf_counter(), asyncio.get_running_loop()

        def timed_work() -> Result:
            started = perf_counter()
            with THREAD_BUDGET.active(), stopwatch() as watch:
                try:
                    return work()
                finally:
                    seconds = perf_counter() - started
                    self.metrics.observe_stages({"queue": started - queued, "work": seconds} | watch.seconds)
                    loop.call_soon_threadsafe(self.times.learn, LOOKUP, seconds)

        def ended(_: Future[Result]) -> None:  # or cancelled before it began
            loop.call_soon_threadsafe(self.release, LOOKUP)

        future = self.pool.submit(timed_work)
        future.add_done_callback(ended)
        return await self.in_time(asyncio.wrap_future(future))

    async def in_time(
        self, answer: "asyncio.Future[Result]", left: Callable[[], Coroutine[Any, Any, None]] | None = None
    ) -> Result:
        """Await an answer; cancels it and raises `ProblemError` after the timeout, `ClientDisconnect` once `left` ends.

        `left` is a function that waits for the client to go away.
        """
        leaving = None if left is None else asyncio.create_task(left())
        awaited: set[asyncio.Future[Any]] = {answer} if leaving is None else {answer, leaving}
        try:
            await asyncio.wait(awaited, timeout=self.limits.timeout, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
        finally:
            for future in awaited:
                future.cancel()
        if leaving is not None and leaving.done():
            self.metrics.refused.labels("left").inc()
            raise ClientDisconnect
        self.metrics.refused.labels("slow").inc()
        raise ProblemError(TOO_SLOW, f"No answer within {self.limits.timeout:g} seconds. Ask for less.")

    def refusal(self, cost: Cost = LOOKUP) -> ProblemError | None:
        """The problem of work that could not be answered in time behind what was admitted before, which is counted.

        By default of any work: of the least that there is.
        """
        limits = self.limits
        if self.in_flight < limits.workers:
            return None
        if self.in_flight >= limits.workers + limits.waiting:
            self.metrics.refused.labels("full").inc()
            return ProblemError(BUSY, f"{self.in_flight} requests are queued or being answered. Retry in a second.")
        wait, work = self.times.seconds(self.backlog) / limits.workers, self.times.seconds(cost)
        if wait + work > MOST_WAIT * limits.timeout:
            self.metrics.refused.labels("late").inc()
            detail = f"The work before this takes some {wait:.1f} seconds, and this some {work:.1f}."
            later = BUSY._replace(headers={"Retry-After": str(max(1, ceil(wait)))})
            return ProblemError(later, f"{detail} Retry then, or ask for less.")
        return None

    def admit(self, cost: Cost) -> None:
        """Count work in, which must then be released; raises `ProblemError` for work that is refused."""
        if (problem := self.refusal(cost)) is not None:
            raise problem
        self.in_flight += 1
        self.backlog = self.backlog.plus(cost)
        self.metrics.requests_in_flight.inc()

    def release(self, cost: Cost) -> None:
        """Count work out."""
        self.in_flight -= 1
        self.backlog = self.backlog.minus(cost)
        self.metrics.requests_in_flight.dec()

    def cannot_end(self, cost: Cost, deadline: float) -> bool:
        """True for work that has waited and would end after its deadline, on the clock of `perf_counter`."""
        needed = min(self.times.seconds(cost), MOST_WAIT * self.limits.timeout)  # what has not waited is tried
        return perf_counter() + needed > deadline
