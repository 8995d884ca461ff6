"""Bodies that wait are answered together: which, in which turn, and what becomes of each."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from adi.serving.batcher import Together
from adi.serving.limits import Gate, Limits
from adi.serving.messages import Ask, Body, ProblemError
from adi.serving.metrics import Metrics

Made = Callable[..., Together]


class Slow:
    """Stands for a service: begins its first turn at once, and ends it when it is told to go on."""

    def __init__(self) -> None:
        self.go, self.turns = Event(), list[list[str]]()

    def answer(self, bodies: Sequence[Body]) -> list[dict[str, Any] | ProblemError]:
        self.turns.append([str(body.asks[0].user) for body in bodies])
        assert self.go.wait(20)
        if any(body.asks[0].user == "bug" for body in bodies):
            raise ZeroDivisionError
        return [
            ProblemError(422, "No", "no") if body.asks[0].user == "nobody" else {"results": [body.asks[0].user]}
            for body in bodies
        ]


@pytest.fixture
def service() -> Slow:
    return Slow()


@pytest.fixture
def made(service: Slow) -> Iterator[Made]:
    with ThreadPoolExecutor(4) as pool:
        yield lambda **limits: Together(service, Gate(Metrics(), Limits(**limits), pool))  # type: ignore[arg-type]
        service.go.set()


def body(user: str, *domains: str, requests: int = 1) -> Body:
    return Body([Ask(user=user, domains=list(domains) or None)] * requests)


async def at_work(service: Slow, turns: int) -> None:
    while len(service.turns) < turns:
        await asyncio.sleep(0.001)


def answered(together: Together, service: Slow, bodies: Sequence[Body], workers: int = 1) -> list[Any]:
    """What becomes of bodies that come one after the other; the first of them, one for each worker, begin at once."""

    async def ask() -> list[Any]:
        asked = []
        for number, own in enumerate(bodies):
            asked.append(asyncio.create_task(together.answer(own)))
            await asyncio.sleep(0)
            await at_work(service, min(number + 1, workers))
        service.go.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    return run(ask())


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 20))


def test_a_turn_answers_what_waits(made, service) -> None:
    found = answered(made(workers=1), service, [body(user) for user in "abcd"])
    assert found == [{"results": [user]} for user in "abcd"]
    assert service.turns == [["a"], ["b", "c", "d"]]


def test_those_of_other_domains_wait_for_another_turn(made, service) -> None:
    bodies = [
        body("a", "feed"),
        body("b", "feed"),
        body("c", "cart", "feed"),
        body("d"),
        body("e", "feed"),
        body("f", "feed", "cart"),
        body("g"),
    ]
    found = answered(made(workers=1), service, bodies)
    assert found == [{"results": [user]} for user in "abcdefg"]
    assert service.turns == [["a"], ["b", "e"], ["c", "f"], ["d", "g"]]


def test_a_turn_leaves_the_other_workers_their_share(made, service) -> None:
    found = answered(made(workers=2), service, [body(user) for user in "abcdefg"], workers=2)
    assert found == [{"results": [user]} for user in "abcdefg"]
    assert service.turns[:2] == [["a"], ["b"]]
    assert ["c", "d", "e"] in service.turns[2:]


def test_large_bodies_are_not_put_together(made, service) -> None:
    bodies = [body("a"), body("b", requests=30), body("c", requests=30), body("d", requests=64), body("e", requests=5)]
    answered(made(workers=1), service, bodies)
    assert service.turns == [["a"], ["b", "c"], ["d"], ["e"]]


def test_a_fault_is_that_of_one_body(made, service) -> None:
    found = answered(made(workers=1), service, [body(user) for user in ("a", "b", "nobody", "c", "bug", "d")])
    assert [*found[:2], found[3], found[5]] == [{"results": [user]} for user in "abcd"]
    assert isinstance(found[2], ProblemError)
    assert isinstance(found[4], ZeroDivisionError)


def test_what_is_given_up_counts_while_it_is_at_work(made, service) -> None:
    together = made(workers=1, waiting=1, timeout=0.5)

    async def ask() -> None:
        first = asyncio.create_task(together.answer(body("a")))
        await at_work(service, 1)
        for user in "bc":  # the first of them makes room for the second
            with pytest.raises(ProblemError, match="No answer within"):
                await together.answer(body(user))
            assert together.gate.inside == 1
        with pytest.raises(ProblemError, match="No answer within"):
            await first
        waits = asyncio.create_task(together.answer(body("d")))
        await asyncio.sleep(0)
        with pytest.raises(ProblemError, match="waiting or at work"):
            await together.answer(body("e"))
        service.go.set()
        assert await waits == {"results": ["d"]}
        assert together.gate.inside == 0
        assert service.turns == [["a"], ["d"]]

    run(ask())
