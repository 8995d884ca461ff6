"""The choice among replicas: who is asked, who is asked instead, and who is asked last."""

import asyncio
from collections import Counter

import httpx
import pytest

from adi.router import replicas
from adi.router.metrics import RouterMetrics
from adi.router.replicas import Client, NoAnswerError

A, B = "http://a", "http://b"


class Network:
    """Answers as it is set to: each server with a status, or an exception."""

    def __init__(self, **behaviours):
        self.behaviours, self.asked = behaviours, Counter()

    def __call__(self, request):
        behaviour = self.behaviours[request.url.host]
        self.asked[request.url.host] += 1
        if isinstance(behaviour, Exception):
            raise behaviour
        return httpx.Response(behaviour, text=request.url.host)


def ask(network, *, times=1, **options):
    """The answers of a client to several requests, or their errors, and its metrics."""
    metrics = RouterMetrics()

    async def run():
        client = Client([A, B], metrics, try_timeout=0.5, transport=httpx.MockTransport(network))
        answers = []
        for _ in range(times):
            try:
                answers.append(await client.ask([A, B], "/v1/retrieve", b"{}", {}, **options))
            except NoAnswerError as error:
                answers.append(error)
        await client.close()
        return answers

    return asyncio.run(run()), metrics.text().decode()


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("refused"), httpx.ReadError("reset"), httpx.ReadTimeout("slow"), 500, 502, 504]
)
def test_another_is_asked_and_the_failed_one_is_set_aside(failure) -> None:
    network = Network(a=failure, b=200)
    answers, shown = ask(network, times=20)
    assert {answer.text for answer in answers} == {"b"}
    assert network.asked["a"] <= 1
    assert network.asked["b"] == 20
    assert 'adi_router_server_aside{server="http://b"} 0.0' in shown


def test_a_busy_server_is_replaced_and_not_set_aside() -> None:
    network = Network(a=503, b=200)
    answers, shown = ask(network, times=40)
    assert {answer.status_code for answer in answers} == {200}
    assert network.asked["a"] > 5
    assert 'adi_router_server_aside{server="http://a"} 0.0' in shown
    assert f'outcome="unavailable",server="http://a"}} {network.asked["a"]}.0' in shown


@pytest.mark.parametrize("status", [400, 401, 404, 413, 422])
def test_an_error_of_the_client_is_no_reason_to_ask_another(status: int) -> None:
    network = Network(a=status, b=status)
    (answer,), _ = ask(network)
    assert answer.status_code == status
    assert network.asked.total() == 1


def test_both_share_the_requests() -> None:
    network = Network(a=200, b=200)
    ask(network, times=60)
    assert min(network.asked.values()) > 10


def test_without_an_answer_the_error_names_each_server_and_its_reason() -> None:
    network = Network(a=httpx.ConnectError("refused"), b=502)
    (error,), _ = ask(network)
    assert "http://a (ConnectError refused)" in str(error)
    assert "http://b (status 502)" in str(error)
    assert error.unavailable.status_code == 502


def test_one_that_was_set_aside_is_asked_again_after_a_while_or_if_no_other_answers(monkeypatch) -> None:
    network = Network(a=httpx.ConnectError("refused"), b=httpx.ConnectError("refused"))
    ask(network, times=3)
    assert network.asked == {"a": 3, "b": 3}
    monkeypatch.setattr(replicas, "ASIDE", 0.0)
    network = Network(a=httpx.ConnectError("refused"), b=200)
    ask(network, times=40)
    assert network.asked["a"] > 5


def test_what_must_not_arrive_twice_is_repeated_only_if_it_cannot_have_arrived() -> None:
    for failure in (httpx.ReadError("reset"), httpx.ReadTimeout("slow"), 503):
        network = Network(a=failure, b=failure)
        ask(network, repeatable=False)
        assert network.asked.total() == 1
    network = Network(a=httpx.ConnectError("refused"), b=httpx.ConnectTimeout("slow"))
    ask(network, repeatable=False)
    assert network.asked.total() == 2


def test_an_answer_with_a_fault_is_not_taken() -> None:
    network = Network(a=200, b=200)
    answers, _ = ask(network, times=10, fault=lambda answer: "another shard" if answer.text == "a" else None)
    assert {answer.text for answer in answers} == {"b"}
    (error,), _ = ask(network, fault=lambda answer: "another shard")
    assert str(error).count("another shard") == 2
    assert error.unavailable is None
