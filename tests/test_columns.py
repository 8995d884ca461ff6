"""Positions of values among items: by a table for many values, by binary search for a few."""

import numpy as np
import pytest

from adi.columns import columns_of


@pytest.mark.parametrize("times", [1, 100])
def test_positions_by_hand(times: int) -> None:
    items = np.array([2, 5, 9], dtype=np.int32)
    values = np.array([9, 0, 5, 3, 70, 2] * times)
    assert columns_of(values, items).tolist() == [2, -1, 1, -1, -1, 0] * times


@pytest.mark.parametrize(("values", "items"), [([], [1, 2]), ([1, 2], []), ([], [])])
def test_nothing_is_found_among_nothing(values: list[int], items: list[int]) -> None:
    found = columns_of(np.array(values, dtype=np.int64), np.array(items, dtype=np.int64))
    assert found.tolist() == [-1] * len(values)
