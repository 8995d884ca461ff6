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
    """The moments of training rows, in groups by time, and the batches that draw from them.

    Attributes:
        moments: of the groups, ascending (g,).
        group_of: the group of each row of the log (rows,) int32; -1 for rows that are not for training.
    """

    def __init__(self, dataset: Dataset, clicks: ClickLog, batch_size: int) -> None:
        rows = dataset.rows("train")
        times = dataset.times("train")[rows]
        order = np.argsort(times, kind="stable")
        cuts = group_cuts(times[order], max(2 * clicks.info.delay, LONGEST * min(clicks.info.half_lives)))
        first, last = times[order[cuts[:-1]]], times[order[cuts[1:] - 1]]
        self.moments = np.minimum((first + last) / 2, first + clicks.info.delay)
        self.group_of = np.full(dataset.num_rows, -1, dtype=np.int32)
        self.group_of[rows[order]] = np.repeat(np.arange(len(self.moments), dtype=np.int32), np.diff(cuts))
        self._batch_size = batch_size

    def batches(self, rows: Array, num_batches: int, rng: np.random.Generator) -> Iterator[Array]:
        """Divide the rows of an epoch, in which a row may come several times, among about equally large batches.

        A batch has parts of random groups, of at most one `GROUPS_PER_BATCH`-th of the batch size.
        """
        rows = rng.permutation(rows)
        groups = self.group_of[rows]
        order = np.argsort(groups, kind="stable")
        starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
        most = max(1, self._batch_size // GROUPS_PER_BATCH)
        parts = [
            order[first : min(first + most, stop)]
            for start, stop in zip(starts, np.append(starts[1:], len(rows)), strict=True)
            for first in range(start, stop, most)
        ]
        for numbers in np.array_split(rng.permutation(len(parts)), num_batches):
            yield rows[np.concatenate([parts[number] for number in numbers])] if len(numbers) else rows[:0]


def group_cuts(times: Array, span: float) -> Array:
    """Cut ascending times (n,) into groups whose values are all less than `span` after the first (g + 1,)."""
    cuts = [0]
    while cuts[-1] < len(times):
        cuts.append(max(cuts[-1] + 1, int(np.searchsorted(times, times[cuts[-1]] + span))))
    return np.asarray(cuts)
