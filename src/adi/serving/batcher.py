"""Requests that wait are answered together, which takes less than one after the other."""

import asyncio
from collections.abc import Sequence
from threading import Lock
from time import perf_counter
from typing import Any

from adi.serving.limits import Gate
from adi.serving.messages import MOST_AT_ONCE, Body
from adi.serving.service import Service
from adi.thread_budget import THREAD_BUDGET
from adi.timing import stopwatch


class Together:
    """Takes turns in the threads of a gate's pool, each of which answers the oldest body that waits and others like it.

    Alike are those of the same domains. A turn takes no more than its share of what waits when it begins, and has at
    most `MOST_AT_ONCE` requests, or one body. So a lone body is answered at once and alone, and the busier a server is,
    the less a request costs. The fault of one body is not that of those beside it.
    """

    def __init__(self, service: Service, gate: Gate) -> None:
        self.service, self.gate = service, gate
        self._waiting: list[_Waiting] = []
        self._turns = 0
        self._lock = Lock()

    async def answer(self, body: Body) -> dict[str, Any]:
        """The answer to a body. Raises `ProblemError` where there is none, for one too many, and too late."""
        self.gate.enter()
        loop = asyncio.get_running_loop()
        own = _Waiting(body, perf_counter(), loop, loop.create_future())
        with self._lock:
            self._waiting.append(own)
            begins = self._turns < self.gate.limits.workers
            self._turns += begins
        if begins:
            self.gate.pool.submit(self._turn)
        try:
            return await self.gate.in_time(own.answer)
        finally:
            self._withdraw(own)

    def _withdraw(self, own: "_Waiting") -> None:
        """Take a body that is given up off those that wait, if no turn has it."""
        with self._lock:
            if own not in self._waiting:
                return
            self._waiting.remove(own)
        self.gate.leave()

    def _turn(self) -> None:
        with self._lock:
            taken = self._take()
        with THREAD_BUDGET.active():
            self._answer(taken)
        with self._lock:
            goes_on = bool(self._waiting)
            self._turns -= not goes_on
        if goes_on:
            self.gate.pool.submit(self._turn)  # behind other work that waits for a thread

    def _take(self) -> list["_Waiting"]:
        """What this turn answers, off those that wait."""
        share = -(-len(self._waiting) // self.gate.limits.workers)
        taken, left, requests = list[_Waiting](), list[_Waiting](), 0
        for own in self._waiting:
            like = not taken or own.domains == taken[0].domains
            if like and len(taken) < share and (not taken or requests + len(own.body.asks) <= MOST_AT_ONCE):
                taken.append(own)
                requests += len(own.body.asks)
            else:
                left.append(own)
        self._waiting = left
        return taken

    def _answer(self, taken: Sequence["_Waiting"]) -> None:
        """Answer some bodies, and tell those who wait for them."""
        if not taken:  # the other turns were quicker
            return
        started = perf_counter()
        with stopwatch() as watch:
            told = self._answers([own.body for own in taken])
        stages = {"work": perf_counter() - started}
        stages |= {stage: seconds / len(taken) for stage, seconds in watch.seconds.items()}
        for own in taken:
            self.gate.metrics.stages({"queue": started - own.since} | stages)
        taken[0].loop.call_soon_threadsafe(self._tell, taken, told)

    def _answers(self, bodies: Sequence[Body]) -> Sequence[dict[str, Any] | Exception]:
        """The answers to bodies; where something fails that should not, each alone."""
        try:
            return self.service.answer(bodies)
        except Exception as error:
            if len(bodies) == 1:
                return [error]
            return [one for body in bodies for one in self._answers([body])]

    def _tell(self, taken: Sequence["_Waiting"], told: Sequence[dict[str, Any] | Exception]) -> None:
        """What became of bodies, in the loop that they wait in."""
        for own, found in zip(taken, told, strict=True):
            self.gate.leave()
            if own.answer.done():  # it was given up
                continue
            if isinstance(found, Exception):
                own.answer.set_exception(found)
            else:
                own.answer.set_result(found)


class _Waiting:
    """A body since a moment, the loop that it waits in, and what is told there."""

    def __init__(
        self, body: Body, since: float, loop: asyncio.AbstractEventLoop, answer: "asyncio.Future[dict[str, Any]]"
    ) -> None:
        self.body, self.since, self.loop, self.answer = body, since, loop, answer
        self.domains = {name for ask in body.asks for name in ask.domains or ("",)}
