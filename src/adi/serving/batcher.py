"""Dynamic batching: answers queued requests in one model and index call."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import reduce
from threading import Lock
from time import perf_counter
from typing import Any

from adi.serving.admission import LoadLimiter
from adi.serving.cost import Cost, cost_of
from adi.serving.problems import TOO_SLOW, ProblemError
from adi.serving.requests import MAX_BATCH, RetrieveCall
from adi.serving.service import Service
from adi.thread_budget import THREAD_BUDGET
from adi.timing import stopwatch

Answer = dict[str, Any]
"""The content of a `RetrieveResponse`."""

MOST_SECONDS = 0.1
"""Expected seconds of a batch: with more, calls would wait for each other and gain nothing by it."""

Left = Callable[[], Coroutine[Any, Any, None]]
"""A function that waits for a client to go away."""


class Batcher:
    """Answers calls in batches, up to one batch at a time in each worker.

    A batch has the oldest queued call and others for the same domains: at most the worker's share of the queue, and at
    most `MAX_BATCH` requests and `MOST_SECONDS` unless the first call alone has more. A lone call is thus answered at
    once and by itself, and the cost of a call falls as the load rises. A call that fails does not fail the others of
    its batch. A call whose client has left, or which cannot be answered in time any more, is dropped before it is
    computed.
    """

    def __init__(self, service: Service, limiter: LoadLimiter) -> None:
        self.service, self.limiter = service, limiter
        self._queue: list[_QueuedCall] = []
        self._busy_workers = 0
        self._lock = Lock()

    async def answer(self, call: RetrieveCall, left: Left | None = None) -> Answer:
        """Answer a call; raises `ProblemError` if it fails, is not admitted or time is up.

        A client that has `left` raises `ClientDisconnect`.
        """
        cost = cost_of(call, self.service.num_domains)
        self.limiter.admit(cost)
        queued = _QueuedCall(call, cost, asyncio.get_running_loop())
        with self._lock:
            self._queue.append(queued)
            starts_worker = self._busy_workers < self.limiter.limits.workers
            self._busy_workers += starts_worker
        if starts_worker:
            self.limiter.pool.submit(self._work)
        try:
            return await self.limiter.in_time(queued.answer, left)
        finally:
            self._withdraw(queued)

    def _withdraw(self, queued: "_QueuedCall") -> None:
        """Remove a call that was given up from the queue, unless a batch has it."""
        with self._lock:
            if queued not in self._queue:
                return
            self._queue.remove(queued)
        self.limiter.release(queued.cost)

    def _work(self) -> None:
        """Answer one batch in a thread of the pool, and submit the next if calls are queued."""
        with self._lock:
            expired = self._take_expired()
            batch = self._next_batch()
        for queued in expired:
            queued.loop.call_soon_threadsafe(self._give_up, queued)
        with THREAD_BUDGET.active():
            self._answer_batch(batch)
        with self._lock:
            has_more = bool(self._queue)
            self._busy_workers -= not has_more
        if has_more:
            self.limiter.pool.submit(self._work)  # behind other work that waits for a thread

    def _take_expired(self) -> list["_QueuedCall"]:
        """Take the calls from the queue that cannot be answered in time any more."""
        timeout = self.limiter.limits.timeout
        expired = [queued for queued in self._queue if self.limiter.cannot_end(queued.cost, queued.since + timeout)]
        self._queue = [queued for queued in self._queue if queued not in expired]
        return expired

    def _next_batch(self) -> list["_QueuedCall"]:
        """Take a worker's next batch from the queue."""
        share = -(-len(self._queue) // self.limiter.limits.workers)
        batch, rest, size, cost = list[_QueuedCall](), list[_QueuedCall](), 0, Cost()
        for queued in self._queue:
            joins = not batch or (
                queued.domains == batch[0].domains
                and size + queued.size <= MAX_BATCH
                and self.limiter.times.seconds(cost.plus(queued.cost)) <= MOST_SECONDS
            )
            if joins and len(batch) < share:
                batch.append(queued)
                size += queued.size
                cost = cost.plus(queued.cost)
            else:
                rest.append(queued)
        self._queue = rest
        return batch

    def _answer_batch(self, batch: Sequence["_QueuedCall"]) -> None:
        """Answer a batch, measure its stages and deliver the answers."""
        if not batch:  # other workers emptied the queue
            return
        started = perf_counter()
        with stopwatch() as watch:
            answers = self._answers([queued.call for queued in batch])
        seconds = perf_counter() - started
        stages = {"work": seconds}
        stages |= {stage: seconds / len(batch) for stage, seconds in watch.seconds.items()}
        for queued in batch:
            self.limiter.metrics.observe_stages({"queue": started - queued.since} | stages)
        batch[0].loop.call_soon_threadsafe(self._deliver, batch, answers, seconds)

    def _answers(self, calls: Sequence[RetrieveCall]) -> Sequence[Answer | Exception]:
        """Answer calls together; after an unexpected error, each by itself."""
        try:
            return self.service.answer(calls)
        except Exception as error:
            if len(calls) == 1:
                return [error]
            return [answer for call in calls for answer in self._answers([call])]

    def _deliver(self, batch: Sequence["_QueuedCall"], answers: Sequence[Answer | Exception], seconds: float) -> None:
        """Resolve the futures of a batch that took so long, in their event loop."""
        self.limiter.times.learn(reduce(Cost.plus, (queued.cost for queued in batch)), seconds)
        for queued, answer in zip(batch, answers, strict=True):
            self.limiter.release(queued.cost)
            if queued.answer.done():  # the call was given up
                continue
            if isinstance(answer, Exception):
                queued.answer.set_exception(answer)
            else:
                queued.answer.set_result(answer)

    def _give_up(self, queued: "_QueuedCall") -> None:
        """Fail a call that was dropped from the queue, in its event loop."""
        self.limiter.release(queued.cost)
        if not queued.answer.done():
            self.limiter.metrics.refused.labels("expired").inc()
            detail = f"It waited too long to be answered within {self.limiter.limits.timeout:g} seconds. Retry later."
            queued.answer.set_exception(ProblemError(TOO_SLOW, detail))


@dataclass(eq=False)
class _QueuedCall:
    """A call in the queue, and the future of its answer in the event loop that awaits it."""

    call: RetrieveCall
    cost: Cost
    loop: asyncio.AbstractEventLoop
    since: float = field(default_factory=perf_counter)

    def __post_init__(self) -> None:
        self.answer: asyncio.Future[Answer] = self.loop.create_future()
        self.size = len(self.call.requests)
        self.domains = {name for request in self.call.requests for name in request.domains or ("",)}
