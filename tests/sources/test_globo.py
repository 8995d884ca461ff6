"""The clicks' filters, in their order, and the split that the schema asks for."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adi.errors import AdiError
from adi.schema import BehavioursFeature, LastSplit, load_schema
from adi.sources.globo import globo_news

START = 1_506_902_400_000  # 2017-10-02 00:00:00 UTC, in milliseconds

Click = tuple[int, int, int, int]
"""User, item, seconds after START, referrer type."""


def _write(file: Path, clicks: list[Click]) -> None:
    users, items, seconds, referrers = zip(*clicks, strict=True)
    table = {
        "user_id": users,
        "session_size": [2] * len(clicks),
        "click_article_id": items,
        "click_timestamp": [START + 1000 * second for second in seconds],
        "click_os": [17 + user % 2 for user in users],
        "click_referrer_type": referrers,
    }
    file.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(table), file)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Items 100 and 200 have 10 first clicks; 300 has 10 clicks of 9 users, and user 11 clicks on 100 and 300 only.

    So 300 goes, then user 11, and 100 stays with 9 clicks, since each filter runs once. User 12 is in no kept domain.
    """
    first = [
        (2, 100, 90, 2),  # a later repetition, first in the files
        *[(user, 100, user, 1) for user in range(1, 10)],
        (11, 100, 11, 1),
    ]
    second = [
        *[(user, 200, 20 + user, 2) for user in range(1, 10) if user != 3],
        (3, 200, 23, 5),  # two clicks at once: the first in the files stays
        (3, 200, 23, 7),
        (10, 200, 30, 7),
        (10, 100, 31, 7),
        *[(user, 300, 40 + user, 1) for user in (1, 2, 3, 4, 5, 6, 7, 8, 11)],
        (1, 300, 60, 1),
        (12, 100, 61, 4),
        (12, 200, 62, 4),
    ]
    _write(tmp_path / "published" / "clicks_1.parquet", first)
    _write(tmp_path / "published" / "clicks_2.parquet", second)
    return tmp_path / "published"


def test_filters_run_in_their_order_and_once(source: Path, tmp_path: Path) -> None:
    globo_news(source, tmp_path / "tables")
    rows = json.loads((tmp_path / "tables" / "conversion.json").read_text())["rows"]
    assert rows == {
        "read": 11 + 24,
        "kept": 20,
        "set_aside": {
            "click_referrer_type not 1, 2, 5, 7": 2,
            "not the user's first click on the item": 3,
            "item with fewer than 10 clicks": 9,
            "user with fewer than 2 clicks": 1,
        },
    }
    clicks = pq.read_table(tmp_path / "tables" / "clicks.parquet").to_pylist()
    kept = [(click["user_id"], click["item_id"], click["domain"]) for click in clicks]
    assert kept == [
        *[(user, 100, "r1") for user in range(1, 10)],
        (1, 200, "r2"),
        (2, 200, "r2"),
        (3, 200, "r5"),
        *[(user, 200, "r2") for user in range(4, 10)],
        (10, 200, "r7"),
        (10, 100, "r7"),
    ]


def test_time_and_context(source: Path, tmp_path: Path) -> None:
    globo_news(source, tmp_path / "tables")
    table = pq.read_table(tmp_path / "tables" / "clicks.parquet")
    assert table.column_names == ["user_id", "item_id", "domain", "time", "os"]
    assert table.to_pylist()[2] == {
        "user_id": 3,
        "item_id": 100,
        "domain": "r1",
        "time": datetime(2017, 10, 2, 0, 0, 3),
        "os": 18,
    }
    schema = load_schema(tmp_path / "tables")
    assert schema.domains.values == ("r1", "r2", "r5", "r7")
    assert [feature.name for feature in schema.features.context] == ["os"]
    assert schema.features.user[:2] == (
        BehavioursFeature(name="history", kind="behaviours", length=50),
        BehavioursFeature(name="last", kind="behaviours", length=1),
    )
    assert schema.split == LastSplit(kind="last")


def test_another_domain_column(source: Path, tmp_path: Path) -> None:
    globo_news(source, tmp_path / "tables", domain_column="click_os", values=["18", "17"])
    schema = load_schema(tmp_path / "tables")
    assert schema.domains.values == ("o18", "o17")
    assert [feature.name for feature in schema.features.context] == ["referrer_type"]
    table = pq.read_table(tmp_path / "tables" / "clicks.parquet")
    assert set(table["domain"].to_pylist()) == {"o17", "o18"}
    assert 4 in table["referrer_type"].to_pylist()


def test_value_that_no_row_holds_lists_those_that_are_there(source: Path, tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"'click_os': no row holds '3'\. .*: 18 \(1\d\), 17 \(1\d\)\."):
        globo_news(source, tmp_path / "tables", domain_column="click_os", values=["17", "3"])
    assert not (tmp_path / "tables").exists()


@pytest.mark.parametrize("values", [[], ["1", "1"]])
def test_values_are_distinct_and_some(source: Path, tmp_path: Path, values: list[str]) -> None:
    with pytest.raises(AdiError, match=r"one or more distinct values of 'click_referrer_type'"):
        globo_news(source, tmp_path / "tables", values=values)


def test_missing_column_is_named(source: Path, tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"no column 'click_referrer' \(the domain\)\. Did you mean"):
        globo_news(source, tmp_path / "tables", domain_column="click_referrer", values=["1"])


def test_corrupt_file_is_named(source: Path, tmp_path: Path) -> None:
    (source / "clicks_2.parquet").write_bytes((source / "clicks_2.parquet").read_bytes()[:-20])
    with pytest.raises(AdiError, match=r"clicks_2\.parquet: cannot be read"):
        globo_news(source, tmp_path / "tables")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["published"]


def test_folder_without_clicks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AdiError, match=r"no file matches 'clicks\*\.parquet'\. Expected are the published clicks"):
        globo_news(tmp_path, tmp_path / "tables")


def test_taken_place_is_refused_and_kept(source: Path, tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "mine.txt").write_text("mine")
    with pytest.raises(AdiError, match=r"tables: exists and is not empty"):
        globo_news(source, tmp_path / "tables")
    assert (tmp_path / "tables" / "mine.txt").read_text() == "mine"


def test_published_data_and_its_split(published: Callable[[str], Path], tmp_path: Path) -> None:
    """The rule of `LastSplit`, in SQL: hold out each (user, domain)'s last click if another click of the user stays."""
    globo_news(published("globo-news"), tmp_path / "tables")
    with duckdb.connect() as connection:
        connection.read_parquet(str(tmp_path / "tables" / "clicks.parquet")).create_view("clicks")
        connection.execute(
            """CREATE TABLE parts AS
            WITH marked AS (
                SELECT *, row_number() OVER (PARTITION BY user_id, domain ORDER BY time DESC, item_id DESC) = 1 AS last
                FROM clicks
            )
            SELECT *, last AND bool_or(NOT last) OVER (PARTITION BY user_id) AS test FROM marked"""
        )
        by_part = "SELECT count(*) FILTER (NOT test), count(*) FILTER (test) FROM parts"
        assert connection.sql(by_part).fetchall() == [(546_976, 187_354)]
        distinct = "SELECT count(DISTINCT user_id), count(DISTINCT item_id) FROM parts WHERE NOT test"
        assert connection.sql(distinct).fetchall() == [(152_467, 2_302)]
        outside = """SELECT domain, round(avg(CAST(seen.item_id IS NULL AS INTEGER)), 4)
            FROM parts LEFT JOIN (SELECT DISTINCT domain, item_id FROM parts WHERE NOT test) AS seen
            USING (domain, item_id) WHERE test GROUP BY domain ORDER BY domain"""
        assert connection.sql(outside).fetchall() == [("r1", 0.0003), ("r2", 0.0107), ("r5", 0.0863), ("r7", 0.0493)]
