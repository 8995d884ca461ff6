"""The HTTP interface: answers, problems, metrics, limits, and bundles that change under load."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adi.errors import AdiError
from adi.retrieval.retriever import Retriever


def ranked(top):
    """The wire form of a top-K."""
    return {"items": list(top.ids), "scores": pytest.approx(list(top.scores))}


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
def test_lists_are_those_of_the_retriever_in_each_domain(served, bundles, more) -> None:
    reply = served.ask("/v1/retrieve", {"user": "ana", "k": 4, **more})
    assert reply.status == 200
    retriever = Retriever(bundles[0])
    arguments = more | ({"context": {"device": "mobile", "hour": "9"}} if "context" in more else {})
    tops = {domain: retriever.retrieve(domain, user="ana", k=4, **arguments) for domain in retriever.dataset.domains}
    (result,) = reply.body["results"]
    assert result["domains"] == {domain: ranked(top) for domain, top in tops.items()}
    assert result["ignored"] == list(tops["search"].ignored)
    assert (result["version"], result["arm"]) == (retriever.engine.version, None)
    feed = served.ask("/v1/retrieve", {"user": "ana", "k": 4, "domains": ["feed"], **more})
    assert feed.body["results"][0]["domains"] == {"feed": result["domains"]["feed"]}


def test_several_requests_are_answered_in_order(served) -> None:
    requests = [{"user": "ana", "k": 2}, {"history": ["mug"], "domains": ["kiosk"]}, {"user": "bo b", "k": 1}]
    reply = served.ask("/v1/retrieve", {"requests": requests})
    assert reply.body["results"] == [served.ask("/v1/retrieve", each).body["results"][0] for each in requests]


@pytest.mark.parametrize("body", [b'{"user": "requests", "history": []}', b'{"history": ["requests"]}'])
def test_one_request_may_contain_the_word_requests(served, body) -> None:
    assert served.ask("/v1/retrieve", body).status == 200


def test_a_batch_may_begin_with_white_space(served) -> None:
    reply = served.ask("/v1/retrieve", b'\n { \n "requests" : [{"user": "ana"}, {"user": "eve"}]}')
    assert (reply.status, len(reply.body["results"])) == (200, 2)


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
        (422, {"requests": [{"user": "ana"}, {"user": "eve", "bid_weight": 1.0}]}, "requests.1: bid_weight: 1"),
        (422, [], "the body: Input should be an object"),
        (400, b'{"user": "ana"', "Invalid JSON"),
        (400, b"", "Invalid JSON"),
        (400, b"\xff\xfe", "Invalid JSON"),
        (413, {"user": "ana", "history": ["x" * 100] * 20_000}, "more than 1,048,576 bytes"),
    ],
)
def test_a_failed_request_is_answered_with_a_problem(served, status, body, words) -> None:
    reply = served.ask("/v1/retrieve", body)
    assert reply.status == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert set(reply.body) == {"type", "title", "status", "detail"}
    assert reply.body["status"] == status
    assert words in reply.body["detail"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v2", 404), ("DELETE", "/v1/retrieve", 405)])
def test_an_unknown_path_or_method_is_a_problem(served, method, path, status) -> None:
    reply = served.ask(path, method=method)
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    assert reply.headers.get("allow") == ("POST" if status == 405 else None)


def test_a_filter_that_matches_nothing_gives_empty_lists(served) -> None:
    reply = served.ask("/v1/retrieve", {"user": "ana", "filter": "bid > 1e9", "domains": ["search"]})
    assert reply.body["results"][0]["domains"] == {"search": {"items": [], "scores": []}}


def test_health_domains_and_bundle(served, bundles) -> None:
    engine = Retriever(bundles[0]).engine
    assert served.ask("/healthz").body == {"status": "up"}
    assert served.ask("/readyz").body == {
        "status": "ready",
        "version": engine.version,
        "domains": ["search", "feed", "kiosk"],
        "shard": None,
        "watch": None,
    }
    domains = served.ask("/v1/domains").body
    assert domains["items"] == {name: domain.items for name, domain in engine.info.domains.items()}
    bundle = served.ask("/v1/bundle").body
    assert (bundle["model"], bundle["version"]) == ("dnn", engine.version)
    recalls = {name: index["recall"] for name, index in bundle["indexes"].items()}
    assert recalls == dict.fromkeys(domains["items"], 1.0)


def test_events_count_from_the_next_request_on(serving, bundles) -> None:
    server, retriever = serving(bundles[0]), Retriever(bundles[0])
    events = [{"item": "pen", "domain": "feed"}, {"item": "new here", "domain": "search"}]
    assert server.ask("/v1/events", {"user": "ana", "events": events}).status == 204
    assert server.ask("/v1/events", {"user": "who", "events": events[:1]}).status == 204
    recent = [("pen", "feed"), ("new here", "search")]
    for user, user_events in (("ana", recent), ("who", recent[:1])):
        (result,) = server.ask("/v1/retrieve", {"user": user, "domains": ["search"]}).body["results"]
        top = retriever.retrieve("search", user=user, recent=user_events)
        assert result == {
            "version": retriever.engine.version,
            "arm": None,
            "domains": {"search": ranked(top)},
            "ignored": list(top.ignored),
            "without_events": False,
            "without_trends": False,
        }
    assert "pen" not in result["domains"]["search"]["items"]
    (result,) = server.ask("/v1/retrieve", {"user": "ana", "history": ["mug"], "domains": ["feed"]}).body["results"]
    assert result["domains"]["feed"] == ranked(retriever.retrieve("feed", user="ana", history=["mug"]))


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
def test_invalid_events_are_refused(served, status, body, words) -> None:
    reply = served.ask("/v1/events", body)
    assert reply.status == status
    assert words in reply.body["detail"]


def test_requests_are_counted(serving, bundles) -> None:
    server = serving(bundles[0])
    for body in ({"user": "ana", "domains": ["feed"]}, {"user": "bo b", "domains": ["feed"]}, {"user": "nobody"}):
        server.ask("/v1/retrieve", body)
    text = server.ask("/metrics").body
    for line in (
        'adi_requests_total{status="200"} 2.0',
        'adi_requests_total{status="422"} 1.0',
        'adi_retrieve_seconds_count{arm="",domain="feed"} 2.0',
        'adi_stage_seconds_count{stage="work"} 3.0',
        f'adi_bundle{{arm="",version="{server.service.bundle().version}"}} 1.0',
        "adi_requests_in_flight 0.0",
    ):
        assert line in text.splitlines()


def test_stages_add_up_in_each_domain(serving, bundles) -> None:
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
    samples = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")

    def histogram(field: str, name: str) -> dict[str, float]:
        """A histogram's `_count` or `_sum` by its labels."""
        start = f"adi_{name}_seconds_{field}{{"
        return {key.removeprefix(start)[:-1]: float(value) for key, value in samples.items() if key.startswith(start)}

    lists = {"search": 2, "feed": 3, "kiosk": 1}
    stages = ("features", "tower", "neighbours", "index", "output")
    expected = {f'arm="",domain="{name}",stage="{stage}"': count for name, count in lists.items() for stage in stages}
    assert histogram("count", "retrieve_stage") == expected | {'arm="",domain="feed",stage="filter"': 1}
    stage_seconds = histogram("sum", "retrieve_stage")
    assert min(stage_seconds.values()) > 0
    for domain, total in histogram("sum", "retrieve").items():
        assert sum(value for key, value in stage_seconds.items() if key.startswith(domain)) == pytest.approx(total)
    counts = {"queue": 4, "work": 4, "read": 5, "events": 3, "write": 3}
    assert histogram("count", "stage") == {f'stage="{name}"': count for name, count in counts.items()}
    seconds = histogram("sum", "stage")
    assert seconds['stage="work"'] >= seconds['stage="events"'] + sum(stage_seconds.values())


def test_every_metric_is_documented(served) -> None:
    page = Path(__file__).parents[2] / "docs" / "operations.md"
    documented = re.findall(r"`(adi_\w+)", page.read_text(encoding="utf-8"))
    names = set(re.findall(r"^# TYPE (adi_\w+)(?<!_created) ", served.ask("/metrics").body, re.MULTILINE))
    assert names - set(documented) == set()
    assert len(names) >= 8


def test_a_full_queue_rejects_requests(serving, bundles, held) -> None:
    server = serving(bundles[0], workers=1, waiting=1)
    released = held(server)
    with ThreadPoolExecutor(2) as pool:
        accepted = [pool.submit(server.ask, "/v1/retrieve", {"user": "ana"}) for _ in range(2)]
        while server.ask("/metrics").body.find("adi_requests_in_flight 2.0") < 0:
            time.sleep(0.01)
        rejected = server.ask("/v1/retrieve", {"user": "ana"})
        released.set()
        assert [each.result().status for each in accepted] == [200, 200]
    assert (rejected.status, rejected.headers["retry-after"]) == (503, "1")
    assert "2 requests are queued or being answered" in rejected.body["detail"]
    assert server.ask("/v1/retrieve", {"user": "ana"}).status == 200


def test_a_request_that_times_out_leaves_room_once_it_ends(serving, bundles, held) -> None:
    server = serving(bundles[0], workers=1, waiting=0, timeout=0.2)
    released = held(server)
    slow = server.ask("/v1/retrieve", {"user": "ana"})
    assert (slow.status, slow.body["title"]) == (503, "Too slow")
    assert server.ask("/v1/retrieve", {"user": "ana"}).body["title"] == "Busy"  # it is still at work
    released.set()
    while (reply := server.ask("/v1/retrieve", {"user": "ana"})).status == 503:
        time.sleep(0.01)
    assert reply.status == 200


def test_a_batch_answers_each_request_as_if_alone(served) -> None:
    requests = [
        {"user": "ana", "k": 4},
        {"user": "eve", "k": 4, "domains": ["feed", "search", "feed"]},
        {"history": ["mug", "gold"], "k": 2, "domains": ["kiosk"]},
        {"user": "ana", "k": 4, "domains": ["search"], "exclude": ["ink"], "filter": "price > 0"},
    ]
    results = served.ask("/v1/retrieve", {"requests": requests}).body["results"]
    for request, result in zip(requests, results, strict=True):
        alone = served.ask("/v1/retrieve", request).body["results"][0]
        assert list(result["domains"]) == list(alone["domains"])
        for domain, top in alone["domains"].items():
            assert result["domains"][domain] == {"items": top["items"], "scores": pytest.approx(top["scores"])}
        assert result["ignored"] == alone["ignored"]
    assert results[2]["ignored"] == ["gold"]


def test_a_swap_under_load_loses_and_mixes_no_request(serving, bundles, tmp_path: Path) -> None:
    server = serving(bundles[0])
    request = {"user": "ana", "k": 5, "domains": ["search", "feed"]}
    expected = {}
    for path in bundles:
        retriever = Retriever(path)
        tops = {domain: retriever.retrieve(domain, user="ana", k=5) for domain in request["domains"]}
        expected[retriever.engine.version] = {domain: ranked(top) for domain, top in tops.items()}
    assert len(expected) == 2
    done, replies = threading.Event(), []

    def load() -> None:
        while not done.is_set():
            replies.append(server.ask("/v1/retrieve", request))

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


def test_a_fault_that_nobody_foresaw_is_a_problem_counted_and_logged(served, monkeypatch, caplog) -> None:
    def broken(*_: object) -> None:
        raise KeyError("nobody foresaw this")

    monkeypatch.setattr(served.service, "answer", broken)
    reply = served.ask("/v1/retrieve", {"user": "ana"})
    assert (reply.status, reply.headers["content-type"]) == (500, "application/problem+json")
    assert reply.body["detail"] == "KeyError: a fault of the server, whose log has it."
    assert 'adi_requests_total{status="500"} 1.0' in served.ask("/metrics").body
    assert "nobody foresaw this" in caplog.text
