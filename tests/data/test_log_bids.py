"""The log bids of a domain's items, read from their attributes; everything that is no bid is named."""

import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from adi.data.bids import check_weight, log_bids
from adi.data.dataset import Dataset
from adi.errors import AdiError


def with_column(workspace, bids):
    """The items w, x and y, which can be retrieved in domain a, and z, which cannot, with the column `bid`."""
    columns = {"item": ["w", "x", "y", "z"], "colour": ["red", "red", "blue", "red"], "bid": bids}
    workspace.table("items", pa.table(columns), "item")
    workspace.add("item", name="colour", kind="categorical", table="items")
    workspace.prepare()
    data = Dataset(workspace.out)
    assert [data.items.key(item) for item in data.corpora.retrievable(0)] == ["w", "x", "y"]
    return data


def test_each_domain_has_its_own(prepared_with_bids):
    data = Dataset(prepared_with_bids)
    # bag cap ink jar mug pen été 本; bag mug pen; map
    powers = [[6, 0, 3, 1.5, 2, -1, 5, 8], [4, 0, 1], [3]]
    for domain, expected in enumerate(powers):
        logs = log_bids(data, domain, "bid")
        assert logs.dtype == np.float32
        np.testing.assert_allclose(logs, np.asarray(expected) * math.log(2), rtol=1e-6)


@pytest.mark.parametrize(
    "bids",
    [
        pa.array([1, 2, 4, None]),
        pa.array([1, 2, 4, None], pa.uint8()),
        pa.array([1.0, 2.0, 4.0, -1.0], pa.float32()),
        pa.array([Decimal("1.0"), Decimal("2.0"), Decimal("4.0"), Decimal("0.0")]),
    ],
    ids=lambda bids: str(bids.type),
)
def test_any_kind_of_number_and_only_those_that_are_needed(workspace, bids):
    data = with_column(workspace, bids)
    np.testing.assert_allclose(log_bids(data, 0, "bid"), [0, math.log(2), math.log(4)], rtol=1e-6)


@pytest.mark.parametrize(
    ("bids", "fault"),
    [
        ([1.0, None, None, 1.0], r"2 of the 3 items .* the first is item 'x' \(missing\)"),
        ([0.0, 1.0, 1.0, 1.0], r"1 of the 3 items .* the first is item 'w' \(0\.0\)"),
        ([1.0, 1.0, -0.5, 1.0], r"1 of the 3 items .* the first is item 'y' \(-0\.5\)"),
        ([1.0, math.inf, 1.0, 1.0], r"1 of the 3 items .* the first is item 'x' \(missing\)"),
        ([math.nan, math.inf, 0.0, 1.0], r"3 of the 3 items .* the first is item 'w' \(missing\)"),
        ([-3, 1, 0, 1], r"2 of the 3 items .* the first is item 'w' \(-3\)"),
        ([None, None, None, 1], r"3 of the 3 items .* the first is item 'w' \(missing\)"),
    ],
)
def test_an_item_without_a_bid_above_zero_is_named(workspace, bids, fault):
    data = with_column(workspace, bids)
    with pytest.raises(AdiError, match=rf"^domain 'a', column 'bid': {fault}\. Give each a bid \(1 adds nothing"):
        log_bids(data, 0, "bid")


def test_items_that_the_table_does_not_have(dataset):
    with pytest.raises(AdiError, match=r"domain 'feed', column 'bid': 1 of the 3 items .* item 'bag' \(missing\)"):
        log_bids(dataset, 1, "bid")


@pytest.mark.parametrize(
    ("bids", "shown"),
    [
        (["1", "2", "4", "8"], "string"),
        ([True, False, True, True], "bool"),
        ([[1], [2], [4], [8]], "list<"),
    ],
)
def test_a_column_of_no_numbers(workspace, bids, shown):
    data = with_column(workspace, bids)
    with pytest.raises(AdiError, match=rf"domain 'a', column 'bid': is of type {shown}.*and a bid is a number"):
        log_bids(data, 0, "bid")


def test_a_column_that_is_not_there(dataset):
    with pytest.raises(AdiError, match=r"items have no attribute 'bit'\. Did you mean 'bid'\?"):
        log_bids(dataset, 0, "bit")


@pytest.mark.parametrize("weight", [-0.5, -1e-9, math.nan, math.inf, -math.inf, 1e6 + 1])
def test_a_weight_out_of_range(weight):
    with pytest.raises(AdiError, match=rf"bid_weight: {weight}; give a number from 0, .* to 1,000,000"):
        check_weight(weight)


@pytest.mark.parametrize("weight", [0, -0.0, 1e-9, 3, 1e6])
def test_a_weight_in_range(weight):
    check_weight(weight)
