"""The latest events of users, kept in memory or in a file."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adi.errors import AdiError
from adi.serving.recent import KEPT, SqliteRecent


def test_the_latest_are_kept_in_order_for_each_user() -> None:
    recent = SqliteRecent()
    assert recent.of("ana") == []
    for number in range(3):
        recent.add("bo", [("x", "feed")])
        recent.add("ana", [(f"{number}-{each}", "search") for each in range(90)])
    assert recent.of("ana") == [(f"{n}-{each}", "search") for n in range(3) for each in range(90)][-KEPT:]
    assert recent.of("bo") == [("x", "feed")] * 3


def test_a_file_keeps_them_for_the_next_server(tmp_path: Path) -> None:
    first = SqliteRecent(tmp_path / "events.db")
    first.add("'; DROP TABLE event; --", [("é", "feed")])
    first.close()
    again = SqliteRecent(tmp_path / "events.db")
    assert again.of("'; DROP TABLE event; --") == [("é", "feed")]
    again.close()


def test_several_threads_lose_nothing() -> None:
    recent = SqliteRecent()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: recent.add("ana", [(str(number), "feed")]), range(100)))
    assert sorted(int(item) for item, _ in recent.of("ana")) == list(range(100))


def test_a_place_that_cannot_hold_them_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, but a text that is long enough to be read as the head of one" * 9)
    for path in (tmp_path / "missing" / "events.db", tmp_path / "text"):
        with pytest.raises(AdiError, match="no place to keep events"):
            SqliteRecent(path)
