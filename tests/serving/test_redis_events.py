"""Events in Redis: shared by servers, and answers while Redis is away."""

import math
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from adi.errors import AdiError
from adi.retrieval.retriever import Retriever
from adi.serving.events import EventStoreError
from adi.serving.redis_events import INVALID_URL, KEPT_SECONDS, RedisEventStore

REQUEST = {"user": "ana", "domains": ["search"], "k": 5}
EVENTS = {"user": "ana", "events": [{"item": "pen", "domain": "feed"}]}


@pytest.fixture
def messages() -> list[str]:
    return []


@pytest.fixture
def store(redis_server, messages: list[str]) -> Iterator[RedisEventStore]:
    with closing(RedisEventStore(redis_server.url, messages.append)) as opened:
        yield opened


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis server that did not answer is tried again by the next request."""
    monkeypatch.setattr("adi.serving.redis_events.PAUSE", 0.0)


def items(reply) -> list[str]:
    """The items of the reply to `REQUEST`."""
    return reply.body["results"][0]["domains"]["search"]["items"]


def test_a_list_expires_after_its_latest_event(redis_server, store: RedisEventStore) -> None:
    store.add("ana", [("pen", "feed")])
    assert redis_server.client.lrange("adi:events:ana", 0, -1) == ['["pen","feed"]']
    redis_server.client.expire("adi:events:ana", 5)
    store.add("ana", [("mug", "feed")])
    assert KEPT_SECONDS - 5 < redis_server.client.ttl("adi:events:ana") <= KEPT_SECONDS == 2_592_000


def test_clicks_of_other_producers_and_entries_that_are_none(redis_server, store: RedisEventStore) -> None:
    entries = [
        '["ana","pen","feed",7]',
        '["ana","pen","feed",7,{"device":"phone","hour":9}]',
        '["ana","pen",7]',
        '["ana",1,"feed",7]',
        "{",
        '["ana","pen","feed","now"]',
        "7",
        '["ana","pen","feed",7,"phone"]',
        '["ana","pen","feed",7,{"device":["phone"]}]',
        '["ana","pen","feed",7,{},{}]',
    ]
    for entry in entries:
        redis_server.client.xadd("adi:clicks", {"click": entry})
    redis_server.client.xadd("adi:clicks", {"other": "field"})
    good, with_context, *malformed = store.clicks(after=None)
    assert good[1:] == ("ana", "pen", "feed", 7.0, {})
    assert with_context[1:] == ("ana", "pen", "feed", 7.0, {"device": "phone", "hour": "9"})
    assert len(malformed) == 9
    assert all(math.isnan(click.time) for click in malformed)
    assert store.clicks(after=malformed[-1].position) == []


def test_two_servers_share_events(serving, bundles, redis_server) -> None:
    with closing(RedisEventStore(redis_server.url)) as store, closing(RedisEventStore(redis_server.url)) as other:
        writer, reader = serving(bundles[0], store), serving(bundles[0], other)
        before = items(reader.ask("/v1/retrieve", REQUEST))
        assert writer.ask("/v1/events", EVENTS | {"events": [{"item": before[0], "domain": "search"}]}).status == 204
        after = items(reader.ask("/v1/retrieve", REQUEST))
    expected = Retriever(bundles[0]).retrieve("search", user="ana", recent=[(before[0], "search")], k=5)
    assert after == list(expected.ids)
    assert before[0] not in after


@pytest.mark.parametrize("fault", ["stopped", "hangs"])
def test_without_redis_lists_come_without_events_and_say_so(
    serving, bundles, redis_server, store: RedisEventStore, messages: list[str], no_pause: None, fault: str
) -> None:
    server = serving(bundles[0], store)
    plain = server.ask("/v1/retrieve", REQUEST).body
    assert plain["results"][0]["without_events"] is False
    assert server.ask("/v1/events", EVENTS).status == 204
    redis_server.hang() if fault == "hangs" else redis_server.stop()

    known = server.ask("/v1/retrieve", REQUEST)
    assert (known.status, known.body["results"][0].pop("without_events")) == (200, True)
    assert plain["results"][0].pop("without_events") is False
    assert known.body == plain
    by_history = server.ask("/v1/retrieve", {"history": ["mug"], "domains": ["search"]})
    assert by_history.body["results"][0]["without_events"] is False  # which needs no events
    history = server.ask("/v1/users/ana")
    assert (history.status, history.body["total"], history.body["without_events"]) == (200, 5, True)

    for path, body, words in (
        ("/v1/events", EVENTS, "does not answer. Send the events again."),
        ("/v1/retrieve", REQUEST | {"user": "new one"}, "User 'new one' is not in the bundle, but may have events."),
        ("/v1/users/new%20one", None, "User 'new one' is not in the bundle"),
    ):
        reply = server.ask(path, body)
        assert (reply.status, reply.body["title"], reply.headers["retry-after"]) == (
            503,
            "Event store unavailable",
            "2",
        )
        assert words in reply.body["detail"]
        assert "sock" not in reply.body["detail"]  # the address is not for clients
    metrics = server.ask("/metrics").body.splitlines()
    assert 'adi_events_unavailable_total{request="add"} 1.0' in metrics
    assert 'adi_events_unavailable_total{request="read"} 4.0' in metrics

    redis_server.resume() if fault == "hangs" else redis_server.start()
    assert server.ask("/v1/events", EVENTS).status == 204
    assert server.ask("/v1/retrieve", REQUEST).body["results"][0]["without_events"] is False
    name = f"unix://{redis_server.folder}/redis.sock: "
    assert [line.removeprefix(name).partition(" (")[0] for line in messages] == ["does not answer", "answers again."]


def test_a_server_that_did_not_answer_is_tried_again_after_a_pause(
    redis_server, store: RedisEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("adi.serving.redis_events.monotonic", lambda: now[0])
    redis_server.stop()
    with pytest.raises(EventStoreError, match="Error 111 connecting to"):
        store.of(["ana"])
    redis_server.start()
    now[0] += 1.9
    with pytest.raises(EventStoreError, match="did not answer a moment ago"):
        store.of(["ana"])
    now[0] += 0.2
    pipeline = store._client.pipeline

    def fail_others(**options: bool) -> object:
        with pytest.raises(EventStoreError, match="did not answer a moment ago"):
            store.of(["bo"])
        return pipeline(**options)

    with monkeypatch.context() as patched:
        patched.setattr(store._client, "pipeline", fail_others)
        assert store.of(["ana"])[0] == []
    assert store.of(["bo"])[0] == []


def test_a_refused_write_does_not_stop_reads(redis_server, store: RedisEventStore, messages: list[str]) -> None:
    store.add("ana", [("pen", "feed")])
    redis_server.client.config_set("maxmemory", "1")
    for _ in range(2):
        with pytest.raises(EventStoreError, match=r"sock: command not allowed when used memory"):
            store.add("ana", [("mug", "feed")])
        assert store.of(["ana"])[0] == [("pen", "feed")]
    assert [line.partition("refuses (")[2] for line in messages] == [
        "command not allowed when used memory > 'maxmemory')."
    ]


@pytest.mark.parametrize(
    "url",
    [
        "redis:///0",
        "redis://host/zero",
        "redis://host:many/0",
        "redis://host/0#part",
        "http://host/0",
        "unix://",
        "unix://folder/redis.sock",
        "redis://127.0.0.1:1/0?socket_timeout=soon",
        "redis://127.0.0.1:1/0?colour=red",
        "redis://:se/same@host/0",
        "redis://:12/same@host/0",
        "redis://:12?same@host/0",
        "redis://:12#same@host/0",
    ],
)
def test_an_invalid_address_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(AdiError) as caught:
        RedisEventStore(url)
    assert str(caught.value) == f"events: {INVALID_URL}"


def test_no_message_shows_the_password(redis_server, messages: list[str], no_pause: None) -> None:
    redis_server.stop()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    redis_server.start("--port", str(port), "--bind", "127.0.0.1", "--user", "adi", "on", ">se%same", "~adi:*", "+@all")
    name = f"redis://127.0.0.1:{port}/0"
    with pytest.raises(AdiError, match=f"{name}: cannot be used .*invalid username-password pair") as wrong:
        RedisEventStore(f"redis://adi:sesame@127.0.0.1:{port}/0")
    with closing(RedisEventStore(f"redis://adi:se%25same@127.0.0.1:{port}/0", messages.append)) as store:
        store.add("ana", [("pen", "feed")])
        assert store.of(["ana"])[0] == [("pen", "feed")]
        redis_server.stop()
        with pytest.raises(EventStoreError, match=name) as gone:
            store.of(["ana"])
    with pytest.raises(AdiError, match=f"{name}: cannot be used .*refused.*Start the server") as absent:
        RedisEventStore(f"redis://adi:se%25same@127.0.0.1:{port}/0")
    for text in (*messages, *(repr(error.value) for error in (wrong, gone, absent))):
        assert "same" not in text
