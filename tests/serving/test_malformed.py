"""Stored entries that are no events: skipped, counted and named once, while the rest of a body is answered."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from adi.serving import malformed
from adi.serving.events import Clicked, SqliteEventStore
from adi.serving.malformed import MalformedEvents
from adi.serving.metrics import Metrics
from adi.serving.redis_events import RedisEventStore

ENTRIES = [b"{", b"7", b"null", b'["pen"]', b'["pen","feed",1]', b'["pen",7]', b"[null,null]", b"\xff", b'"ab"']
"""The last is of two letters, as an event is of two texts."""


@pytest.fixture
def messages() -> list[str]:
    return []


def answers(server) -> None:
    """Ask for ana, whose entries are malformed, and eve in one body, twice: ana has the events that are right."""
    for _ in range(2):
        reply = server.ask("/v1/retrieve", {"requests": [{"user": "ana"}, {"user": "eve"}, {"user": "stranger"}]})
        assert reply.status == 200
        assert [result["without_events"] for result in reply.body["results"]] == [False] * 3
    recent = [row["item"] for row in server.ask("/v1/users/ana").body["history"] if row["since"]]
    assert recent == ["mug", "pen"]


def test_in_redis(serving, bundles, redis_server, messages: list[str]) -> None:
    metrics = Metrics()
    with closing(
        RedisEventStore(redis_server.url, messages.append, MalformedEvents(metrics, messages.append))
    ) as store:
        store.add("ana", [("pen", "feed")])
        redis_server.client.rpush("adi:events:ana", *(ENTRIES[:-1]))
        store.add("ana", [("mug", "feed")])
        store.add("stranger", [("mug", "feed")])
        redis_server.client.set("adi:events:eve", "no list")
        answers(serving(bundles[0], store))
    name = f"unix://{redis_server.folder}/redis.sock"
    assert sorted(message.partition(" is not an event and was skipped. Remove it")[0] for message in messages) == [
        *(f"{name}: entry {number} of list adi:events:ana" for number in range(1, len(ENTRIES))),
        f"{name}: the value of key adi:events:eve",
    ]
    assert metrics.registry.get_sample_value("adi_events_malformed_total") == 3 * (len(ENTRIES) - 1) + 2


def test_a_text_of_two_letters_is_no_event(redis_server) -> None:
    redis_server.client.rpush("adi:events:ana", ENTRIES[-1])
    names: list[str] = []
    with closing(RedisEventStore(redis_server.url, malformed=names.append)) as store:
        assert store.of(["ana"]) == [[]]
    assert len(names) == 1


def test_in_a_file(serving, bundles, tmp_path: Path, messages: list[str]) -> None:
    metrics, path = Metrics(), tmp_path / "events.db"
    with closing(SqliteEventStore(path, MalformedEvents(metrics, messages.append))) as store:
        store.add("ana", [("pen", "feed")])
        with closing(sqlite3.connect(path)) as db:
            rows = "(NULL, 'feed'), ('pen', NULL), (x'00ff', 'feed'), (CAST(x'ff' AS TEXT), 'feed')"
            db.execute(f"INSERT INTO event (user, item, domain) SELECT 'ana', * FROM (VALUES {rows})")
            db.commit()
        store.add("ana", [("mug", "feed")])
        store.add("stranger", [("mug", "feed")])
        answers(serving(bundles[0], store))
    rows = [f"{path}: row {number} of the table event, of user 'ana'," for number in (2, 3, 4, 5)]
    assert [message.partition(" is not")[0] for message in messages] == rows
    assert metrics.registry.get_sample_value("adi_events_malformed_total") == 3 * 4


def test_clicks_in_a_file(tmp_path: Path) -> None:
    with closing(SqliteEventStore(tmp_path / "events.db")) as store:
        store.add("ana", [("pen", "feed")], [Clicked(7.0)])
        with closing(sqlite3.connect(tmp_path / "events.db")) as db:
            rows = "('pen', NULL, NULL), (NULL, 7, NULL), ('pen', 7, '{'), ('pen', 7, '7'), ('pen', 7, x'00')"
            db.execute(f"INSERT INTO click (user, domain, item, time, context) SELECT 'a', 'b', * FROM (VALUES {rows})")
            db.commit()
        store.add("ana", [("mug", "feed")], [Clicked(8.0, {"device": "phone"})])
        clicks = store.clicks(None)
    assert [click.time for click in (clicks[0], clicks[-1])] == [7.0, 8.0]
    assert len(clicks) == 7
    assert all(click.time != click.time for click in clicks[1:-1])


def test_so_many_are_named(monkeypatch: pytest.MonkeyPatch, messages: list[str]) -> None:
    monkeypatch.setattr(malformed, "MOST_NAMED", 2)
    metrics = Metrics()
    note = MalformedEvents(metrics, messages.append)
    for name in "abcdab":
        note(name)
    assert [message[0] for message in messages] == ["a", "b"]
    assert metrics.registry.get_sample_value("adi_events_malformed_total") == 6
