"""Ragged slices: many ranges of an array at once."""

import numpy as np

from adi.data.arrays import Array


def ranges(begin: Array, end: Array) -> tuple[Array, Array]:
    """All integers of n half-open ranges, one range after the other (T,), and offsets (n + 1,) that separate them."""
    lengths = np.maximum(end - begin, 0)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return np.arange(offsets[-1]) + np.repeat(begin - offsets[:-1], lengths), offsets


def count_below(values: Array, begin: Array, end: Array, limits: Array) -> Array:
    """The number of values below each limit (n,) in n slices ``values[begin:end]``, each of them ascending."""
    low, high = begin.astype(np.int64), end.astype(np.int64)
    while len(searched := np.flatnonzero(low < high)):
        middle = (low[searched] + high[searched]) // 2
        below = values[middle] < limits[searched]
        low[searched] = np.where(below, middle + 1, low[searched])
        high[searched] = np.where(below, high[searched], middle)
    return low - begin
