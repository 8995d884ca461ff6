"""Dynamic batching: which calls form a batch, and what becomes of each."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from threading import Event
from typing import Any

import pytest

from adi.serving.admission import LoadLimiter
from adi.serving.batcher import Batcher
from adi.serving.cost import Cost
from adi.serving.limits import Limits
from adi.serving.metrics import Metrics
from adi.serving.problems import CANNOT_ANSWER, ProblemError
from adi.serving.requests import RetrieveCall, RetrieveRequest

MakeBatcher = Callable[..., Batcher]


class HeldService:
    """Stands in for a service: records each batch, and answers it once released."""

    def __init__(self) -> None:
        self.released, self.batches, self.num_domains = Event(), list[list[str]](), 3

    def answer(self, calls: Sequence[RetrieveCall]) -> list[dict[str, Any] | ProblemError]:
        users = [str(call.requests[0].user) for call in calls]
        self.batches.append(users)
        assert self.released.wait(20)
        if "bug" in users:
            raise ZeroDivisionError
        return [ProblemError(CANNOT_ANSWER, "no") if user == "nobody" else {"results": [user]} for user in users]


@pytest.fixture
def service() -> HeldService:
    return HeldService()


@pytest.fixture
def make_batcher(service: HeldService) -> Iterator[MakeBatcher]:
    batchers: list[Batcher] = []

    def make(**limits: Any) -> Batcher:
        batchers.append(Batcher(service, LoadLimiter(Limits(**limits), Metrics())))  # type: ignore[arg-type]
        return batchers[-1]

    yield make
    service.released.set()
    for batcher in batchers:
        batcher.limiter.pool.shutdown()


def call(user: str, *domains: str, requests: int = 1) -> RetrieveCall:
    return RetrieveCall([RetrieveRequest(user=user, domains=list(domains) or None)] * requests)


async def batches_begun(service: HeldService, count: int) -> None:
    while len(service.batches) < count:
        await asyncio.sleep(0.001)


def answers_of(batcher: Batcher, service: HeldService, calls: Sequence[RetrieveCall]) -> list[Any]:
    """Answers or errors of calls that arrive one by one; the service is released once all of them have arrived."""

    async def send() -> list[Any]:
        tasks = []
        for number, each in enumerate(calls, 1):
            tasks.append(asyncio.create_task(batcher.answer(each)))
            await asyncio.sleep(0)
            await batches_begun(service, min(number, batcher.limiter.limits.workers))
        service.released.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    return run(send())


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, 20))


def test_a_batch_takes_the_whole_queue(make_batcher, service) -> None:
    answers = answers_of(make_batcher(workers=1), service, [call(user) for user in "abcd"])
    assert answers == [{"results": [user]} for user in "abcd"]
    assert service.batches == [["a"], ["b", "c", "d"]]


def test_a_batch_has_calls_for_the_same_domains(make_batcher, service) -> None:
    calls = [
        call("a", "feed"),
        call("b", "feed"),
        call("c", "cart", "feed"),
        call("d"),
        call("e", "feed"),
        call("f", "feed", "cart"),
        call("g"),
    ]
    answers = answers_of(make_batcher(workers=1), service, calls)
    assert answers == [{"results": [user]} for user in "abcdefg"]
    assert service.batches == [["a"], ["b", "e"], ["c", "f"], ["d", "g"]]


def test_workers_share_the_queue(make_batcher, service) -> None:
    answers = answers_of(make_batcher(workers=2), service, [call(user) for user in "abcdefg"])
    assert answers == [{"results": [user]} for user in "abcdefg"]
    assert service.batches[:2] == [["a"], ["b"]]
    assert ["c", "d", "e"] in service.batches[2:]


def test_a_batch_has_at_most_64_requests(make_batcher, service) -> None:
    calls = [call("a"), call("b", requests=30), call("c", requests=30), call("d", requests=64), call("e", requests=5)]
    answers_of(make_batcher(workers=1), service, calls)
    assert service.batches == [["a"], ["b", "c"], ["d"], ["e"]]


def test_a_batch_is_expected_to_take_a_tenth_of_a_second_at_most(make_batcher, service) -> None:
    heavy = RetrieveCall([RetrieveRequest(user="c", exclude=["x"] * 4000)])
    calls = [call("a"), call("b", requests=4), heavy, call("d")]
    answers_of(make_batcher(workers=1), service, calls)
    assert service.batches == [["a"], ["b", "d"], ["c"]]


def test_a_failed_call_does_not_fail_the_others(make_batcher, service) -> None:
    users = ("a", "b", "nobody", "c", "bug", "d")
    answers = answers_of(make_batcher(workers=1), service, [call(user) for user in users])
    assert [*answers[:2], answers[3], answers[5]] == [{"results": [user]} for user in "abcd"]
    assert isinstance(answers[2], ProblemError)
    assert isinstance(answers[4], ZeroDivisionError)


def test_calls_that_time_out_leave_the_queue_but_count_while_at_work(make_batcher, service) -> None:
    batcher = make_batcher(workers=1, waiting=1, timeout=0.5)

    async def send() -> None:
        first = asyncio.create_task(batcher.answer(call("a")))
        await batches_begun(service, 1)
        for user in "bc":  # b leaves the queue, which has room for one call, before c enters
            with pytest.raises(ProblemError, match="No answer within"):
                await batcher.answer(call(user))
            assert batcher.limiter.in_flight == 1
        with pytest.raises(ProblemError, match="No answer within"):
            await first
        queued = asyncio.create_task(batcher.answer(call("d")))
        await asyncio.sleep(0)
        with pytest.raises(ProblemError, match="queued or being answered"):
            await batcher.answer(call("e"))
        service.released.set()
        assert await queued == {"results": ["d"]}
        assert batcher.limiter.in_flight == 0
        assert service.batches == [["a"], ["d"]]

    run(send())


def test_calls_that_cannot_be_answered_in_time_are_dropped_from_the_queue(make_batcher, service) -> None:
    batcher = make_batcher(workers=1, timeout=2.0)

    async def send() -> None:
        first = asyncio.create_task(batcher.answer(call("a")))
        await batches_begun(service, 1)
        second = asyncio.create_task(batcher.answer(call("b")))
        await asyncio.sleep(0)
        batcher._queue[0].since -= 1.5  # what is left is less than it takes
        third = asyncio.create_task(batcher.answer(call("c")))
        await asyncio.sleep(0)
        batcher.limiter.times.seconds = lambda cost: 0.6
        service.released.set()
        assert await first == {"results": ["a"]}
        with pytest.raises(ProblemError, match="It waited too long to be answered within 2 seconds"):
            await second
        assert await third == {"results": ["c"]}
        assert (batcher.limiter.in_flight, batcher.limiter.backlog) == (0, Cost())

    run(send())
    assert service.batches == [["a"], ["c"]]
    assert batcher.limiter.metrics.registry.get_sample_value("adi_requests_refused_total", {"reason": "expired"}) == 1


def test_the_time_of_a_batch_is_learned(make_batcher, service) -> None:
    batcher = make_batcher(workers=1)
    learned: list[tuple[Cost, float]] = []
    batcher.limiter.times.learn = lambda cost, seconds: learned.append((cost, seconds))
    answers_of(batcher, service, [call("a"), call("b", "feed"), call("c", "feed", requests=2)])
    assert [cost for cost, _ in learned] == [Cost(3, 30), Cost(3, 30)]
    assert all(0 < seconds < 20 for _, seconds in learned)
