"""Training rows in groups of almost the same time, whose samples see the counters of one moment.

A batch whose every sample had a moment of its own would need the trends of all its candidates as often as it has
samples. Rows of a group share the middle of the group's time instead. A group is so short that even its first row sees
only clicks before itself: the counters' delay is then not the same for all its rows, but right on average.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from adi.batch import DomainTrends
from adi.data.arrays import Array
from adi.data.audiences import AudienceLog
from adi.data.clicks import ClickLog, Counts
from adi.data.dataset import Dataset
from adi.data.histories import Histories
from adi.features.trends import item_shares, trend_features

LONGEST = 1 / 8
"""The longest time that a group spans, as a share of the shortest half-life; at least twice the delay."""

ALL = slice(None)

GROUPS_PER_BATCH = 8
"""The least number of groups in a batch, so that it does not follow a few minutes."""


class Moments:
    """The moments of training rows, in groups by time, and the batches that draw from them.

    Attributes:
        moments: of the groups, ascending (g,).
        group_of: the group of each row of the log (rows,) int32; -1 for rows that are not for training.
        audiences: of items, once a model has learned the tastes of their clickers.
    """

    audiences: AudienceLog | None = None

    def __init__(self, dataset: Dataset, clicks: ClickLog, batch_size: int) -> None:
        rows = dataset.rows("train")
        times = dataset.times("train")[rows]
        order = np.argsort(times, kind="stable")
        cuts = group_cuts(times[order], max(2 * clicks.info.delay, LONGEST * min(clicks.info.half_lives)))
        first, last = times[order[cuts[:-1]]], times[order[cuts[1:] - 1]]
        self.moments = np.minimum((first + last) / 2, first + clicks.info.delay)
        self.group_of = np.full(dataset.num_rows, -1, dtype=np.int32)
        self.group_of[rows[order]] = np.repeat(np.arange(len(self.moments), dtype=np.int32), np.diff(cuts))
        self._clicks, self._batch_size = clicks, batch_size

    def of_samples(self, domain: int, rows: Array) -> "KnownAtMoments":
        """The counters at the moments of a domain's training rows, which are sorted by group."""
        groups = self.group_of[rows]
        distinct, first = np.unique(groups, return_index=True)
        cuts = (*first.tolist(), len(rows))
        moments = self.moments[distinct]
        return KnownAtMoments(self._clicks, domain, moments, cuts, self.moments[groups], self.audiences)

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


@dataclass
class KnownAtMoments:
    """The counters of items at the g moments of a domain's n samples.

    Args:
        cuts: the samples of moment i are ``cuts[i]:cuts[i + 1]``.
        moment_of: the moment of each sample (n,).
        own: the samples that are the domain's own rows; None: all. The others are pseudo-positives.
    """

    clicks: ClickLog
    domain: int
    moments: Array
    cuts: tuple[int, ...]
    moment_of: Array
    audiences: AudienceLog | None
    own: Array | None = None
    _counts: Counts | None = None

    def shares(self, items: Array) -> Array:
        """The share of each item (m,) in the domain's clicks at these moments, weighted by their samples.

        This is p(v) of the correction of negatives (`adi.negatives`): a batch holds the clicks of a few moments, at
        which items are more or less popular than in the whole log.
        """
        counts = self._counts = self.clicks.counts(self.domain, items, self.moments)
        samples = np.arange(self.cuts[-1]) if self.own is None else self.own
        moments = np.searchsorted(self.cuts, samples, side="right") - 1
        weights = np.bincount(moments, minlength=len(self.moments)) / max(len(samples), 1)
        shares: Array = weights @ item_shares(counts)[0].mean(axis=2, dtype=np.float64)
        return shares

    def trends(self, items: Array, histories: Histories, samples: slice = ALL) -> DomainTrends:
        """Trend features and co-clicks of `items` (m,), those for which `shares` was called if it was.

        Args:
            samples: the samples that are asked for, at least one.
            histories: of these samples.
        """
        if self._counts is None:
            self._counts = self.clicks.counts(self.domain, items, self.moments)
        start, stop, _ = samples.indices(self.cuts[-1])
        at = slice(bisect_right(self.cuts, start) - 1, bisect_left(self.cuts, stop))  # the moments of the samples
        inner = self.cuts[at.start + 1 : at.stop]
        pairs = self.clicks.co_clicks(histories, self.moment_of[start:stop], items)
        audiences = None if self.audiences is None else self.audiences.at(self.domain, items, self.moments[at])
        return DomainTrends(
            cuts=(0, *(cut - start for cut in inner), stop - start),
            features=torch.from_numpy(trend_features(self._counts.at(at))),
            pair_offsets=torch.from_numpy(pairs.offsets),
            pair_columns=torch.from_numpy(pairs.columns),
            co_clicks=torch.from_numpy(pairs.values),
            audiences=None if audiences is None else torch.from_numpy(audiences),
        )


def group_cuts(times: Array, span: float) -> Array:
    """Cut ascending times (n,) into groups whose values are all less than `span` after the first (g + 1,)."""
    cuts = [0]
    while cuts[-1] < len(times):
        cuts.append(max(cuts[-1] + 1, int(np.searchsorted(times, times[cuts[-1]] + span))))
    return np.asarray(cuts)
