"""Training rows in groups of almost the same time, whose samples see the counters of one moment.

A batch whose every sample had a moment of its own would need the trends of all its candidates as often as it has
samples. Rows of a group share the middle of the group's time instead. A group is so short that even its first row sees
only clicks before itself: the counters' delay is then not the same for all its rows, but right on average.
"""

from collections.abc import Iterator

import numpy as np

from adi.data.arrays import Array
from adi.data.clicks import ClickLog
from adi.data.dataset import Dataset

LONGEST = 1 / 8
"""The longest time that a group spans, as a share of the shortest half-life; at least twice the delay."""

GROUPS_PER_BATCH = 8
"""The least number of groups in a batch, so that it does not follow a few minutes."""


class Moments:
    """Groups of the training rows of a dataset by time.

    Attributes:
        moments: of the groups, ascending (g,).
        group_of: the group of each row of the log (rows,) int32; -1 for rows that are not for training.
    """

    def __init__(self, dataset: Dataset, clicks: ClickLog, batch_size: int) -> None:
        rows = dataset.rows("train")
        times = dataset.times("train", rows)
        order = np.argsort(times, kind="stable")
        self._rows, times = rows[order], times[order]
        span = max(2 * clicks.info.delay, LONGEST * min(clicks.info.half_lives))
        most = max(1, batch_size // GROUPS_PER_BATCH)
        self._cuts = group_cuts(times, span, most)
        first, last = times[self._cuts[:-1]], times[self._cuts[1:] - 1]
        self.moments = np.minimum((first + last) / 2, first + clicks.info.delay)
        self.group_of = np.full(dataset.num_rows, -1, dtype=np.int32)
        self.group_of[self._rows] = np.repeat(np.arange(len(self.moments), dtype=np.int32), np.diff(self._cuts))
        self.num_batches = -(-len(rows) // batch_size)

    def draws(self, rng: np.random.Generator) -> Iterator[Array]:
        """The rows of each batch of an epoch: groups in random order, about equally many in each batch."""
        for groups in np.array_split(rng.permutation(len(self.moments)), self.num_batches):
            if len(groups):
                yield np.concatenate([self._rows[self._cuts[g] : self._cuts[g + 1]] for g in groups])


def group_cuts(times: Array, span: float, most: int) -> Array:
    """Cut ascending times (n,) into groups of at most `most` values, all less than `span` after the first (g + 1,)."""
    cuts = [0]
    while cuts[-1] < len(times):
        start = cuts[-1]
        end = int(np.searchsorted(times, times[start] + span))
        cuts.append(max(start + 1, min(start + most, end)))
    return np.asarray(cuts)
