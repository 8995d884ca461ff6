"""Live counters over HTTP: lists follow the clicks, as the evaluator's do, and say so where counters are away."""

from contextlib import closing

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adi.serving import click_feed
from adi.serving.app import create_app
from adi.serving.click_feed import ClickFeed
from adi.serving.events import Clicked, EventStoreError, SqliteEventStore
from adi.serving.metrics import Metrics
from adi.serving.redis_events import RedisEventStore
from adi.serving.service import Service
from adi.training.fitted import open_run
from trending import clicks

NUM_ROWS = 40


@pytest.fixture
def live(trending_bundle, clock):
    return Service(trending_bundle, Metrics(), clock=clock)


REASONS = ("duplicate", "unknown", "future", "old")


def click(item="i3", domain="big", time=40_000.0, user="u1", **more):
    return {"user": user, "events": [{"item": item, "domain": domain, "time": time, **more}]}


def ignored(service, reason):
    return service.metrics.clicks_ignored.labels("", reason)._value.get()


def contexts_of_log():
    """The context of each click of the log, by user, item and time."""
    return {
        (row["user"], row["item"], row["time"]): {
            name: row[column]
            for name, column in (("device", "device"), ("charge", "battery"))
            if row[column] is not None
        }
        for row in clicks().to_pylist()
    }


@pytest.mark.parametrize("kind", ["trending", "audience"])
def test_the_events_of_a_log_give_the_lists_of_the_evaluator(kind, request, clock, listen):
    run, bundle = (request.getfixturevalue(f"{kind}_{name}") for name in ("run", "bundle"))
    live, contexts = Service(bundle, Metrics(), clock=clock), contexts_of_log() if kind == "audience" else {}
    server = listen(create_app(live), live)
    _, dataset, scorer = open_run(run)
    users, items, domains = dataset.targets("test", dataset.rows("test"))
    times = dataset.times("test")
    score = [scorer.against(domain, dataset.corpora.retrievable(domain)) for domain in range(2)]
    for row in np.argsort(times, kind="stable")[:NUM_ROWS]:
        clock.now, domain, user = float(times[row]), int(domains[row]), dataset.users.key(int(users[row]))
        name, event = dataset.domains[domain], {"item": dataset.items.key(int(items[row])), "time": clock.now}
        context = contexts.get((user, event["item"], int(clock.now)), {})
        event |= {"context": context}
        live.refresh_trends()
        if clock.now < live.bundle().trends.start + dataset.manifest.trend.delay:  # not all of the log is known yet
            server.ask("/v1/events", click(**event, domain=name, user=user))
            continue
        (scores,) = score[domain](dataset.queries("test", np.array([row]), known="live"))
        asked = {"user": user, "domains": [name], "context": context, "k": 24, "explain": True}
        reply = server.ask("/v1/retrieve", asked).body
        (result,) = reply["results"]
        served = result["domains"][name]
        numbers = [dataset.items.find(item) for item in served["items"]]
        assert sorted(numbers) == list(range(24))
        np.testing.assert_allclose(served["scores"], scores[numbers], rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(np.sum([*served["parts"].values()], axis=0), served["scores"], rtol=1e-3, atol=1e-3)
        assert not result["without_trends"]
        assert server.ask("/v1/events", click(**event, domain=name, user=user)).status == 204


def test_clicks_that_cannot_be_counted_are_ignored_and_said(trending_bundle, clock):
    reports = []
    service = Service(trending_bundle, Metrics(), clock=clock, report=reports.append)
    service.bundle().feed._ahead = 60.0
    clock.now = 41_000.0
    events = [click(), click(), click(item="newer than the bundle"), click(time=41_061.0), click(time=100.0)]
    for event in events:
        service.events.add(
            event["user"],
            [(event["events"][0]["item"], event["events"][0]["domain"])],
            [Clicked(event["events"][0]["time"])],
        )
    service.refresh_trends()
    assert [ignored(service, reason) for reason in REASONS] == [1] * len(REASONS)
    assert service.metrics.clicks.labels("")._value.get() == 1
    assert reports == ["Counters ignored clicks: 1 duplicate, 1 unknown, 1 future."]


def test_entries_that_are_no_clicks_are_ignored(trending_bundle, clock, redis_server):
    with closing(RedisEventStore(redis_server.url)) as store:
        service = Service(trending_bundle, Metrics(), clock=clock, events=store)
        clock.now = 41_000.0
        redis_server.client.xadd("adi:clicks", {"click": "no click"})
        store.add("u1", [("i3", "big")], [Clicked(40_000.0)])
        service.refresh_trends()
    assert (ignored(service, "malformed"), service.metrics.clicks.labels("")._value.get()) == (1, 1)


@pytest.mark.parametrize("time", [None, "2026-01-02T03:04:05Z"])
def test_an_event_needs_a_time_of_the_kind_of_the_log(live, listen, time):
    server = listen(create_app(live), live)
    reply = server.ask("/v1/events", click(time=time))
    assert reply.status == 422
    assert reply.body["detail"].startswith("events.0.time: ")
    assert "The time of the bundle's log is a number" in reply.body["detail"]


def test_without_counters_lists_say_that_they_have_no_trends(trending_bundle, clock, listen, monkeypatch):
    class Away(SqliteEventStore):
        away = False

        def clicks(self, after):
            if self.away:
                raise EventStoreError("away")
            return super().clicks(after)

    reports = []
    service = Service(trending_bundle, Metrics(), store := Away(), clock=clock, report=reports.append)
    server, request = (
        listen(create_app(service), service),
        {"history": ["i1"], "k": 3, "domains": ["big"], "explain": True},
    )

    def result():
        return server.ask("/v1/retrieve", request).body["results"][0]

    assert not result()["without_trends"]
    store.away = True
    service.refresh_trends()
    assert not result()["without_trends"]  # for a while
    monkeypatch.setattr(click_feed, "GRACE", -1.0)
    service.refresh_trends()
    assert result()["without_trends"]
    assert result()["domains"]["big"]["parts"] is None
    assert service.metrics.lists_without_trends._value.get() == 2
    monkeypatch.undo()
    store.away = False
    service.refresh_trends()
    assert not result()["without_trends"]
    assert "Lists come without trends." in reports
    assert reports[-1] == "Lists have trends again."


def test_clicks_are_read_from_files(trending_bundle, clock, tmp_path):
    reports = []
    service = Service(trending_bundle, Metrics(), clock=clock, clicks=tmp_path, report=reports.append)
    clock.now = 41_000.0
    table = pa.table({"user": ["u1", "u2"], "item": ["i3", "i4"], "domain": ["big", "small"], "time": [40_000, 40_001]})
    pq.write_table(table, tmp_path / "1.parquet")
    (tmp_path / "2.parquet").write_bytes(b"no parquet")
    service.refresh_trends()
    service.refresh_trends()
    assert service.metrics.clicks.labels("")._value.get() == 2
    assert len(reports) == 1
    assert "2.parquet: left out" in reports[0]


@pytest.fixture(params=["file", "redis"])
def opened(request, tmp_path):
    if request.param == "redis":
        url = request.getfixturevalue("redis_server").url
        return lambda: RedisEventStore(url)
    return lambda: SqliteEventStore(tmp_path / "events.db")


def test_after_a_restart_the_clicks_since_the_export_are_counted_again(trending_bundle, clock, opened):
    clock.now = 41_000.0
    counts = []
    for restarted in (False, True):
        with closing(opened()) as store:
            if not restarted:
                store.add("u1", [("i3", "big"), ("i4", "small")], [Clicked(40_000.0), Clicked(40_010.0)])
            trends = Service(trending_bundle, Metrics(), store, clock=clock).bundle().trends
            counts.append(trends.clicks.counts(0, np.arange(24), np.array([clock.now])).overall)
    np.testing.assert_array_equal(*counts)
    assert counts[0].max() > 0.1


def test_the_feed_of_a_log_of_numbers_has_all_clicks_at_once(trending_bundle):
    service = Service(trending_bundle, Metrics())
    feed = service.bundle().feed
    assert isinstance(feed, ClickFeed)
    service.events.add("u1", [("i3", "big")], [Clicked(50_000.0)])
    feed.refresh()
    assert feed.trends.clicks.known == 50_001.0


def codes_of(service):
    """The context of the clicks that are yet to be counted."""
    return [click.context for click in service.bundle().trends.clicks._pending]


def test_the_context_of_clicks_is_counted_with_them(audience_bundle, clock, opened):
    """Also by a server that starts later; what a feature lacks, cannot read or does not know is not an error."""
    clock.now, reports = 40_000.0, []
    with closing(opened()) as store:
        contexts = [{}, {"device": "tablet", "charge": "12.0"}, {"charge": "full"}, {"sky": "blue", "device": "watch"}]
        for number, context in enumerate(contexts):
            store.add("u1", [("i3", "big")], [Clicked(40_000.0 + number, context)])
        service = Service(audience_bundle, Metrics(), store, clock=clock, report=reports.append)
    feed = service.bundle().feed
    tablet, charge = (feed._context._code(number, value) for number, value in enumerate(("tablet", "12")))
    assert min(tablet, charge) >= 2
    assert codes_of(service) == [(0, 0), (tablet, charge), (0, 0), (1, 0)]
    assert service.metrics.clicks.labels("")._value.get() == len(contexts)
    assert reports == ["Counters took context values that are not numbers as missing: 1 charge."]
    service.refresh_trends()
    assert len(reports) == 1


def test_a_bundle_without_audiences_does_not_read_contexts(trending_bundle, clock):
    clock.now, reports = 40_000.0, []
    service = Service(trending_bundle, Metrics(), clock=clock, report=reports.append)
    service.events.add("u1", [("i3", "big")], [Clicked(40_000.0, {"charge": "full"})])
    service.refresh_trends()
    assert (codes_of(service), reports) == ([()], [])


@pytest.mark.parametrize(
    ("context", "detail"),
    [
        ({"sky": "blue"}, "events.0: context 'sky' is not a context feature (device, charge)."),
        ({"charge": "full"}, "events.0: context 'charge': 'full' is not a number."),
        ({"charge": [1]}, "events.0.context.charge: Input should be a valid string"),
    ],
)
def test_the_context_of_an_event_is_checked_as_that_of_a_request(audience_bundle, clock, listen, context, detail):
    service = Service(audience_bundle, Metrics(), clock=clock)
    server = listen(create_app(service), service)
    reply = server.ask("/v1/events", click(context=context))
    assert (reply.status, reply.body["detail"].partition("context features")[0][: len(detail)]) == (422, detail)
    assert service.events.clicks(None) == []
    assert server.ask("/v1/events", click(context={"charge": 7, "device": "phone"})).status == 204
    (stored,) = service.events.clicks(None)
    assert stored.context == {"charge": "7", "device": "phone"}


def test_files_have_the_context_of_clicks_where_they_have_its_columns(audience_bundle, clock, tmp_path):
    service = Service(audience_bundle, Metrics(), clock=clock, clicks=tmp_path)
    clock.now = 40_000.0
    table = pa.table(
        {"user": ["u1", None, "u2"], "item": ["i3"] * 3, "domain": ["big"] * 3, "time": [40_000, 40_001, 40_002]}
    )
    pq.write_table(table, tmp_path / "1.parquet")
    with_battery = table.set_column(0, "user", pa.array(["u5", None, "u6"]))
    pq.write_table(with_battery.append_column("battery", pa.array([None, 99.0, 5.0])), tmp_path / "2.parquet")
    service.refresh_trends()
    assert [code for _, code in codes_of(service)] == [0, 0, 0, 2]
