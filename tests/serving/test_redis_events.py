"""Events in Redis: shared by servers, and what is answered while it is not there."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from adi.errors import AdiError
from adi.retrieval.retriever import Retriever
from adi.serving.recent import StoreError
from adi.serving.recent_redis import KEPT_SECONDS, NO_ADDRESS, RedisRecent

ASK = {"user": "ana", "domains": ["search"], "k": 5}
EVENTS = {"user": "ana", "events": [{"item": "pen", "domain": "feed"}]}


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def recent(redis_server, told: list[str]) -> Iterator[RedisRecent]:
    with closing(RedisRecent(redis_server.url, told.append)) as opened:
        yield opened


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that did not answer is asked again by the next request."""
    monkeypatch.setattr("adi.serving.recent_redis.PAUSE", 0.0)


def items(reply) -> list[str]:
    return reply.body["results"][0]["domains"]["search"]["items"]


def test_a_list_goes_away_after_its_latest_event(redis_server, recent: RedisRecent) -> None:
    recent.add("ana", [("pen", "feed")])
    assert redis_server.client.lrange("adi:events:ana", 0, -1) == ['["pen","feed"]']
    redis_server.client.expire("adi:events:ana", 5)
    recent.add("ana", [("mug", "feed")])
    assert KEPT_SECONDS - 5 < redis_server.client.ttl("adi:events:ana") <= KEPT_SECONDS == 2_592_000


def test_two_servers_share_what_a_user_did(serving, bundles, redis_server) -> None:
    with closing(RedisRecent(redis_server.url)) as one, closing(RedisRecent(redis_server.url)) as other:
        told, asked = serving(bundles[0], one), serving(bundles[0], other)
        before = items(asked.ask("/v1/retrieve", ASK))
        assert told.ask("/v1/events", EVENTS | {"events": [{"item": before[0], "domain": "search"}]}).status == 204
        after = items(asked.ask("/v1/retrieve", ASK))
    expected = Retriever(bundles[0]).retrieve("search", user="ana", recent=[(before[0], "search")], k=5)
    assert after == [one.item for one in expected.items]
    assert before[0] not in after


@pytest.mark.parametrize("fault", ["gone", "hangs"])
def test_without_redis_lists_come_without_recent_events_and_say_so(
    serving, bundles, redis_server, recent: RedisRecent, told: list[str], at_once: None, fault: str
) -> None:
    server = serving(bundles[0], recent)
    plain = server.ask("/v1/retrieve", ASK).body
    assert plain["results"][0]["without_events"] is False
    assert server.ask("/v1/events", EVENTS).status == 204
    redis_server.hang() if fault == "hangs" else redis_server.stop()

    known = server.ask("/v1/retrieve", ASK)
    assert (known.status, known.body["results"][0].pop("without_events")) == (200, True)
    assert plain["results"][0].pop("without_events") is False
    assert known.body == plain
    given = server.ask("/v1/retrieve", {"history": ["mug"], "domains": ["search"]})
    assert given.body["results"][0]["without_events"] is False  # it did not need them
    past = server.ask("/v1/users/ana")
    assert (past.status, past.body["total"], past.body["without_events"]) == (200, 5, True)

    for path, body, words in (
        ("/v1/events", EVENTS, "does not answer. Send the events again."),
        ("/v1/retrieve", ASK | {"user": "new one"}, "User 'new one' is not in the bundle, and may have some."),
        ("/v1/users/new%20one", None, "User 'new one' is not in the bundle"),
    ):
        reply = server.ask(path, body)
        assert (reply.status, reply.body["title"], reply.headers["retry-after"]) == (503, "No events", "2")
        assert words in reply.body["detail"]
        assert "sock" not in reply.body["detail"]  # where it is concerns nobody outside
    counted = server.ask("/metrics").body.splitlines()
    assert 'adi_events_unavailable_total{request="add"} 1.0' in counted
    assert 'adi_events_unavailable_total{request="read"} 4.0' in counted

    redis_server.go_on() if fault == "hangs" else redis_server.start()
    assert server.ask("/v1/events", EVENTS).status == 204
    assert server.ask("/v1/retrieve", ASK).body["results"][0]["without_events"] is False
    name = f"unix://{redis_server.folder}/redis.sock: "
    assert [line.removeprefix(name).partition(" (")[0] for line in told] == ["does not answer", "answers again."]


def test_one_that_did_not_answer_is_left_alone_for_a_while(
    redis_server, recent: RedisRecent, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("adi.serving.recent_redis.monotonic", lambda: now[0])
    redis_server.stop()
    with pytest.raises(StoreError, match="Error 111 connecting to"):
        recent.of(["ana"])
    redis_server.start()
    now[0] += 1.9
    with pytest.raises(StoreError, match="did not answer lately"):
        recent.of(["ana"])
    now[0] += 0.2
    pipeline = recent._client.pipeline

    def while_one_asks(**how: bool) -> object:
        with pytest.raises(StoreError, match="did not answer lately"):
            recent.of(["bo"])
        return pipeline(**how)

    with monkeypatch.context() as patched:
        patched.setattr(recent._client, "pipeline", while_one_asks)
        assert recent.of(["ana"])[0] == []
    assert recent.of(["bo"])[0] == []


def test_what_is_refused_is_no_reason_not_to_ask_for_more(redis_server, recent: RedisRecent, told: list[str]) -> None:
    recent.add("ana", [("pen", "feed")])
    redis_server.client.config_set("maxmemory", "1")
    for _ in range(2):
        with pytest.raises(StoreError, match=r"sock: command not allowed when used memory"):
            recent.add("ana", [("mug", "feed")])
        assert recent.of(["ana"])[0] == [("pen", "feed")]
    assert [line.partition("refuses (")[2] for line in told] == ["command not allowed when used memory > 'maxmemory')."]


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
def test_what_is_no_address_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(AdiError) as fault:
        RedisRecent(url)
    assert str(fault.value) == NO_ADDRESS


def test_no_message_has_the_password(redis_server, told: list[str], at_once: None) -> None:
    redis_server.stop()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    redis_server.start("--port", str(port), "--bind", "127.0.0.1", "--user", "adi", "on", ">se%same", "~adi:*", "+@all")
    name = f"redis://127.0.0.1:{port}/0"
    with pytest.raises(AdiError, match=f"{name}: cannot be used .*invalid username-password pair") as wrong:
        RedisRecent(f"redis://adi:sesame@127.0.0.1:{port}/0")
    with closing(RedisRecent(f"redis://adi:se%25same@127.0.0.1:{port}/0", told.append)) as recent:
        recent.add("ana", [("pen", "feed")])
        assert recent.of(["ana"])[0] == [("pen", "feed")]
        redis_server.stop()
        with pytest.raises(StoreError, match=name) as gone:
            recent.of(["ana"])
    with pytest.raises(AdiError, match=f"{name}: cannot be used .*refused.*Start the server") as absent:
        RedisRecent(f"redis://adi:se%25same@127.0.0.1:{port}/0")
    for text in (*told, *(repr(fault.value) for fault in (wrong, gone, absent))):
        assert "same" not in text
