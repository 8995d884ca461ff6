"""Frequencies: how often each item is in a history, where newer times count more.

    f(v) = sum over the times that v is in the history of (1 + later)^-0.3,   later: the number of later items

What a user takes again and again is taken again. On logs with repeats, such as groceries, this alone is hard to beat
(Li et al., A Next Basket Recommendation Reality Check, TOIS 2023).
"""

import numpy as np
import scipy.sparse as sp

from adi.data.histories import Histories

RECENCY = 0.3
"""The power by which a time counts less, the more items are later."""


def frequencies(histories: Histories, num_items: int, recency: float = RECENCY) -> sp.csr_array:
    """The frequencies of the items of n histories (n, num_items); with a `recency` of 0, plain counts."""
    later = np.repeat(histories.offsets[1:], histories.lengths) - np.arange(len(histories.items)) - 1
    counted = ((1.0 + later) ** -recency).astype(np.float32)
    shape = (len(histories), num_items)
    sums = sp.csr_array((counted, histories.items, histories.offsets), shape=shape, copy=True)
    sums.sum_duplicates()  # sorts in place: without the copy, it would reorder the history
    return sums
