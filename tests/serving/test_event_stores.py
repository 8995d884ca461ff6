"""The latest events of users: what every store of them does, and what one in a file does."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from adi.errors import AdiError
from adi.serving.recent import KEPT, Recent, SqliteRecent, StoreError
from adi.serving.recent_redis import RedisRecent

Open = Callable[[], Recent]


@pytest.fixture(params=["memory", "file", "redis"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def opened(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Open]:
    """A function that opens the store; what was opened before is kept by those that are not in memory."""
    with ExitStack() as stack:

        def open_store() -> Recent:
            if kind == "redis":
                return stack.enter_context(closing(RedisRecent(request.getfixturevalue("redis_server").url)))
            return stack.enter_context(closing(SqliteRecent(tmp_path / "events.db" if kind == "file" else None)))

        yield open_store


def test_the_latest_are_kept_in_order_for_each_user(opened: Open) -> None:
    recent = opened()
    assert recent.of(["ana"])[0] == []
    for number in range(3):
        recent.add("bo", [("x", "feed")])
        recent.add("ana", [(f"{number}-{each}", "search") for each in range(90)])
    assert recent.of(["ana"])[0] == [(f"{n}-{each}", "search") for n in range(3) for each in range(90)][-KEPT:]
    assert recent.of(["bo"])[0] == [("x", "feed")] * 3
    assert recent.of(["bo", "cy", "ana", "bo"]) == [recent.of([user])[0] for user in ("bo", "cy", "ana", "bo")]


def test_more_at_once_than_are_kept(opened: Open) -> None:
    recent = opened()
    recent.add("ana", [(str(each), "feed") for each in range(KEPT + 3)])
    assert recent.of(["ana"])[0] == [(str(each), "feed") for each in range(3, KEPT + 3)]


@pytest.mark.parametrize("text", ["'; DROP TABLE event; --", "a b\r\n*1", "*", '李:é\x00"]', "\U0001f600"])
def test_any_text_may_be_an_id(opened: Open, text: str) -> None:
    recent = opened()
    recent.add(text, [(text, "feed"), ("pen", text)])
    assert recent.of([text])[0] == [(text, "feed"), ("pen", text)]
    assert recent.of([f"{text}."])[0] == []


@pytest.mark.parametrize("kind", ["file", "redis"])
def test_the_next_server_has_them(opened: Open) -> None:
    opened().add("ana", [("é", "feed")])
    again = opened()
    again.add("ana", [("pen", "feed")])
    assert again.of(["ana"])[0] == [("é", "feed"), ("pen", "feed")]


def test_several_threads_lose_nothing(opened: Open) -> None:
    recent = opened()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: recent.add("ana", [(str(number), "feed")]), range(100)))
    assert sorted(int(item) for item, _ in recent.of(["ana"])[0]) == list(range(100))


def test_a_place_that_cannot_hold_them_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, but a text that is long enough to be read as the head of one" * 9)
    for path in (tmp_path / "missing" / "events.db", tmp_path / "text"):
        with pytest.raises(AdiError, match="no place to keep events"):
            SqliteRecent(path)


def test_a_full_disk_takes_nothing_and_spoils_nothing(tmp_path: Path) -> None:
    with closing(SqliteRecent(tmp_path / "events.db")) as recent:
        recent.add("ana", [("pen", "search")])
        (pages,) = recent._db.execute("PRAGMA page_count").fetchone()
        recent._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="full"):
            recent.add("ana", [("mug" * 500, "feed")] * 50)
        assert recent.of(["ana"])[0] == [("pen", "search")]
        recent._db.execute("PRAGMA max_page_count = 1000000")
        recent.add("ana", [("mug", "feed")])
        assert recent.of(["ana"])[0] == [("pen", "search"), ("mug", "feed")]
