"""Positions of values among ascending items."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_TABLE = 8
"""A table of the positions of all items is faster than binary search, unless it is this many times longer than the
values that are looked up."""

Ints = NDArray[Any]


def columns_of(values: Ints, items: Ints) -> Ints:
    """The position of each of `values` (T,) among `items` (m,), ascending; -1 for a value that is not one of them."""
    if not len(values) or not len(items):
        return np.full(len(values), -1)
    largest = int(items[-1])
    if largest < LARGEST_TABLE * len(values):
        table = np.full(largest + 2, -1)  # the last entry is for larger values
        table[items] = np.arange(len(items))
        columns: Ints = table[np.minimum(values, largest + 1)]
        return columns
    columns = np.searchsorted(items, values.astype(items.dtype))
    return np.where(items.take(columns, mode="clip") == values, columns, -1)
