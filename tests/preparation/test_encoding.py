"""Arrays of features by hand: ids, categories, lists and numbers, by domain, of the context; and empty columns."""

import math

import numpy as np
import pytest

from adi.errors import AdiError
from adi.features.encoding import Hash


def info(workspace, name):
    return next(feature for feature in workspace.manifest.features if feature.name == name)


class TestIds:
    def test_counts_are_those_of_training(self, workspace):
        workspace.schema["features"]["item"] = [{"name": "item_id", "kind": "id", "min_count": 2}]
        workspace.add("user", name="user_id", kind="id")
        workspace.prepare()
        # in training x and y are on 3 rows, w on 2; z is on test rows alone
        assert workspace.rows("vocabulary/item_id") == [
            {"value": "x", "count": 3, "code": 2},
            {"value": "y", "count": 3, "code": 3},
            {"value": "w", "count": 2, "code": 4},
        ]
        assert workspace["features/item/item_id"] == [4, 2, 3, 1]
        assert info(workspace, "item_id").rows == 5
        assert workspace["features/user/user_id"] == [2, 3, 5, 4]  # ann 3 rows, bo and dee 2, cy 1

    def test_hashed(self, workspace):
        workspace.schema["features"]["item"] = [{"name": "item_id", "kind": "id", "hash_size": 50}]
        workspace.prepare()
        assert workspace["features/item/item_id"] == [Hash(50).encode_value(item) for item in "wxyz"]
        assert info(workspace, "item_id").rows == 52
        assert not (workspace.out / "vocabulary").exists()


class TestTables:
    def test_categories(self, workspace):
        rows = [("bo", "old"), ("ann", "young"), ("cy", None), ("zoe", "old"), (None, "old"), ("", "x")]
        workspace.table("users", [{"id": user, "years": age} for user, age in rows], "id")
        workspace.add("user", name="age", kind="categorical", table="users", column="years")
        manifest = workspace.prepare()
        # zoe is no user of the log: an entity that can be asked for; a row without a key is set aside
        assert [row["key"] for row in workspace.rows("entities/user")] == ["ann", "bo", "cy", "dee", "zoe"]
        assert workspace.rows("vocabulary/age") == [
            {"value": "old", "count": 2, "code": 2},
            {"value": "young", "count": 1, "code": 3},
        ]
        assert workspace["features/user/age"] == [3, 2, 0, 0, 2]
        assert manifest.tables["users"].model_dump() == {"read": 6, "kept": 4, "set_aside": {"no key": 2}}
        assert workspace["interactions/user_offsets"] == [0, 3, 5, 6, 8, 8]

    @pytest.mark.parametrize("options", [{"separator": "|"}, {}])
    def test_lists(self, workspace, options):
        lists = {
            "x": ["red", "blue"],
            "z": ["blue", "", "blue"],
            "w": [],
            "y": None,
            "new": ["red", None, "blue", "big"],
        }
        as_written = {
            item: "|".join(value or "" for value in values) if options and values is not None else values
            for item, values in lists.items()
        }
        workspace.table("items", [{"item": item, "tags": tags} for item, tags in as_written.items()], "item")
        workspace.add("item", name="tags", kind="multi", table="items", min_count=2, **options)
        workspace.prepare()
        assert [row["key"] for row in workspace.rows("entities/item")] == ["new", "w", "x", "y", "z"]
        assert workspace.rows("vocabulary/tags") == [
            {"value": "blue", "count": 4, "code": 2},
            {"value": "red", "count": 2, "code": 3},
        ]
        assert workspace["features/item/tags.values"] == [3, 2, 1, 3, 2, 2, 2]
        assert workspace["features/item/tags.offsets"] == [0, 3, 3, 5, 5, 7]

    def test_a_separator_with_a_quote_is_itself(self, workspace):
        workspace.table("items", [{"item": "x", "tags": "a'b'a"}], "item")
        workspace.add("item", name="tags", kind="multi", table="items", separator="'")
        workspace.prepare()
        assert workspace["features/item/tags.values"] == [2, 3, 2]

    def test_numbers_and_those_that_are_none(self, workspace):
        prices = {"w": 4.0, "x": math.nan, "y": 1.0, "z": math.inf, "new": None, "old": 2.0}
        workspace.table("items", [{"item": item, "price": price} for item, price in prices.items()], "item")
        workspace.add("item", name="price", kind="numeric", table="items", buckets=3)
        manifest = workspace.prepare()
        assert info(workspace, "price").edges == pytest.approx((5 / 3, 8 / 3))  # thirds of 1, 2, 4
        assert workspace["features/item/price"] == [0, 3, 4, 0, 2, 0]  # new, old, w, x, y, z
        numbers = [math.nan, 2.0, 4.0, math.nan, 1.0, math.nan]
        assert workspace["features/item/price.number"] == pytest.approx(numbers, nan_ok=True)
        assert info(workspace, "price").rows == 5
        assert manifest.ignored_values == {"price": 2}

    def test_by_domain(self, workspace):
        rows = [("x", "a", 1.0), ("x", "b", 9.0), ("y", "b", 1.0), ("y", "c", 5.0), ("z", None, 5.0), (None, "a", 5.0)]
        rows += [("z", None, 6.0)]  # without a domain: set aside, and no repeated key
        names = ("item", "shop", "bid")
        workspace.table("bids", [dict(zip(names, row, strict=True)) for row in rows], ["item", "shop"])
        workspace.add("item", name="bid", kind="numeric", table="bids", buckets=2)
        manifest = workspace.prepare()
        assert workspace["features/item/bid"] == [
            [0, 0],
            [2, 3],
            [0, 2],
            [0, 0],
        ]  # the edge is 9: the median, 1, is the lowest
        bids = [[math.nan] * 2, [1.0, 9.0], [math.nan, 1.0], [math.nan] * 2]
        assert np.load(workspace.out / "features/item/bid.number.npy") == pytest.approx(np.array(bids), nan_ok=True)
        assert manifest.tables["bids"].model_dump() == {
            "read": 7, "kept": 3, "set_aside": {"no key": 3, "domain not in the log": 1},
        }  # fmt: skip
        assert info(workspace, "bid").by_domain

    def test_infinities_are_missing_among_the_numbers(self, workspace, log):
        prices = dict(zip("wxyz", (1.5, math.inf, math.nan, -math.inf), strict=True))
        workspace.table("items", [{"item": item, "price": price} for item, price in prices.items()], "item")
        workspace.add("item", name="price", kind="numeric", table="items", buckets=2)
        workspace.write("log.jsonl", [{**row, "hour": prices[row["item"]]} for row in log])
        workspace.add("context", name="hour", kind="numeric", buckets=2)
        assert workspace.prepare().ignored_values == {"price": 3, "hour": 10}
        for name in ("features/item/price", "interactions/context_hour", "test/context_hour"):
            numbers = workspace[f"{name}.number"]
            assert [math.isnan(number) or number == 1.5 for number in numbers] == [True] * len(numbers)

    def test_categories_by_domain(self, workspace):
        rows = [("ann", "b", "gold"), ("cy", "a", "gold"), ("cy", "b", "tin"), ("dee", "nowhere", "tin")]
        names = ("user", "domain", "level")
        workspace.table("levels", [dict(zip(names, row, strict=True)) for row in rows], ["user", "domain"])
        workspace.add("user", name="level", kind="categorical", table="levels")
        workspace.prepare()
        assert workspace["features/user/level"] == [[0, 2], [0, 0], [2, 3], [0, 0]]

    def test_an_empty_text_is_missing(self, workspace):
        workspace.table("users", [{"user": "ann", "age": ""}, {"user": "bo", "age": " "}], "user")
        workspace.add("user", name="age", kind="categorical", table="users")
        workspace.prepare()
        assert workspace["features/user/age"] == [0, 2, 0, 0]


class TestContext:
    def test_codes_of_every_part(self, workspace, log):
        devices = ["tv", "tv", None, "pc", "pc", "tv", "new", "", "pc", "pc", "tv", "tv"]
        hours = [1.0, 2.0, 3.0, 4.0, 5.0, None, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0]
        rows = [{**row, "device": d, "hour": h} for row, d, h in zip(log, devices, hours, strict=True)]
        workspace.write("log.jsonl", rows)
        workspace.add("context", name="device", kind="categorical")
        workspace.add("context", name="device_hashed", kind="categorical", column="device", hash_size=7)
        workspace.add("context", name="hour", kind="numeric", buckets=2)
        workspace.prepare()
        # training rows in their order: 1 10 2, 4 7, 5, 8 9; test rows: 6 0 3 11
        training, test = [1, 10, 2, 4, 7, 5, 8, 9], [6, 0, 3, 11]
        assert workspace.rows("vocabulary/device") == [
            {"value": "pc", "count": 3, "code": 2},
            {"value": "tv", "count": 3, "code": 3},
        ]
        assert workspace["interactions/context_device"] == [3, 3, 0, 2, 0, 3, 2, 2]
        assert workspace["test/context_device"] == [1, 3, 2, 3]
        hashed = [Hash(7).encode_value(device) if device else 0 for device in devices]
        assert workspace["interactions/context_device_hashed"] == [hashed[row] for row in training]
        assert workspace["test/context_device_hashed"] == [hashed[row] for row in test]
        # hours of training: 2 11 3 5 8 - 9 10, median 8
        assert info(workspace, "hour").edges == (8.0,)
        assert workspace["interactions/context_hour"] == [2, 3, 2, 2, 3, 0, 3, 3]
        assert workspace["test/context_hour"] == [2, 2, 2, 3]
        numbers = [2.0, 11.0, 3.0, 5.0, 8.0, math.nan, 9.0, 10.0]
        assert workspace["interactions/context_hour.number"] == pytest.approx(numbers, nan_ok=True)
        assert workspace["test/context_hour.number"] == [7.0, 1.0, 4.0, 12.0]
        assert not (workspace.out / "test" / "context_device.number.npy").exists()

    def test_numbers_that_are_none_are_counted(self, workspace, log):
        hours = [math.nan, 1, 2, math.inf, *range(8)]
        workspace.write("log.parquet", [{**row, "hour": float(h)} for row, h in zip(log, hours, strict=True)])
        workspace.interactions(path="log.parquet")
        workspace.add("context", name="hour", kind="numeric", buckets=2)
        assert workspace.prepare().ignored_values == {"hour": 2}

    def test_codes_as_written(self, workspace, log):
        workspace.write("log.csv", [{**row, "version": ("1.50", "7")[place % 2]} for place, row in enumerate(log)])
        workspace.interactions(path="log.csv")
        workspace.add("context", name="version", kind="categorical")
        workspace.add("context", name="moment", kind="categorical", column="time")
        workspace.prepare()
        assert {row["value"] for row in workspace.rows("vocabulary/version")} == {"1.50", "7"}
        assert "10" in {row["value"] for row in workspace.rows("vocabulary/moment")}
        assert workspace["interactions/time"] == [10, 15, 20, 10, 20, 5, 7, 7]  # a number still

    @pytest.mark.parametrize("kind", ["categorical", "numeric"])
    def test_a_column_without_a_value_in_training(self, workspace, log, kind):
        workspace.write("log.jsonl", [{**row, "hour": 3 if row["item"] == "z" else None} for row in log])
        workspace.add("context", name="hour", kind=kind)
        with pytest.raises(
            AdiError, match=r"log\.jsonl, column 'hour': every value is missing\. Remove feature 'hour'"
        ):
            workspace.prepare()
        assert workspace.left_behind() == []


class TestNothingInIt:
    @pytest.mark.parametrize(
        "feature", [{"kind": "categorical"}, {"kind": "numeric"}, {"kind": "multi", "separator": ","}]
    )
    def test_every_value_missing(self, workspace, feature):
        workspace.write("items.csv", [{"item": "x", "price": None}, {"item": "y", "price": None}])
        workspace.schema["tables"] = {"items": {"path": "items.csv", "key": "item"}}
        if feature["kind"] == "numeric":  # a CSV column without a value is text; Parquet keeps its type
            workspace.table("items", [{"item": "x", "price": None}, {"item": "", "price": 1.5}], "item")
        workspace.add("item", name="cost", column="price", table="items", **feature)
        message = r"items\.\w+, column 'price': every value is missing\. Remove feature 'cost', or mend the column"
        with pytest.raises(AdiError, match=message):
            workspace.prepare()
        assert workspace.left_behind() == []

    def test_every_value_of_another_domain(self, workspace):
        workspace.table("bids", [{"item": "x", "domain": "c", "bid": 1.0}], ["item", "domain"])
        workspace.add("item", name="bid", kind="numeric", table="bids")
        with pytest.raises(
            AdiError, match=r"bids\.parquet, column 'bid': every value of a domain of the log is missing"
        ):
            workspace.prepare()

    def test_only_nan_and_infinities(self, workspace):
        workspace.table("items", [{"item": "x", "price": math.nan}, {"item": "y", "price": math.inf}], "item")
        workspace.add("item", name="price", kind="numeric", table="items")
        with pytest.raises(AdiError, match=r"items\.parquet, column 'price': no value is a finite number"):
            workspace.prepare()
