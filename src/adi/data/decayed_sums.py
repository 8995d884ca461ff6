"""Decayed counts of clicks at any moment, from arrays that grow with the clicks alone.

A click counts ``2 ** (-age / half_life)``. Clicks are grouped into *segments*, such as the clicks of an item in a
domain. Sorted by segment and time, each click stores the decayed count of its segment at its own time, itself
included. The count of a segment at a later moment is that of its newest click before the moment, decayed by the time
since then: one binary search for each segment that is asked for, whatever the number of clicks.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from adi.data.arrays import Array, ArrayWriter, read_array

RANK_BITS = 32
"""A click's key is its segment above this many bits, in which its rank by time is."""


def key_of(segments: Array, ranks: Array) -> Array:
    """The sort key of clicks: by segment, then by rank, the click's position in the order of time."""
    keys: Array = (segments.astype(np.int64) << RANK_BITS) | ranks
    return keys


class DecayedSums:
    """Decayed counts by segment, for K half-lives; or decayed sums of C values of each click.

    Args:
        keys: of all clicks, ascending (n,) int64, see `key_of`.
        sums: the decayed count of each click's segment at the click, itself included (n, K) float32, or the decayed sum
            of its clicks' values (n, K, C).
        times: of the clicks by rank, in the unit of the log.
        half_lives: (K,), in the same unit.
    """

    def __init__(self, keys: Array, sums: Array, times: Array, half_lives: Array) -> None:
        self.keys, self.sums, self.times, self.half_lives = keys, sums, times, half_lives

    def at(self, segments: Array, ranks: Array, moments: Array) -> Array:
        """The decayed counts of q segments (q, K) float32, or the sums (q, K, C), each at its own moment.

        Args:
            segments: (q,); ascending segments are searched fastest.
            ranks: the number of clicks of the log strictly before each moment (q,).
            moments: (q,).
        """
        return self.since(self.newest(segments, ranks), segments, moments)

    def newest(self, segments: Array, ranks: Array) -> Array:
        """The number of the newest key up to those of segments (q,) at some ranks (q,), for `since`."""
        newest: Array = np.searchsorted(self.keys, key_of(segments, ranks)) - 1
        return newest

    def since(self, newest: Array, segments: Array, moments: Array) -> Array:
        """The counts or sums of q segments as `at` has them, from what `newest` returned for them (q,)."""
        counted, times = self._counted(newest, segments)
        counts = np.zeros((len(segments), *self.sums.shape[1:]), dtype=np.float32)
        decay = self._decay(moments[counted] - times)
        counts[counted] = self.sums[newest[counted]] * (decay if self.sums.ndim == 2 else decay[:, :, None])
        return counts

    def parts_since(self, newest: Array, segments: Array, moments: Array) -> tuple[Array, Array, Array]:
        """The sums of q segments at g moments in two factors, for moments between which few clicks lie.

        Returns the sums at the newest clicks (u, K, C), which of them is each segment's at each moment (g, q), and
        by how much it has decayed since then (g, q, K), 0 for a segment without clicks.

        Args:
            newest: what `newest` returned for the segments at each moment (g, q).
            segments: (q,).
            moments: (g,).
        """
        changed = (np.diff(newest, axis=0, prepend=-2) != 0).T  # (q, g): a click came since the moment before
        numbers = (np.cumsum(changed.ravel()) - 1).reshape(changed.shape)
        newest, segments = newest.T[changed], np.repeat(segments, changed.sum(axis=1))
        counted, times = self._counted(newest, segments)
        time = np.full(len(newest), np.nan)
        time[counted] = times
        decay = self._decay(moments[:, None] - time[numbers.T])
        return self.sums[np.maximum(newest, 0)], numbers.T, np.nan_to_num(decay, copy=False)

    def _counted(self, newest: Array, segments: Array) -> tuple[Array, Array]:
        """Those of q segments that have a newest click (c,), and its time (c,)."""
        keys = self.keys[np.maximum(newest, 0)]
        counted = np.flatnonzero((newest >= 0) & (keys >> RANK_BITS == segments))
        return counted, self.times[keys[counted] & ((1 << RANK_BITS) - 1)]

    def _decay(self, elapsed: Array) -> Array:
        """By how much counts decay in some times (...,): (..., K) float32."""
        decay: Array = np.exp2(-(elapsed[..., None] / self.half_lives).astype(np.float32))
        return decay

    def oldest(self, segments: Array) -> tuple[Array, Array]:
        """The time of the oldest click of segments (q,), and whether they have one (q,)."""
        first = np.searchsorted(self.keys, key_of(segments, np.zeros_like(segments)))
        keys = self.keys[np.minimum(first, len(self.keys) - 1)]
        clicked = keys >> RANK_BITS == segments
        return self.times[np.where(clicked, keys & ((1 << RANK_BITS) - 1), 0)], clicked


def write_decayed_sums(
    folder: Path, name: str, blocks: Iterable[Array], length: int, times: Array, half_lives: Array
) -> None:
    """Write the arrays ``<name>_key.npy`` and ``<name>_sum.npy`` from keys in ascending order, a block at a time."""
    with (
        ArrayWriter(folder / f"{name}_key.npy", length, np.int64) as keys,
        ArrayWriter(folder / f"{name}_sum.npy", length * len(half_lives), np.float32) as sums,
    ):
        running = RunningSums(half_lives)
        for block in blocks:
            keys.append(block)
            sums.append(running.add(block >> RANK_BITS, times[block & ((1 << RANK_BITS) - 1)]).ravel())


def read_decayed_sums(folder: Path, name: str, times: Array, half_lives: Array) -> DecayedSums:
    """Open what `write_decayed_sums` wrote, as memory maps."""
    sums = read_array(folder / f"{name}_sum.npy").reshape(-1, len(half_lives))
    return DecayedSums(read_array(folder / f"{name}_key.npy"), sums, times, half_lives)


class RunningSums:
    """The decayed count of each click's segment at the click, itself included, from blocks of clicks; or the decayed
    sum of C values of each click.

    Clicks come sorted by segment and time; a segment may go on in the next block.

    Args:
        half_lives: (K,).
    """

    def __init__(self, half_lives: Array) -> None:
        self.half_lives = half_lives
        self._segment, self._time = -1, 0.0  # of the last click
        self._sums: Array | None = None

    def add(self, segments: Array, times: Array, values: Array | None = None) -> Array:
        """The sums of the next b clicks, b > 0, of `segments` (b,), at `times` (b,).

        They are counts (b, K), or with the `values` of each click (b, C) sums of these (b, K, C).
        """
        counted = np.ones((len(segments), 1)) if values is None else values
        sums = _sums_of_block(segments, times, self.half_lives, counted)
        if self._sums is not None:
            same = slice(0, int(np.searchsorted(segments, self._segment, side="right")))
            decay = np.exp2(-(times[same] - self._time)[:, None] / self.half_lives)
            sums[same] += self._sums * decay[:, :, None].astype(sums.dtype)
        self._segment, self._time, self._sums = int(segments[-1]), float(times[-1]), sums[-1].copy()
        return sums[:, :, 0] if values is None else sums


def _sums_of_block(segments: Array, times: Array, half_lives: Array, values: Array) -> Array:
    """The sums of values (b, C) of a block alone (b, K, C).

    Each step doubles how many clicks a sum covers, until it covers the longest segment.
    """
    first = np.flatnonzero(np.diff(segments, prepend=segments[0] - 1))
    position = np.arange(len(segments)) - np.repeat(first, np.diff(first, append=len(segments)))
    sums = np.repeat(values[:, None], len(half_lives), axis=1)
    covered = 1
    while covered <= position.max():
        later = np.flatnonzero(position >= covered)
        ages = (times[later] - times[later - covered])[:, None] / half_lives
        sums[later] += sums[later - covered] * np.exp2(-ages)[:, :, None].astype(sums.dtype)
        covered *= 2
    return sums
