"""Trending items over HTTP: the largest decayed counts of a domain, from the live counters."""

import numpy as np
import pyarrow as pa
import pytest

from adi.bundle.engine import BundleEngine
from adi.exporting.export import export
from adi.preparation.prepare import prepare
from adi.serving import click_feed
from adi.serving.app import create_app
from adi.serving.events import Clicked
from adi.serving.metrics import Metrics
from adi.serving.service import Service
from adi.serving.trending import half_lives_of, trending_of
from adi.training.train import train
from trending import clicks, trending_schema

NOW = 40_000.0
AGES = {"i3": (100.0, 500.0, 1000.0), "i5": (50.0,), "i7": (5000.0,)}
"""The ages of clicks that come after the log, in seconds before the moment to which clicks are counted."""


@pytest.fixture
def live(trending_bundle, clock):
    clock.now = NOW
    service = Service(trending_bundle, Metrics(), clock=clock)
    for item, ages in AGES.items():
        for age in ages:
            service.events.add("u1", [(item, "small")], [Clicked(NOW - 10 - age)])
    service.refresh_trends()
    return service


@pytest.fixture
def server(live, listen):
    return listen(create_app(live), live)


def count_at(times, half_life):
    return np.exp2(-(NOW - 10 - np.asarray(times, dtype=float)) / half_life).sum()


@pytest.mark.parametrize("half_life", [600, 3600])
def test_counts_are_those_of_all_clicks_decayed(server, trending, half_life) -> None:
    """Against sums over the log's training rows and the clicks since."""
    reply = server.ask(f"/v1/trending?domain=small&half_life={half_life}&k=24")
    assert reply.status == 200
    body, log = reply.body, clicks().filter(pa.compute.less(clicks()["time"], 9 * 3600)).to_pylist()
    times = {item: [NOW - 10 - age for age in ages] for item, ages in AGES.items()}
    first = {}
    for row in log:
        first.setdefault(row["item"], row["time"])
        if row["domain"] == "small":
            times.setdefault(row["item"], []).append(row["time"])
    expected = {item: count_at(each, half_life) for item, each in times.items()}
    total = sum(expected.values())
    expected = {item: count for item, count in expected.items() if count >= 0.01}
    listed = body.pop("items")
    assert body == {
        "domain": "small",
        "half_life": str(half_life),
        "half_lives": ["600", "3600"],
        "moment": NOW - 10,
        "available": True,
    }
    assert [each["item"] for each in listed] == sorted(expected, key=expected.__getitem__, reverse=True)
    for each in listed:
        assert each["count"] == pytest.approx(expected[each["item"]], rel=1e-5)
        assert each["share"] == pytest.approx(expected[each["item"]] / total, rel=1e-5)
        assert each["age"] == pytest.approx(NOW - 10 - first[each["item"]])


def test_a_list_has_k_items_and_by_default_the_middle_half_life(server) -> None:
    every = server.ask("/v1/trending?domain=big&half_life=600").body["items"]
    assert (
        server.ask("/v1/trending?domain=big&k=1").body | {"items": every[:1]}
        == server.ask("/v1/trending?domain=big&half_life=600.0&k=1").body
    )
    hourly = server.ask("/v1/trending?domain=small&half_life=3600").body["items"]
    assert len(hourly) > 2
    assert server.ask("/v1/trending?domain=small&half_life=3600&k=2").body["items"] == hourly[:2]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "domain: Field required"),
        ("domain=smal", "domain 'smal' is not one of big, small. Did you mean 'small'?"),
        ("domain=small&half_life=1h", "half_life: '1h' is not one of the bundle's half-lives: 600, 3600."),
        ("domain=small&half_life=601", "half_life: '601' is not one of the bundle's half-lives: 600, 3600."),
        ("domain=small&half_life=nan", "half_life: 'nan' is not one of"),
        ("domain=small&k=0", "k: Input should be greater than or equal to 1"),
        ("domain=small&k=1001", "k: Input should be less than or equal to 1000"),
        ("domain=small&limit=3", "limit: Extra inputs are not permitted"),
    ],
)
def test_an_invalid_query_is_a_problem(server, query, words) -> None:
    reply = server.ask(f"/v1/trending?{query}")
    assert (reply.status, reply.headers["content-type"]) == (422, "application/problem+json")
    assert words in reply.body["detail"]


def test_a_bundle_without_trends_is_a_problem(served) -> None:
    reply = served.ask("/v1/trending?domain=feed")
    assert (reply.status, reply.body["title"]) == (422, "Cannot be answered")
    assert reply.body["detail"].startswith("This bundle has no trends.")
    assert served.ask("/v1/bundle").body["half_lives"] is None


def test_an_answer_says_when_clicks_may_be_missing(live, server, monkeypatch) -> None:
    monkeypatch.setattr(click_feed, "GRACE", -1.0)  # as if no source of clicks had answered for longer than that
    live.refresh_trends()
    assert not server.ask("/v1/trending?domain=small").body["available"]


def test_the_arm_that_the_header_names_answers(serving, between, trending_bundle) -> None:
    server = serving(between(trending_bundle, trending_bundle))
    for headers, status in (({}, 200), ({"X-Adi-Arm": "new"}, 200), ({"X-Adi-Arm": "no"}, 422)):
        assert server.ask("/v1/trending?domain=small", headers=headers).status == status


def test_a_log_of_timestamps_has_seconds_and_dates(tmp_path) -> None:
    log = clicks()
    times = pa.compute.multiply(log["time"], 1_000_000).cast(pa.timestamp("us"))
    schema = trending_schema() | {"split": {"kind": "time", "at": "1970-01-01T09:00:00"}}
    schema["trend"] = {"half_lives": ["24h", "1.5h", "45s"], "delay": "10s"}
    prepare(schema, tmp_path / "prepared", tables={"interactions": log.set_column(3, "time", times)}, progress=False)
    small = {"embedding_sets": 1, "embedding_dim": 6, "dim": 4, "networks": (5,), "epochs": 1, "batch_size": 64}
    train(tmp_path / "prepared", "dnn", tmp_path / "run", settings=small)
    export(tmp_path / "run", tmp_path / "bundle")
    engine = BundleEngine(tmp_path / "bundle")
    assert half_lives_of(engine.dataset) == ["45s", "90m", "1d"]
    engine.trends.refresh(9.5 * 3600e6 + 10.25e6)
    answer = trending_of(engine.dataset, engine.trends, 0, "1.5h")
    assert (answer["half_life"], answer["moment"]) == ("90m", "1970-01-01T09:30:00.250000+00:00")
    first = {}
    for row in log.to_pylist():
        first.setdefault(row["item"], row["time"])
    for each in answer["items"]:
        assert each["age"] == pytest.approx(9.5 * 3600 + 0.25 - first[each["item"]])
