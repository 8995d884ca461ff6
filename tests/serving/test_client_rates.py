"""Limits on the requests of each client."""

import pytest
from starlette.requests import Request

from adi.serving import client_rates
from adi.serving.client_rates import ClientRates, client_of
from adi.serving.metrics import Metrics


def request_of(host: str | None) -> Request:
    return Request({"type": "http", "client": None if host is None else (host, 1234), "headers": []})


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moments = [1000.0]
    monkeypatch.setattr(client_rates, "monotonic", lambda: moments[0])
    return moments


def test_a_bucket_fills_up_with_time_and_may_be_in_debt(now: list[float]) -> None:
    rates, ana, bo = ClientRates(2.0, Metrics().refused), request_of("10.0.0.1"), request_of("10.0.0.2")
    assert rates.charge(ana, 1) == 19  # of ten seconds
    assert rates.charge(ana, 64) == -45
    assert rates.charge(bo, 1) == 19
    now[0] += 20
    assert rates.charge(ana, 0) == -5
    now[0] += 1000
    assert rates.charge(ana, 0) == 20


def test_the_clients_that_asked_last_are_remembered(now: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_rates, "MOST_CLIENTS", 2)
    rates = ClientRates(1.0, Metrics().refused)
    for host in ("a", "b", "a", "c"):
        rates.charge(request_of(host), 1)
    assert [rates.charge(request_of(host), 0) for host in ("a", "b")] == [8, 10]


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
        ("", ""),
        ("unix", "unix"),
        (None, ""),
    ],
)
def test_a_client_is_its_address_or_its_network(host, client) -> None:
    assert client_of(request_of(host)) == client


def test_more_requests_than_the_limit_are_refused(serving, bundles, now: list[float]) -> None:
    server = serving(bundles[0], client_rate=0.25)  # two and a half in ten seconds
    body = {"user": "ana"}
    assert server.ask("/v1/retrieve", {"requests": [body] * 2}).status == 200
    refused = server.ask("/v1/retrieve", body)
    assert (refused.status, refused.headers["retry-after"]) == (429, "2")
    assert refused.body["detail"] == "More than 0.25 requests per second. Retry in 2.0 seconds."
    assert server.ask("/v1/domains").status == 429
    assert server.ask("/healthz").status == 200
    elsewhere = {"X-Forwarded-For": "203.0.113.7"}  # believed, as this machine's proxies are
    assert server.ask("/v1/retrieve", body, headers=elsewhere).status == 200
    now[0] += 2
    assert server.ask("/v1/domains").status == 200
    metrics = server.ask("/metrics", headers={"X-Forwarded-For": "203.0.113.8"}).body
    assert 'adi_requests_refused_total{reason="client"} 2.0' in metrics
    assert 'adi_requests_total{status="429"} 2.0' in metrics


def test_a_client_without_the_token_takes_nothing_from_the_others(serving, bundles, now: list[float]) -> None:
    server = serving(bundles[0], client_rate=0.1, token="sesame")
    assert [server.ask("/v1/domains").status for _ in range(3)] == [401] * 3
    assert server.ask("/v1/domains", headers={"Authorization": "Bearer sesame"}).status == 200


def test_there_is_no_limit_by_default(serving, bundles, now: list[float]) -> None:
    server = serving(bundles[0])
    assert {server.ask("/v1/domains").status for _ in range(100)} == {200}
