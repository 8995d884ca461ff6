"""The HTTP interface: what it answers, and what it says to everything that it does not."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adi.errors import AdiError
from adi.retrieval.retriever import Retriever


def as_answer(top):
    return {"items": [one.item for one in top.items], "scores": pytest.approx([one.score for one in top.items])}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"context": {"device": "mobile", "hour": 9}},
        {"exclude": ["pen", "no such item"], "exclude_seen": False},
        {"filter": "bid >= 0.5"},
        {"history": ["pen", "nothing", "mug"]},
    ],
)
def test_a_user_gets_in_each_domain_what_the_retriever_gives(served, bundles, more) -> None:
    reply = served.ask("/v1/retrieve", {"user": "ana", "k": 4, **more})
    assert reply.status == 200
    retriever = Retriever(bundles[0])
    told = more | ({"context": {"device": "mobile", "hour": "9"}} if "context" in more else {})
    tops = {domain: retriever.retrieve(domain, user="ana", k=4, **told) for domain in retriever.dataset.domains}
    (result,) = reply.body["results"]
    assert result["domains"] == {domain: as_answer(top) for domain, top in tops.items()}
    assert result["ignored"] == list(tops["search"].ignored)
    assert (result["version"], result["arm"]) == (retriever.engine.version, None)
    few = served.ask("/v1/retrieve", {"user": "ana", "k": 4, "domains": ["feed"], **more})
    assert few.body["results"][0]["domains"] == {"feed": result["domains"]["feed"]}


def test_several_requests_are_answered_in_order(served) -> None:
    asks = [{"user": "ana", "k": 2}, {"history": ["mug"], "domains": ["kiosk"]}, {"user": "bo b", "k": 1}]
    reply = served.ask("/v1/retrieve", {"requests": asks})
    assert reply.body["results"] == [served.ask("/v1/retrieve", ask).body["results"][0] for ask in asks]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (422, {"user": "ana", "domains": ["serch"]}, "domain 'serch' is not one of search, feed, kiosk. Did you mean"),
        (422, {"user": "nobody"}, "user 'nobody' is not known: give the history of a new user"),
        (422, {}, "no user: give the history"),
        (422, {"user": "ana", "k": 0}, "k: Input should be greater than or equal to 1"),
        (422, {"user": "ana", "k": 1001}, "k: Input should be less than or equal to 1000"),
        (422, {"user": 7}, "user: Input should be a valid string"),
        (422, {"user": "ana", "kk": 3}, "kk: Extra inputs are not permitted"),
        (422, {"user": "ana", "domains": []}, "domains: List should have at least 1 item"),
        (422, {"user": "ana", "history": "pen"}, "history: Input should be a valid array"),
        (422, {"user": "ana", "context": {"hour": [1]}}, "context.hour: Input should be a valid string"),
        (422, {"user": "ana", "context": {"hour": "noon"}}, "context 'hour': 'noon' is not a number"),
        (422, {"user": "ana", "context": {"sky": "blue"}}, "context 'sky' is not a context feature"),
        (422, {"user": "ana", "filter": "bit > 1"}, "no column 'bit'. Did you mean 'bid'?"),
        (422, {"user": "ana", "filter": "bid > 1; drop table items"}, "filter, character 8"),
        (422, {"user": "ana", "filter": "(" * 1500}, "filter, character"),
        (422, {"requests": []}, "requests: List should have at least 1 item"),
        (422, {"requests": [{"user": "ana"}] * 65}, "requests: List should have at most 64 items"),
        (422, {"requests": [{"user": "ana"}, {"user": "nobody"}]}, "requests.1: user 'nobody'"),
        (422, [], "the body: Input should be an object"),
        (400, b'{"user": "ana"', "Invalid JSON"),
        (400, b"", "Invalid JSON"),
        (400, b"\xff\xfe", "Invalid JSON"),
        (413, {"user": "ana", "history": ["x" * 100] * 20_000}, "more than 1,048,576 bytes"),
    ],
)
def test_what_cannot_be_answered_is_a_problem_that_says_why(served, status, body, words) -> None:
    reply = served.ask("/v1/retrieve", body)
    assert reply.status == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert set(reply.body) == {"type", "title", "status", "detail"}
    assert reply.body["status"] == status
    assert words in reply.body["detail"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v2", 404), ("DELETE", "/v1/retrieve", 405)])
def test_what_is_not_there_is_a_problem_too(served, method, path, status) -> None:
    reply = served.ask(path, method=method)
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    assert reply.headers.get("allow") == ("POST" if status == 405 else None)


def test_a_filter_that_matches_nothing_gives_nothing(served) -> None:
    reply = served.ask("/v1/retrieve", {"user": "ana", "filter": "bid > 1e9", "domains": ["search"]})
    assert reply.body["results"][0]["domains"] == {"search": {"items": [], "scores": []}}


def test_what_the_server_says_of_itself(served, bundles) -> None:
    engine = Retriever(bundles[0]).engine
    assert served.ask("/healthz").body == {"status": "up"}
    assert served.ask("/readyz").body == {"status": "ready", "version": engine.version}
    domains = served.ask("/v1/domains").body
    assert domains["items"] == {name: own.items for name, own in engine.info.domains.items()}
    about = served.ask("/v1/bundle").body
    assert (about["model"], about["version"]) == ("dnn", engine.version)
    assert {name: own["recall"] for name, own in about["indexes"].items()} == dict.fromkeys(domains["items"], 1.0)
    schema = served.ask("/openapi.json").body
    assert "/v1/retrieve" in schema["paths"]


def test_what_a_user_does_counts_at_the_next_request(serving, bundles) -> None:
    server, retriever = serving(bundles[0]), Retriever(bundles[0])
    events = [{"item": "pen", "domain": "feed"}, {"item": "new here", "domain": "search"}]
    assert server.ask("/v1/events", {"user": "ana", "events": events}).status == 204
    assert server.ask("/v1/events", {"user": "who", "events": events[:1]}).status == 204
    recent = [("pen", "feed"), ("new here", "search")]
    for user, own in (("ana", recent), ("who", recent[:1])):
        (result,) = server.ask("/v1/retrieve", {"user": user, "domains": ["search"]}).body["results"]
        top = retriever.retrieve("search", user=user, recent=own)
        assert result == {
            "version": retriever.engine.version,
            "arm": None,
            "domains": {"search": as_answer(top)},
            "ignored": list(top.ignored),
            "without_events": False,
        }
    assert "pen" not in result["domains"]["search"]["items"]
    (given,) = server.ask("/v1/retrieve", {"user": "ana", "history": ["mug"], "domains": ["feed"]}).body["results"]
    assert given["domains"]["feed"] == as_answer(retriever.retrieve("feed", user="ana", history=["mug"]))


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            422,
            {"user": "ana", "events": [{"item": "pen", "domain": "serch"}]},
            "events.0.domain: 'serch' is not one of",
        ),
        (422, {"user": "ana", "events": []}, "events: List should have at least 1 item"),
        (422, {"events": [{"item": "pen", "domain": "feed"}]}, "user: Field required"),
        (400, b"{", "Invalid JSON"),
    ],
)
def test_events_that_are_none_are_refused(served, status, body, words) -> None:
    reply = served.ask("/v1/events", body)
    assert reply.status == status
    assert words in reply.body["detail"]


def test_requests_are_counted(serving, bundles) -> None:
    server = serving(bundles[0])
    for ask in ({"user": "ana", "domains": ["feed"]}, {"user": "bo b", "domains": ["feed"]}, {"user": "nobody"}):
        server.ask("/v1/retrieve", ask)
    text = server.ask("/metrics").body
    for line in (
        'adi_requests_total{status="200"} 2.0',
        'adi_requests_total{status="422"} 1.0',
        'adi_retrieve_seconds_count{arm="",domain="feed"} 2.0',
        'adi_stage_seconds_count{stage="work"} 3.0',
        f'adi_bundle{{arm="",version="{server.service.live.version}"}} 1.0',
        "adi_requests_in_flight 0.0",
    ):
        assert line in text.splitlines()


def test_stages_are_measured_by_domain_and_add_up(serving, bundles) -> None:
    server = serving(bundles[0])
    for more in (
        {},
        {"filter": "bid >= 0.5", "domains": ["feed"]},
        {"history": ["mug"], "domains": ["feed", "search"]},
    ):
        assert server.ask("/v1/retrieve", {"user": "ana", **more}).status == 200
    server.ask("/v1/events", {"user": "ana", "events": [{"item": "pen", "domain": "feed"}]})
    server.ask("/v1/retrieve", b"{")
    text = server.ask("/metrics").body
    found = {key: float(value) for key, value in (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")}

    def of(kind: str, name: str) -> dict[str, float]:
        """The values of a histogram's `_count` or `_sum`, by its labels."""
        start = f"adi_{name}_seconds_{kind}{{"
        return {key.removeprefix(start)[:-1]: value for key, value in found.items() if key.startswith(start)}

    times = {"search": 2, "feed": 3, "kiosk": 1}
    always = ("features", "tower", "index", "output")
    expected = {f'arm="",domain="{name}",stage="{stage}"': own for name, own in times.items() for stage in always}
    assert of("count", "retrieve_stage") == expected | {'arm="",domain="feed",stage="filter"': 1}
    parts = of("sum", "retrieve_stage")
    assert min(parts.values()) > 0
    for domain, whole in of("sum", "retrieve").items():
        assert sum(own for key, own in parts.items() if key.startswith(domain)) == pytest.approx(whole)
    stages = {"queue": 4, "work": 4, "read": 5, "events": 3, "write": 3}
    assert of("count", "stage") == {f'stage="{name}"': own for name, own in stages.items()}
    told = of("sum", "stage")
    assert told['stage="work"'] >= told['stage="events"'] + sum(parts.values())


def test_every_metric_is_described(served) -> None:
    described = re.findall(
        r"`(adi_\w+)", (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
    )
    names = set(re.findall(r"^# TYPE (adi_\w+)(?<!_created) ", served.ask("/metrics").body, re.MULTILINE))
    assert names - set(described) == set()
    assert len(names) >= 8


def test_with_a_token_only_its_bearers_are_answered(serving, bundles) -> None:
    server = serving(bundles[0], token="sesame")
    ask = {"user": "ana", "k": 1}
    for headers in ({}, {"Authorization": "Bearer open"}, {"Authorization": "Bearer Sesame"}):
        for path, body in (("/v1/retrieve", ask), ("/v1/bundle", None), ("/v1/domains", None), ("/metrics", None)):
            reply = server.ask(path, body, headers=headers)
            assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert server.ask("/v1/retrieve", ask, headers={"Authorization": "Bearer sesame"}).status == 200
    assert server.ask("/healthz").status == server.ask("/readyz").status == 200


def test_past_its_limits_it_says_when_to_come_back(serving, bundles, held) -> None:
    server = serving(bundles[0], workers=1, waiting=1)
    go = held(server)
    with ThreadPoolExecutor(2) as pool:
        accepted = [pool.submit(server.ask, "/v1/retrieve", {"user": "ana"}) for _ in range(2)]
        while server.ask("/metrics").body.find("adi_requests_in_flight 2.0") < 0:
            time.sleep(0.01)
        turned_away = server.ask("/v1/retrieve", {"user": "ana"})
        go.set()
        assert [each.result().status for each in accepted] == [200, 200]
    assert (turned_away.status, turned_away.headers["retry-after"]) == (503, "1")
    assert "2 requests are waiting or at work" in turned_away.body["detail"]
    assert server.ask("/v1/retrieve", {"user": "ana"}).status == 200


def test_what_takes_too_long_is_given_up_and_its_place_is_free_again(serving, bundles, held) -> None:
    server = serving(bundles[0], workers=1, waiting=0, timeout=0.2)
    go = held(server)
    slow = server.ask("/v1/retrieve", {"user": "ana"})
    assert (slow.status, slow.body["title"]) == (503, "Too slow")
    assert server.ask("/v1/retrieve", {"user": "ana"}).body["title"] == "Busy"  # it is still at work
    go.set()
    while (reply := server.ask("/v1/retrieve", {"user": "ana"})).status == 503:
        time.sleep(0.01)
    assert reply.status == 200


def test_of_several_requests_each_is_answered_as_alone(served) -> None:
    asks = [
        {"user": "ana", "k": 4},
        {"user": "eve", "k": 4, "domains": ["feed", "search", "feed"]},
        {"history": ["mug", "gold"], "k": 2, "domains": ["kiosk"]},
        {"user": "ana", "k": 4, "domains": ["search"], "exclude": ["ink"], "filter": "price > 0"},
    ]
    together = served.ask("/v1/retrieve", {"requests": asks}).body["results"]
    for ask, result in zip(asks, together, strict=True):
        alone = served.ask("/v1/retrieve", ask).body["results"][0]
        assert list(result["domains"]) == list(alone["domains"])
        for domain, answer in alone["domains"].items():
            assert result["domains"][domain] == {"items": answer["items"], "scores": pytest.approx(answer["scores"])}
        assert result["ignored"] == alone["ignored"]
    assert together[2]["ignored"] == ["gold"]


def test_the_request_at_fault_is_named(served) -> None:
    asks = [{"user": "ana"}, {"user": "eve", "bid_weight": 1.0}]
    assert served.ask("/v1/retrieve", {"requests": asks}).body["detail"].startswith("requests.1: bid_weight = 1")


def test_bundles_change_under_load_without_a_lost_request_or_a_mix(serving, bundles, tmp_path: Path) -> None:
    server = serving(bundles[0])
    ask = {"user": "ana", "k": 5, "domains": ["search", "feed"]}
    expected = {}
    for path in bundles:
        retriever = Retriever(path)
        tops = {domain: retriever.retrieve(domain, user="ana", k=5) for domain in ask["domains"]}
        expected[retriever.engine.version] = {domain: as_answer(top) for domain, top in tops.items()}
    assert len(expected) == 2
    done, replies = threading.Event(), []

    def load() -> None:
        while not done.is_set():
            replies.append(server.ask("/v1/retrieve", ask))

    with ThreadPoolExecutor(3) as pool:
        loads = [pool.submit(load) for _ in range(3)]
        for number in range(10):
            server.service.swap(bundles[(number + 1) % 2])
            with pytest.raises(AdiError, match="not a bundle"):
                server.service.swap(tmp_path)
        done.set()
        for each in loads:
            each.result()
    assert {reply.status for reply in replies} == {200}
    results = [reply.body["results"][0] for reply in replies]
    assert {result["version"] for result in results} == set(expected)
    for result in results:
        assert result["domains"] == expected[result["version"]]
