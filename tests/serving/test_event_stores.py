"""Stores of events: the contract of all of them, and the SQLite store."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from adi.errors import AdiError
from adi.serving.events import MAX_KEPT, Clicked, EventStore, EventStoreError, SqliteEventStore
from adi.serving.redis_events import RedisEventStore

Open = Callable[[], EventStore]


@pytest.fixture(params=["memory", "file", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def opened(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Open]:
    """A function that opens a store; unless it is in memory, it has the events of stores opened before."""
    with ExitStack() as stack:

        def open_store() -> EventStore:
            if kind == "redis":
                return stack.enter_context(closing(RedisEventStore(request.getfixturevalue("redis_server").url)))
            return stack.enter_context(closing(SqliteEventStore(tmp_path / "events.db" if kind == "file" else None)))

        yield open_store


def test_the_latest_events_of_each_user_are_kept_in_order(opened: Open) -> None:
    store = opened()
    assert store.of(["ana"])[0] == []
    for number in range(3):
        store.add("bo", [("x", "feed")])
        store.add("ana", [(f"{number}-{each}", "search") for each in range(90)])
    assert store.of(["ana"])[0] == [(f"{n}-{each}", "search") for n in range(3) for each in range(90)][-MAX_KEPT:]
    assert store.of(["bo"])[0] == [("x", "feed")] * 3
    assert store.of(["bo", "cy", "ana", "bo"]) == [store.of([user])[0] for user in ("bo", "cy", "ana", "bo")]


def test_one_call_may_add_more_events_than_are_kept(opened: Open) -> None:
    store = opened()
    store.add("ana", [(str(each), "feed") for each in range(MAX_KEPT + 3)])
    assert store.of(["ana"])[0] == [(str(each), "feed") for each in range(3, MAX_KEPT + 3)]


def test_clicks_come_with_their_contexts_in_the_order_in_which_they_were_added(opened: Open) -> None:
    store = opened()
    store.add("ana", [("pen", "feed")], [Clicked(7.0)])
    store.add(
        "bo", [("mug", "feed"), ("cap", "search")], [Clicked(8.0, {"device": "phoné", "hour": "9"}), Clicked(6.5)]
    )
    store.add("cy", [("mug", "feed")])  # for histories alone
    clicks = store.clicks(None)
    assert [tuple(click[1:]) for click in clicks] == [
        ("ana", "pen", "feed", 7.0, {}),
        ("bo", "mug", "feed", 8.0, {"device": "phoné", "hour": "9"}),
        ("bo", "cap", "search", 6.5, {}),
    ]
    assert store.clicks(clicks[1].position) == clicks[2:]


def test_a_file_of_before_clicks_had_contexts_goes_on(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "events.db")) as db:
        db.execute(
            "CREATE TABLE click "
            "(number INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT, item TEXT, domain TEXT, time REAL)"
        )
        db.execute("INSERT INTO click (user, item, domain, time) VALUES ('ana', 'pen', 'feed', 7.0)")
        db.commit()
    for _ in range(2):
        with closing(SqliteEventStore(tmp_path / "events.db")) as store:
            store.add("bo", [("mug", "feed")], [Clicked(8.0, {"device": "phone"})])
            clicks = store.clicks(None)
    assert [click.context for click in clicks] == [{}, {"device": "phone"}, {"device": "phone"}]


@pytest.mark.parametrize("text", ["'; DROP TABLE event; --", "a b\r\n*1", "*", '李:é\x00"]', "\U0001f600"])
def test_any_text_can_be_an_id(opened: Open, text: str) -> None:
    store = opened()
    store.add(text, [(text, "feed"), ("pen", text)])
    assert store.of([text])[0] == [(text, "feed"), ("pen", text)]
    assert store.of([f"{text}."])[0] == []


@pytest.mark.parametrize("kind", ["file", "redis"])
def test_the_next_server_has_the_events(opened: Open) -> None:
    opened().add("ana", [("é", "feed")])
    store = opened()
    store.add("ana", [("pen", "feed")])
    assert store.of(["ana"])[0] == [("é", "feed"), ("pen", "feed")]


def test_several_threads_lose_nothing(opened: Open) -> None:
    store = opened()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: store.add("ana", [(str(number), "feed")]), range(100)))
    assert sorted(int(item) for item, _ in store.of(["ana"])[0]) == list(range(100))


def test_a_file_that_cannot_hold_events_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, but long enough to be read as the header of one" * 9)
    for path in (tmp_path / "missing" / "events.db", tmp_path / "text"):
        with pytest.raises(AdiError, match="cannot keep events"):
            SqliteEventStore(path)


def test_a_full_disk_loses_only_new_events(tmp_path: Path) -> None:
    with closing(SqliteEventStore(tmp_path / "events.db")) as store:
        store.add("ana", [("pen", "search")])
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(EventStoreError, match="full"):
            store.add("ana", [("mug" * 500, "feed")] * 50)
        assert store.of(["ana"])[0] == [("pen", "search")]
        store._db.execute("PRAGMA max_page_count = 1000000")
        store.add("ana", [("mug", "feed")])
        assert store.of(["ana"])[0] == [("pen", "search"), ("mug", "feed")]
