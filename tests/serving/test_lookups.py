"""Lookups over HTTP: ids by prefix, histories, attributes, and a bundle's description of its run."""

import json
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest

from adi.errors import AdiError
from adi.exporting.export import export
from adi.serving.lookups import MAX_EVENTS


@pytest.mark.parametrize(
    ("query", "users"),
    [
        ("prefix=b", ["bo b"]),
        ("prefix=bo%20b", ["bo b"]),
        ("prefix=é", ["éric"]),
        ("prefix=%E6%9D%8E", ["李"]),
        ("prefix=z", ["zoë"]),
        ("prefix=nobody", []),
        ("prefix=\U0010ffff", []),
        ("limit=3", ["ana", "bo b", "cy"]),
        ("prefix=&limit=1", ["ana"]),
    ],
)
def test_users_by_prefix(served, query, users) -> None:
    reply = served.ask(f"/v1/users?{quote(query, safe='=&%')}")
    assert (reply.status, reply.body) == (200, {"users": users})


def test_items_by_prefix(served, dataset) -> None:
    every = [dataset.items.key(number) for number in range(len(dataset.items))]
    assert served.ask("/v1/items?limit=100").body == {"items": every}
    assert served.ask("/v1/items?prefix=m").body == {"items": ["map", "mug"]}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=0", "limit: Input should be greater than or equal to 1"),
        ("limit=101", "limit: Input should be less than or equal to 100"),
        ("limit=many", "limit: Input should be a valid integer"),
        (f"prefix={'x' * 513}", "prefix: String should have at most 512 characters"),
        ("start=a", "start: Extra inputs are not permitted"),
    ],
)
def test_an_invalid_query_is_refused(served, query, words) -> None:
    for path in ("/v1/users", "/v1/items"):
        reply = served.ask(f"{path}?{query}")
        assert (reply.status, reply.headers["content-type"]) == (422, "application/problem+json")
        assert words in reply.body["detail"]


def test_a_history_is_newest_first(served) -> None:
    """Ana's clicks in conftest, without the last of each domain, which are test rows."""
    events = [("mug", "feed"), ("cap", "search"), ("pen", "feed"), ("ink", "search"), ("pen", "search")]
    assert served.ask("/v1/users/ana").body == {
        "user": "ana",
        "known": True,
        "total": 5,
        "history": [{"item": item, "domain": domain, "since": False} for item, domain in events],
        "without_events": False,
    }
    assert served.ask(f"/v1/users/{quote('李')}").body["total"] > 0


def test_a_history_begins_with_new_events_and_is_cut(serving, bundles) -> None:
    server = serving(bundles[0])
    before = server.ask("/v1/users/ana").body
    events = [{"item": "pen", "domain": "feed"}, {"item": "new here", "domain": "search"}]
    for user in ("ana", "a/b ?#%.. new"):
        server.ask("/v1/events", {"user": user, "events": events})
    since = [event | {"since": True} for event in reversed(events)]
    after = server.ask("/v1/users/ana").body
    assert after == before | {"total": before["total"] + 2, "history": since + before["history"]}
    new = server.ask(f"/v1/users/{quote('a/b ?#%.. new', safe='')}").body
    assert new == {"user": "a/b ?#%.. new", "known": False, "total": 2, "history": since, "without_events": False}
    server.ask("/v1/events", {"user": "ana", "events": events * 40})
    full = server.ask("/v1/users/ana").body
    assert (full["total"], len(full["history"])) == (before["total"] + 82, MAX_EVENTS)


def test_an_unknown_user_without_events_is_a_problem(served) -> None:
    for user in ("nobody", "a/b", "%00", ""):
        reply = served.ask(f"/v1/users/{user}")
        assert (reply.status, reply.headers["content-type"]) == (404, "application/problem+json")
    assert served.ask("/v1/users/nobody").body["detail"] == "user 'nobody' is not known and has no events."


def test_attributes_of_the_domain(served) -> None:
    items = ["mug", "no such", "pen", "pen", "été"]
    reply = served.ask("/v1/items", {"domain": "feed", "items": items})
    assert reply.status == 200
    assert reply.body == {
        "items": {
            "mug": {"price": 8.0, "tags": ["blue", "drink", "write"], "bid": 1.0},
            "pen": {"price": 1.0, "tags": ["write", "blue"], "bid": 3.0},
            "été": {"price": None, "tags": ["drink"], "bid": None},
        },
        "unknown": ["no such"],
    }
    search = served.ask("/v1/items", {"domain": "search", "items": ["pen"]}).body["items"]
    assert search == {"pen": {"price": 1.0, "tags": ["write", "blue"], "bid": 1.0}}
    assert served.ask("/v1/items", {"domain": "search", "items": []}).body == {"items": {}, "unknown": []}


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (422, {"domain": "serch", "items": ["pen"]}, "domain 'serch' is not one of search, feed, kiosk. Did you mean"),
        (422, {"domain": "search"}, "items: Field required"),
        (422, {"domain": "search", "items": ["pen"] * 1001}, "items: List should have at most 1000 items"),
        (422, {"domain": "search", "items": [""]}, "items.0: String should have at least 1 character"),
        (400, b"{", "Invalid JSON"),
        (413, {"domain": "search", "items": ["x" * 500] * 3000}, "more than 1,048,576 bytes"),
    ],
)
def test_an_invalid_request_for_attributes_is_refused(served, status, body, words) -> None:
    reply = served.ask("/v1/items", body)
    assert reply.status == status
    assert words in reply.body["detail"]


def test_lookups_are_limited_like_other_requests(serving, bundles, held) -> None:
    server = serving(bundles[0], workers=1, waiting=0, timeout=0.2)
    released = held(server)
    assert server.ask("/v1/retrieve", {"user": "ana"}).body["title"] == "Too slow"
    for path, body in (("/v1/users", None), ("/v1/users/ana", None), ("/v1/items", {"domain": "feed", "items": []})):
        assert server.ask(path, body).body["title"] == "Busy"
    released.set()


def test_a_bundle_describes_its_run(bundles, prepared, tmp_path: Path, serving) -> None:
    run = tmp_path / "run"
    shutil.copytree(bundles[0].parent / "run-0", run)
    metrics = {
        "part": "test",
        "against": "corpus",
        "history": "earlier",
        "ks": [2],
        "domains": {},
        "mean": {"recall@2": 0.5},
    }
    interest = {"user": {"features": ["age"], "values": {"search": [0.25], "feed": [None], "kiosk": [1.0]}}}
    (run / "metrics.json").write_text(json.dumps(metrics | {"breakdown": {"history_length": {}}}))
    (run / "interest.json").write_text(json.dumps(interest))
    info = export(run, tmp_path / "bundle")
    assert {"run/run.json", "run/metrics.json", "run/interest.json"} <= set(info.files)
    bundle = serving(tmp_path / "bundle").ask("/v1/bundle").body
    assert bundle["run"].keys() == {"seed", "created", "parameters", "config", "metrics", "interest"}
    assert (bundle["run"]["seed"], bundle["run"]["metrics"], bundle["run"]["interest"]) == (0, metrics, interest)
    assert bundle["context"] == [
        {"name": "device", "number": False, "values": ["tablet", "phone"]},
        {"name": "hour", "number": True, "values": []},
    ]
    assert bundle["attributes"] == {name: ["item", "price", "tags", "bid"] for name in ("search", "feed", "kiosk")}


def test_a_run_without_evaluation_has_no_metrics(served) -> None:
    run = served.ask("/v1/bundle").body["run"]
    assert (run["seed"], run["metrics"], run["interest"]) == (0, None, None)


def test_a_run_with_invalid_metrics_is_not_exported(bundles, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(bundles[0].parent / "run-0", run)
    (run / "metrics.json").write_text("{")
    with pytest.raises(AdiError, match=r"run/metrics\.json: .*'adi evaluate .*/run' writes it"):
        export(run, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
