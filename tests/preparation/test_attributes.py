"""Attributes of items, written by `prepare` and read back for a domain: values, types, order and names."""

import datetime as dt
import math
from decimal import Decimal

import pyarrow as pa
import pytest

from adi.data.dataset import Dataset
from adi.errors import AdiError
from older import change_manifest


def attributes(workspace, domain="a", columns=None):
    """What the dataset says of the items w, x, y and z in a domain."""
    dataset = Dataset(workspace.out)
    return dataset.attributes(dataset.domains.index(domain), columns)


def test_columns_of_every_type_by_hand(workspace):
    rows = {
        "item": ["z", "x", "w"],  # not in order, and y has none
        "title": ["it's \n z", "", "Wörter"],
        "price": pa.array([Decimal("1.50"), None, Decimal("20.25")], pa.decimal128(8, 2)),
        "stock": pa.array([2**63 - 1, None, -3], pa.int64()),
        "ratio": pa.array([math.nan, math.inf, 0.5], pa.float32()),
        "new": [True, False, None],
        "since": pa.array([dt.date(2020, 2, 29), None, dt.date(1969, 12, 31)]),
        "seen": pa.array([dt.datetime(2020, 1, 1, 12), None, None], pa.timestamp("us")),
        "tags": [["b", "a"], [], None],
        "sizes": [[1, 2], None, [3]],
        "maker": [{"name": "m"}, None, None],
    }
    workspace.table("items", pa.table(rows), "item")
    workspace.add("item", name="price", kind="numeric", table="items")
    workspace.prepare()
    table = attributes(workspace)
    assert table.to_pydict() == {
        "item": ["w", "x", "y", "z"],
        "title": ["Wörter", None, None, "it's \n z"],
        "price": [20.25, None, None, 1.5],
        "stock": [-3, None, None, 2**63 - 1],
        "ratio": [0.5, None, None, None],
        "new": [None, False, None, True],
        "since": [dt.date(1969, 12, 31), None, None, dt.date(2020, 2, 29)],
        "seen": [None, None, None, dt.datetime(2020, 1, 1, 12)],
        "tags": [None, [], None, ["b", "a"]],
        "sizes": [[3], None, None, [1, 2]],
        "maker": [None, None, None, "{'name': m}"],
    }
    assert [table.schema.field(name).type for name in ("price", "stock", "ratio")] == [
        pa.float64(), pa.int64(), pa.float32(),
    ]  # fmt: skip
    assert attributes(workspace, columns=["tags", "item"]).column_names == ["tags", "item"]


def test_a_feature_says_what_its_column_is(workspace):
    """In a CSV the file alone would make numbers of the brands and a text of each list of tags."""
    lines = "item,brand,band,tags,size", "x,12,7,b||a,3", "w,7.0,1.5,,4"
    (workspace.folder / "items.csv").write_text("\n".join(lines))
    workspace.schema["tables"] = {"items": {"path": "items.csv", "key": "item"}}
    workspace.add("item", name="brand", kind="categorical", table="items")
    workspace.add("item", name="tags", kind="multi", table="items", separator="|")
    workspace.add("item", name="band", kind="numeric", table="items")
    workspace.add("item", name="band_text", kind="categorical", table="items", column="band")
    workspace.prepare()
    assert attributes(workspace).to_pydict() == {
        "item": ["w", "x", "y", "z"],
        "brand": ["7.0", "12", None, None],
        "band": [1.5, 7.0, None, None],
        "tags": [None, ["b", "a"], None, None],
        "size": [4, 3, None, None],
    }


def test_a_table_by_domain_is_read_for_one(workspace):
    workspace.table("items", [{"item": "x", "title": "X"}], "item")
    rows = [
        {"item": "x", "domain": "b", "bid": 2.0, "label": "xb"},
        {"item": "w", "domain": "a", "bid": 1.0, "label": "wa"},
        {"item": "x", "domain": "a", "bid": 4.0, "label": None},
        {"item": "y", "domain": "kiosk", "bid": 8.0, "label": "set aside"},
    ]
    workspace.table("bids", rows, ["item", "domain"])
    workspace.add("item", name="title", kind="categorical", table="items")
    workspace.add("item", name="bid", kind="numeric", table="bids", buckets=2)
    workspace.prepare()
    shared = {"item": ["w", "x", "y", "z"], "title": [None, "X", None, None]}
    in_domain = {"bid": [1.0, 4.0, None, None], "label": ["wa", None, None, None]}
    assert attributes(workspace, "a").to_pydict() == shared | in_domain
    in_domain = {"bid": [None, 2.0, None, None], "label": [None, "xb", None, None]}
    assert attributes(workspace, "b").to_pydict() == shared | in_domain
    assert workspace.rows("attributes/item_domain/1") == [
        {"bid": bid, "label": label} for bid, label in zip(in_domain["bid"], in_domain["label"], strict=True)
    ]


def test_item_ids_that_are_numbers(workspace, log):
    ids = {"w": 9, "x": 10, "y": 2, "z": 100}
    workspace.write("log.jsonl", [{**row, "item": ids[row["item"]]} for row in log])
    workspace.table("items", pa.table({"sku": pa.array([2, 100, 9], pa.int32()), "price": [2.0, 100.0, 9.0]}), "sku")
    workspace.add("item", name="price", kind="numeric", table="items")
    workspace.prepare()
    assert attributes(workspace).to_pydict() == {"item": ["10", "100", "2", "9"], "price": [None, 100.0, 2.0, 9.0]}


def test_without_item_tables_there_are_the_ids(workspace):
    workspace.table("users", [{"user": "ann", "age": "old"}], "user")
    workspace.add("user", name="age", kind="categorical", table="users")
    workspace.prepare()
    assert attributes(workspace).to_pydict() == {"item": ["w", "x", "y", "z"]}
    assert not (workspace.out / "attributes" / "item_domain").exists()


class TestNames:
    @pytest.fixture
    def two(self, workspace):
        """Two tables that share a column's name but for its case, and one with a column named as the log's item."""
        workspace.table("items", [{"sku": "x", "Title": "first", "item": "not an id"}], "sku")
        workspace.table("more", [{"sku": "x", "title": "second", "pages": 3}], "sku")
        workspace.add("item", name="title", kind="categorical", table="items", column="Title")
        workspace.add("item", name="pages", kind="numeric", table="more")
        return workspace

    def test_a_name_that_would_come_twice_has_its_table(self, two):
        two.prepare()
        assert attributes(two).slice(1, 1).to_pylist() == [
            {"item": "x", "items.Title": "first", "items.item": "not an id", "more.title": "second", "pages": 3}
        ]

    def test_two_that_still_have_one_name_are_refused(self, two):
        two.table("more", [{"sku": "x", "title": "second", "items.title": "third", "pages": 3}], "sku")
        with pytest.raises(
            AdiError, match=r"tables\.items, column 'Title': among .* be 'items\.Title', and so would another"
        ):
            two.prepare()
        assert two.left_behind() == []

    def test_an_unknown_one(self, two):
        two.prepare()
        with pytest.raises(
            AdiError, match=r"no attribute 'page'\. Did you mean 'pages'\? Attributes: item, items\.Title"
        ):
            attributes(two, columns=["item", "page"])


def test_attributes_are_no_part_of_the_fingerprint(workspace):
    """A run goes on with the same data prepared again, where the items have another title or a further column."""
    workspace.table("items", [{"item": "x", "brand": "b", "title": "before"}], "item")
    workspace.add("item", name="brand", kind="categorical", table="items")
    first = workspace.prepare("first")
    workspace.table("items", [{"item": "x", "brand": "b", "title": "after", "bid": 1.0}], "item")
    assert workspace.prepare("second").fingerprint == first.fingerprint
    assert attributes(workspace)["title"].to_pylist() == [None, "after", None, None]
    workspace.table("items", [{"item": "w", "brand": "b", "title": "after", "bid": 1.0}], "item")
    assert workspace.prepare("third").fingerprint != first.fingerprint


def test_a_dataset_prepared_before_attributes_were_kept(workspace):
    workspace.prepare()
    (workspace.out / "attributes" / "item.parquet").unlink()
    change_manifest(workspace.out)
    dataset = Dataset(workspace.out)
    assert dataset.num_rows == 8
    with pytest.raises(
        AdiError, match=r"attributes: the items' attributes are missing there\. Prepare the dataset again"
    ):
        dataset.attributes(0)


def test_many_rows_come_in_several_batches(workspace, monkeypatch):
    monkeypatch.setattr("adi.engines.duckdb_engine.ROWS_PER_BATCH", 2048)
    ids = [f"i{number:05}" for number in range(10_000)]
    workspace.table("items", [{"item": item, "title": f"title of {item}"} for item in reversed(ids)], "item")
    workspace.add("item", name="title", kind="categorical", table="items")
    stages = []
    workspace.prepare(progress=lambda *stage: stages.append(stage))
    expected = [f"title of {item}" for item in ids] + [None] * 4
    assert attributes(workspace)["title"].to_pylist() == expected
    assert ("attributes", 1, 1) in stages
