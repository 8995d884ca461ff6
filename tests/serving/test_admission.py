"""Admission by time: refused at once, dropped from the queue, or cancelled when the client leaves."""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from threading import Event
from typing import Any

import pytest
from prometheus_client import REGISTRY
from starlette.requests import ClientDisconnect

from adi.serving import guarded_protocol
from adi.serving.admission import LoadLimiter
from adi.serving.cost import LOOKUP, Cost
from adi.serving.limits import Limits
from adi.serving.metrics import REFUSALS, Metrics
from adi.serving.problems import ProblemError

SECOND = Cost(filters=100)
"""Work of a second, as a limiter expects it that has measured nothing."""

MakeLimiter = Callable[..., LoadLimiter]


@pytest.fixture
def make_limiter() -> Iterator[MakeLimiter]:
    limiters: list[LoadLimiter] = []

    def make(**limits: Any) -> LoadLimiter:
        limiters.append(LoadLimiter(Limits(**limits), Metrics()))
        return limiters[-1]

    yield make
    for limiter in limiters:
        limiter.pool.shutdown()


def refused(metrics: Metrics) -> dict[str, float]:
    """The requests that were given up, by reason; without reasons that none had."""
    name = "adi_requests_refused_total"
    counts = {reason: metrics.registry.get_sample_value(name, {"reason": reason}) for reason in REFUSALS}
    assert REGISTRY.get_sample_value(name) is None
    return {reason: count for reason, count in counts.items() if count}


def test_work_is_refused_that_would_be_late(make_limiter) -> None:
    limiter = make_limiter(workers=2, timeout=10.1)
    for _ in range(2 + 7):  # the last of them is to end after 1 + 8/2 seconds, half of the timeout
        limiter.admit(SECOND)
    with pytest.raises(ProblemError, match=r"takes some 4\.5 seconds, and this some 1\.0") as caught:
        limiter.admit(SECOND)
    assert caught.value.failure.status == 503
    assert caught.value.failure.headers == {"Retry-After": "5"}
    limiter.admit(LOOKUP)  # for which there is time
    assert limiter.in_flight == 10
    assert refused(limiter.metrics) == {"late": 1}
    limiter.release(SECOND)
    limiter.admit(SECOND)


def test_a_free_worker_tries_whatever_comes(make_limiter) -> None:
    limiter = make_limiter(workers=2, timeout=0.1)
    limiter.admit(SECOND)
    limiter.admit(SECOND)
    with pytest.raises(ProblemError, match="and this some"):
        limiter.admit(LOOKUP)


def test_what_was_released_leaves_nothing(make_limiter) -> None:
    limiter = make_limiter()
    for cost in (SECOND, LOOKUP, Cost(1, 2, 3, 4, 5)):
        limiter.admit(cost)
        limiter.release(cost)
    assert (limiter.in_flight, limiter.backlog) == (0, Cost())


def test_work_that_was_given_up_before_it_began_is_not_done(make_limiter) -> None:
    limiter, released, done = make_limiter(workers=1, timeout=0.2), Event(), list[str]()

    async def send() -> None:
        first = asyncio.create_task(limiter.run(lambda: released.wait(20)))
        await asyncio.sleep(0)  # until it has a thread
        with pytest.raises(ProblemError, match=r"No answer within 0\.2 seconds"):
            await limiter.run(lambda: done.append("late"))
        with pytest.raises(ProblemError, match=r"No answer within 0\.2 seconds"):
            await first
        while limiter.in_flight > 1:  # the first is still at work
            await asyncio.sleep(0.001)
        released.set()
        while limiter.in_flight:
            await asyncio.sleep(0.001)
        await limiter.run(lambda: done.append("next"))

    asyncio.run(asyncio.wait_for(send(), 20))
    assert done == ["next"]
    assert refused(limiter.metrics) == {"slow": 2}


def test_an_answer_is_awaited_until_the_client_leaves(make_limiter) -> None:
    limiter = make_limiter()

    async def send() -> None:
        loop = asyncio.get_running_loop()
        answer, forever = loop.create_future(), asyncio.Event()
        loop.call_later(0.01, answer.set_result, 7)
        assert await limiter.in_time(answer, forever.wait) == 7
        given_up = loop.create_future()
        with pytest.raises(ClientDisconnect):
            await limiter.in_time(given_up, partial(asyncio.sleep, 0.01))
        assert given_up.cancelled()

    asyncio.run(asyncio.wait_for(send(), 20))
    assert refused(limiter.metrics) == {"left": 1}


def in_flight(server: Any, number: int) -> None:
    """Wait until this many requests are in flight."""
    until = time.monotonic() + 20
    while f"adi_requests_in_flight {number}.0" not in server.ask("/metrics").body:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_client_that_leaves_takes_its_request_from_the_queue(serving, bundles, held) -> None:
    server, batches = serving(bundles[0], workers=1), list[int]()
    answer = server.service.answer
    server.service.answer = lambda calls: (batches.append(len(calls)), answer(calls))[1]
    released = held(server)
    body = json.dumps({"user": "ana"}).encode()
    head = b"POST /v1/retrieve HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(body)
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as stays:
        stays.sendall(head + body)
        in_flight(server, 1)
        with closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as leaves:
            leaves.sendall(head + body)
            in_flight(server, 2)
        in_flight(server, 1)
        released.set()
        assert stays.recv(1 << 16).startswith(b"HTTP/1.1 200")
    assert batches == [1]
    metrics = server.ask("/metrics").body
    assert 'adi_requests_refused_total{reason="left"} 1.0' in metrics
    assert 'adi_requests_total{status="499"} 1.0' in metrics


def test_a_server_that_takes_no_more_refuses_a_body_before_it_came(serving, bundles, held) -> None:
    server = serving(bundles[0], workers=1, waiting=0)
    released = held(server)
    body = b'{"user": "ana"}'
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as busy:
        busy.sendall(b"POST /v1/retrieve HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        in_flight(server, 1)
        with closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as more:
            more.sendall(b"POST /v1/retrieve HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n{")
            assert more.recv(1 << 16).startswith(b"HTTP/1.1 503 ")
        released.set()
        assert busy.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_a_connection_pauses_after_a_refusal(serving, bundles, held, monkeypatch) -> None:
    """So that a crowd which asks again at once does not take the time that the answers need."""
    monkeypatch.setattr(guarded_protocol, "PAUSE_SECONDS", 0.4)
    server = serving(bundles[0], workers=1, waiting=0)
    released = held(server)
    body = b'{"user": "ana"}'
    request = b"POST /v1/retrieve HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    with (
        closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as busy,
        closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as more,
    ):
        busy.sendall(request)
        in_flight(server, 1)
        more.sendall(request)
        assert more.recv(1 << 16).startswith(b"HTTP/1.1 503 ")
        released.set()
        assert busy.recv(1 << 16).startswith(b"HTTP/1.1 200")
        started = time.monotonic()
        more.sendall(request)
        assert more.recv(1 << 16).startswith(b"HTTP/1.1 200"), "the connection goes on"
        assert time.monotonic() - started > 0.2
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as closing_one:
        closing_one.sendall(request.replace(b"host: a", b"host: a\r\nconnection: close"))
        assert closing_one.recv(1 << 16).startswith(b"HTTP/1.1 200")
