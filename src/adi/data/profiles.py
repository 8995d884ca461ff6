"""Profiles: histories as sparse rows of weighted items, for what is counted from them."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from adi.data.arrays import Array
from adi.data.histories import Histories

RECENCY = 0.3
"""The power by which a time counts less, the more items are later."""

AGE_FACTOR = 0.8
"""The weight of an item of a history relative to the next newer one, for what follows it."""

LAST = 10
"""The newest items of a history that anything follows."""


def frequencies(histories: Histories, num_items: int, recency: float = RECENCY) -> sp.csr_array:
    """Frequencies of the items of n histories (n, num_items), where newer times count more:

        f(v) = sum over the times that v is in the history of (1 + later)^-recency

    ``later`` is the number of newer items in the history. What a user takes again and again is taken again: on logs
    with repeats, such as groceries, this alone is hard to beat (Li et al., A Next Basket Recommendation Reality Check,
    TOIS 2023). With a `recency` of 0 these are plain counts.
    """
    return _profiles(histories, num_items, (1.0 + _later(histories)) ** -recency)


def recent_profiles(histories: Histories, num_items: int, age_factor: float = AGE_FACTOR) -> sp.csr_array:
    """The `LAST` newest items of n histories (n, num_items): ``age_factor^later`` for each time of an item."""
    histories = histories.last(LAST)
    return _profiles(histories, num_items, age_factor ** _later(histories))


def distinct_profiles(histories: Histories, num_items: int) -> sp.csr_array:
    """The distinct items of n histories (n, num_items), 1 each."""
    profiles = _profiles(histories, num_items, np.ones(len(histories.items)))
    profiles.data[:] = 1.0
    return profiles


def _later(histories: Histories) -> Array:
    """The number of newer items in the history of each position (T,)."""
    positions = np.arange(len(histories.items), dtype=np.float64)
    return np.repeat(histories.offsets[1:], histories.lengths) - positions - 1


def _profiles(histories: Histories, num_items: int, weights: Any) -> sp.csr_array:
    """The sums of the weights (T,) of each item of n histories (n, num_items)."""
    shape = (len(histories), num_items)
    sums = sp.csr_array((weights.astype(np.float32), histories.items, histories.offsets), shape=shape, copy=True)
    sums.sum_duplicates()  # sorts in place: without the copy, it would reorder the history
    return sums
