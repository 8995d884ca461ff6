"""Audiences: the mean taste of the users who clicked an item, the newest of whom count most, at any moment."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from adi.columns import columns_of
from adi.data.arrays import Array, mapped_array
from adi.data.clicks import ClickLog
from adi.data.decayed_sums import DecayedSums, RunningSums, key_of

SMOOTHING = 1.0
"""Clickers without a taste that are added to each audience, so that a single one is no whole audience."""

LAST = 4
"""A clicker's taste is that of a user with this many last items in the history."""

CLICKS_AT_ONCE = 1 << 13


def tastes_of(users: Array, dim: int) -> Array:
    """The tastes of clickers (n, dim), of length 1, from their vectors (n, dim + W) or (n, interests, dim + W)."""
    tastes = users[..., :dim]
    if tastes.ndim == 3:
        tastes = tastes.mean(axis=1)
    lengths = np.linalg.norm(tastes, axis=1, keepdims=True)
    unit: Array = tastes / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit


def audiences_of(sums: Array) -> Array:
    """Audiences (..., dim) from decayed sums of tastes, and of clickers as the last value (..., dim + 1)."""
    audiences: Array = sums[..., :-1] / (sums[..., -1:] + SMOOTHING)
    return audiences


class AudienceLog:
    """The audiences of items at any moment, of the clicks that a log knows at the moment.

    Args:
        clicks: the log.
        sums: of tastes and clickers, by item, or with `by_domain` by domain and item.
        by_domain: whether an item has an audience for each domain, from the clicks in it.
    """

    def __init__(self, clicks: ClickLog, sums: DecayedSums, *, by_domain: bool) -> None:
        self.clicks, self.sums, self.by_domain = clicks, sums, by_domain

    def at(self, domain: int, items: Array, moments: Array) -> Array:
        """The audiences of `items` (m,), ascending, in a domain at `moments` (g,): (g, m, K, dim).

        They are read fastest in the order of time: only items that were clicked between two moments are looked up anew.
        """
        known, segments, newest = self._newest(domain, items, moments)
        g, m = newest.shape
        sums = self.sums.since(newest.ravel(), np.tile(segments, g), np.repeat(known, m))
        return audiences_of(sums.reshape(g, m, *sums.shape[1:]))

    def products(self, domain: int, items: Array, moments: Array, users: Array, moment_of: Array) -> Array:
        """The products of users' vectors (n, ..., dim) with the audiences that `at` returns: (n, ..., m, K).

        An item's sums are multiplied once with all users, and again for each click on it between the moments.

        Args:
            moment_of: which of the moments is each user's (n,).
        """
        known, segments, newest = self._newest(domain, items, moments)
        sums, numbers, decay = self.sums.parts_since(newest, segments, known)
        scale = decay / (decay * sums[numbers, :, -1] + SMOOTHING)  # (g, m, K)
        weights = np.zeros((*users.shape[:-1], sums.shape[2]), dtype=np.float32)  # 0 for the number of clickers
        weights[..., :-1] = users
        products = weights.reshape(-1, weights.shape[-1]) @ sums.reshape(-1, sums.shape[2]).T  # (., u K)
        products = products.reshape(*users.shape[:-1], *sums.shape[:2])
        return np.stack(
            [products[row][..., numbers[moment], :] * scale[moment] for row, moment in enumerate(moment_of)]
        )

    def _newest(self, domain: int, items: Array, moments: Array) -> tuple[Array, Array, Array]:
        """Times before which moments know clicks (g,), items' segments (m,), and their newest clicks then (g, m)."""
        known, ranks = self.clicks.known_at(moments)
        segments = segments_of(domain, items, self.clicks.num_items, by_domain=self.by_domain)
        newest = np.empty((len(moments), len(items)), dtype=np.int64)
        for number, rank in enumerate(ranks):
            looked_up = np.arange(len(items))
            if number and 0 <= rank - ranks[number - 1] < len(items):
                newest[number] = newest[number - 1]
                clicked = columns_of(self.clicks.items_between(ranks[number - 1], rank), items)
                looked_up = clicked[clicked >= 0]
            newest[number, looked_up] = self.sums.newest(segments[looked_up], rank)
        return known, segments, newest


def write_audiences(
    folder: Path,
    clicks: ClickLog,
    columns: tuple[Array, Array, Array],
    tastes: Callable[[Array], Array],
    dim: int,
    *,
    by_domain: bool,
) -> None:
    """Write the sums that `read_audiences` reads, a block of clicks at a time.

    Args:
        columns: the items, domains and times of all clicks of the log (n,), in any order.
        tastes: the tastes (b, dim) of the users of some clicks, given by their positions in `columns` (b,).
    """
    items, domains, times = columns
    segments = segments_of(domains.astype(np.int64), items.astype(np.int64), clicks.num_items, by_domain=by_domain)
    order = np.lexsort((times, segments))
    half_lives = np.asarray(clicks.info.audience, dtype=np.float64)
    folder.mkdir(parents=True, exist_ok=True)
    # A click's rank is that of the first click at its time: a moment knows all clicks of equal time or none.
    ranks = np.searchsorted(clicks.times, times[order])
    np.save(folder / "key.npy", key_of(segments[order], ranks))
    shape = (len(order), len(half_lives), dim + 1)
    sums, running = mapped_array(folder / "sum.npy", np.float32, shape), RunningSums(half_lives)
    for first in range(0, len(order), CLICKS_AT_ONCE):
        block = order[first : first + CLICKS_AT_ONCE]
        values = np.concatenate([tastes(block), np.ones((len(block), 1))], axis=1, dtype=np.float32)
        sums[first : first + len(block)] = running.add(segments[block], times[block], values)
    sums.flush()


def read_audiences(folder: Path, clicks: ClickLog, *, by_domain: bool) -> AudienceLog:
    """Open what `write_audiences` wrote, as memory maps."""
    half_lives = np.asarray(clicks.info.audience, dtype=np.float64)
    keys, sums = (np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r")) for name in ("key", "sum"))
    return AudienceLog(clicks, DecayedSums(keys, sums, clicks.times, half_lives), by_domain=by_domain)


def segments_of(domains: Array | int, items: Array, num_items: int, *, by_domain: bool) -> Array:
    """The segments of items, each with one audience: the items themselves, or by domain."""
    segments: Array = domains * num_items + items if by_domain else items
    return segments
