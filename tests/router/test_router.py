"""A router before servers of portions of one bundle: answers are those of one server with the whole bundle."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from adi.bundle.portion import Portion, Shard
from adi.router import dispatcher

EVENT = {"user": "ana", "events": [{"item": "pen", "domain": "kiosk"}]}


@pytest.fixture(scope="module")
def shards(bundles, serving):
    """Two servers of a shard each, for search and feed, and one of the kiosk."""
    halves = [serving(bundles[0], portion=Portion(("search", "feed"), Shard(number, 2))) for number in (1, 2)]
    return *halves, serving(bundles[0], portion=Portion(("kiosk",)))


@pytest.fixture(scope="module")
def router(shards, routing):
    first, second, kiosk = shards
    return routing({"search": [[first], [second]], "feed": [[first], [second]], "kiosk": [[kiosk]]})


REQUESTS = [
    {"user": "ana", "k": 3},
    {"user": "ana"},
    {"user": "ana", "domains": ["feed"], "exclude_seen": False, "k": 1},
    {"user": "bo b", "domains": ["kiosk", "search"], "exclude_seen": True, "exclude": ["pen", "nothing"]},
    {
        "history": ["pen", "mug", "unknown"],
        "filter": "price >= 2",
        "exclude_seen": False,
        "domains": ["search", "feed"],
    },
    {"user": "cy", "context": {"device": "phone", "hour": 7}, "k": 1000},
    {"user": "cy", "explain": True, "domains": ["search", "search"]},
]


@pytest.mark.parametrize("request_body", REQUESTS, ids=str)
def test_an_answer_is_that_of_one_server(router, served, request_body) -> None:
    expected = served.ask("/v1/retrieve", request_body)
    answer = router.ask("/v1/retrieve", request_body)
    assert (answer.status, answer.body) == (200, expected.body)
    assert list(answer.body["results"][0]["domains"]) == list(expected.body["results"][0]["domains"])


def test_a_batch_is_answered_in_order(router, served) -> None:
    body = {"requests": REQUESTS}
    assert router.ask("/v1/retrieve", body).body == served.ask("/v1/retrieve", body).body


def test_a_bad_request_of_a_batch_does_not_fail_the_others(router, served) -> None:
    bad = [{"user": "nobody"}, {"user": "ana", "domains": ["serch"]}, {"user": "ana", "filter": "nope = 1"}]
    good = [{"user": "ana", "k": 2}, {"user": "cy", "domains": ["kiosk"]}, {"user": "dan", "domains": ["search"]}]
    mixed = [request for pair in zip(good, bad, strict=True) for request in pair]
    answer = router.ask("/v1/retrieve", {"requests": mixed})
    assert answer.status == 200
    assert answer.body["results"][::2] == served.ask("/v1/retrieve", {"requests": good}).body["results"]
    problems = answer.body["results"][1::2]
    assert [(problem["status"], problem["title"]) for problem in problems] == [(422, "Cannot be answered")] * 3
    assert [problem["detail"] for problem in problems] == [
        served.ask("/v1/retrieve", request).body["detail"] for request in bad
    ]


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"{", 400, "Invalid JSON"),
        ({"user": "ana", "k": 0}, 422, "k: Input should be greater than or equal to 1"),
        ({"user": "ana", "domains": ["serch"]}, 422, "domain 'serch' is not one of search, feed, kiosk. Did you mean"),
        ({"user": "nobody"}, 422, "user 'nobody' is not known: give the history of a new user."),
        ({"requests": [{"user": "nobody"}, {"user": "noone"}]}, 422, "user 'nobody' is not known"),
        (b'{"user": "' + b"a" * (1 << 20) + b'"}', 413, "The body has more than 1,048,576 bytes"),
    ],
)
def test_a_problem_of_a_client_is_answered_as_by_a_server(router, body, status: int, detail: str) -> None:
    answer = router.ask("/v1/retrieve", body)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.body["detail"].startswith(detail)


def test_a_server_refuses_domains_of_others_and_names_its_own(shards) -> None:
    answer = shards[2].ask("/v1/retrieve", {"user": "ana", "domains": ["feed"]})
    assert answer.status == 422
    assert answer.body["detail"] == (
        "domain 'feed' is not served here. This server has kiosk: ask one that has 'feed'."
    )
    assert list(shards[2].ask("/v1/retrieve", {"user": "ana"}).body["results"][0]["domains"]) == ["kiosk"]
    assert shards[2].ask("/v1/domains").body["items"] == {"kiosk": 1}


def test_a_server_says_which_portion_it_has(shards) -> None:
    state = shards[1].ask("/readyz").body
    assert (state["domains"], state["shard"]) == (["search", "feed"], "2/2")
    assert shards[1].ask("/v1/bundle").body["shard"] == "2/2"
    assert shards[1].ask("/v1/retrieve", {"user": "ana"}).headers["x-adi-shard"] == "2/2"
    assert "x-adi-shard" not in shards[2].ask("/v1/retrieve", {"user": "ana"}).headers


def test_the_token_is_passed_on(bundles, serving, routing) -> None:
    router = routing({"search": [[serving(bundles[0], token="sesame")]]})
    refused = router.ask("/v1/retrieve", {"user": "ana"})
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert router.ask("/v1/retrieve", {"user": "ana"}, headers={"Authorization": "Bearer sesame"}).status == 200
    assert router.ask("/v1/events", EVENT).status == 401
    assert router.ask("/v1/events", EVENT, headers={"Authorization": "Bearer sesame"}).status == 204


def test_readiness_names_what_no_server_answers_for(router, shards, routing) -> None:
    version = shards[0].ask("/readyz").body["version"]
    assert router.ask("/healthz").body == {"status": "up"}
    assert router.ask("/readyz").body == {
        "status": "ready",
        "versions": [version],
        "domains": ["search", "feed", "kiosk"],
    }
    first, second, kiosk = shards
    swapped = routing({"search": [[second], [first]], "kiosk": [["http://127.0.0.1:9", kiosk]], "feed": [[kiosk]]})
    answer = swapped.ask("/readyz")
    assert answer.status == 503
    assert answer.body["detail"] == (
        f"domain search, shard 1/2: http://127.0.0.1:{second.port} has shard 2/2; "
        f"domain search, shard 2/2: http://127.0.0.1:{first.port} has shard 1/2; "
        f"domain feed: http://127.0.0.1:{kiosk.port} serves kiosk."
    )
    assert swapped.ask("/v1/retrieve", {"user": "ana", "domains": ["kiosk"]}).status == 200
    refused = swapped.ask("/v1/retrieve", {"user": "ana", "domains": ["search"]})
    assert refused.status == 503
    assert "has shard 2/2, and 1/2 in the routing file" in refused.body["detail"]


def test_a_shard_that_ends_gives_a_clear_error_and_comes_back(bundles, serving, routing, served, shards) -> None:
    last = serving(bundles[0], portion=Portion(("search",), Shard(2, 2)))
    router = routing({"search": [[shards[0]], [last]], "kiosk": [[shards[2]]]})
    body = {"user": "ana", "domains": ["search"]}
    expected = served.ask("/v1/retrieve", body).body
    assert router.ask("/v1/retrieve", body).body == expected
    last.stop()
    answer = router.ask("/v1/retrieve", body)
    assert (answer.status, answer.body["title"], answer.headers["retry-after"]) == (503, "No server answers", "1")
    assert answer.body["detail"].startswith(
        f"No server of shard 2/2 of domain search answers: http://127.0.0.1:{last.port} (ConnectError"
    )
    batch = router.ask("/v1/retrieve", {"requests": [body, {"user": "cy", "domains": ["kiosk"]}]}).body["results"]
    assert batch[0]["status"] == 503
    assert list(batch[1]["domains"]) == ["kiosk"]
    assert router.ask("/readyz").status == 503
    again = serving(bundles[0], portion=Portion(("search",), Shard(2, 2)), port=last.port)
    assert again.port == last.port
    assert router.ask("/v1/retrieve", body).body == expected
    assert router.ask("/readyz").status == 200


def test_versions_are_not_mixed(bundles, serving, routing, monkeypatch) -> None:
    monkeypatch.setattr(dispatcher, "PAUSES", (0.01,) * 24)  # of two replicas any may be asked each time
    servers = [serving(bundles[0], portion=Portion(("search",), Shard(number, 2))) for number in (1, 2)]
    router = routing({"search": [[servers[0]], [servers[1]]]})
    old, new = (json.loads((bundle / "bundle.json").read_text())["version"] for bundle in bundles)
    servers[0].service.swap(bundles[1])
    answer = router.ask("/v1/retrieve", {"user": "ana"})
    assert (answer.status, answer.body["title"]) == (503, "Answers differ")
    assert f"answers with version '{new}', and http://127.0.0.1:{servers[1].port} with '{old}'" in answer.body["detail"]
    replica = serving(bundles[1], portion=Portion(("search",), Shard(2, 2)))
    router = routing({"search": [[servers[0]], [servers[1], replica]]})
    for _ in range(5):  # whichever replica is asked first
        answer = router.ask("/v1/retrieve", {"user": "ana"})
        assert answer.status == 200
        assert answer.body["results"][0]["version"] == new


def test_a_hanging_server_is_replaced(bundles, serving, routing, held) -> None:
    hanging, other = serving(bundles[0]), serving(bundles[0])
    router = routing({"search": [[hanging, other]]}, try_timeout=1.0)
    released = held(hanging)
    started = time.perf_counter()
    try:
        assert [router.ask("/v1/retrieve", {"user": "ana"}).status for _ in range(6)] == [200] * 6
    finally:
        released.set()
    assert time.perf_counter() - started < 5  # it waits once, and not for each of the six
    shown = router.ask("/metrics").body
    assert 'adi_requests_total{status="200"} 6.0' in shown
    assert f'adi_router_tries_total{{outcome="answered",server="http://127.0.0.1:{other.port}"}} 6.0' in shown


def test_limits(routing, served, held) -> None:
    slow = routing({"search": [[served]]}, timeout=0.2)
    narrow = routing({"search": [[served]]}, in_flight=1)
    released = held(served)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(narrow.ask, "/v1/retrieve", {"user": "ana"})
        try:
            while "adi_requests_in_flight 1.0" not in narrow.ask("/metrics").body:
                time.sleep(0.01)
            busy, late = (router.ask("/v1/retrieve", {"user": "ana"}) for router in (narrow, slow))
        finally:
            released.set()
    assert first.result().status == 200
    assert (busy.status, busy.body["title"]) == (503, "Busy")
    assert (late.status, late.body["title"]) == (503, "Too slow")


def test_a_client_with_too_many_requests(routing, served) -> None:
    router = routing({"search": [[served]]}, client_rate=0.2)  # two in ten seconds
    body = {"user": "ana"}
    assert router.ask("/v1/retrieve", {"requests": [body] * 2}).status == 200
    refused = router.ask("/v1/retrieve", body)
    assert (refused.status, refused.body["title"]) == (429, "Too many requests")
    assert int(refused.headers["retry-after"]) >= 1
    assert router.ask("/readyz").status == 200
    assert 'adi_requests_refused_total{reason="client"} 1.0' in router.ask("/metrics").body
