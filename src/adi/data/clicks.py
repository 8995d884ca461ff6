"""The clicks of a prepared dataset by time: counts and co-clicks of items at any moment."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adi.data.arrays import Array, read_array
from adi.data.co_clicks import CoClicks, Pairs, no_pairs
from adi.data.decayed_sums import read_decayed_sums
from adi.data.histories import Histories
from adi.data.manifest import TrendInfo


@dataclass(frozen=True)
class Counts:
    """Decayed counts of m items in one domain at g moments, for K half-lives.

    Attributes:
        in_domain: decayed clicks of each item in the domain (g, m, K).
        overall: the same in all domains together (g, m, K).
        domain_total: decayed clicks of the domain (g, K).
        overall_total: decayed clicks of all domains (g, K).
        age: the time since each item's first click in multiples of the shortest half-life (g, m); -1 if it has none.
        num_items: the number of items among which clicks are shared.
    """

    in_domain: Array
    overall: Array
    domain_total: Array
    overall_total: Array
    age: Array
    num_items: int

    def at(self, moments: slice) -> "Counts":
        """The counts at some of the moments."""
        return Counts(
            self.in_domain[moments],
            self.overall[moments],
            self.domain_total[moments],
            self.overall_total[moments],
            self.age[moments],
            self.num_items,
        )


class ClickLog:
    """Counts and co-clicks at any moment, from the clicks strictly before the moment less the delay.

    Args:
        folder: the arrays that `adi.preparation.trends` wrote.
        info: half-lives and delay.
        num_items, num_domains: of the dataset.
        has_test: whether the clicks of the test are among them.
        until: later moments know what was known at this one; None: all moments are themselves.
    """

    def __init__(
        self,
        folder: Path,
        info: TrendInfo,
        num_items: int,
        num_domains: int,
        *,
        has_test: bool,
        until: float | None = None,
    ) -> None:
        self.info, self.num_items, self.num_domains = info, num_items, num_domains
        self.has_test, self.until = has_test, until
        self.half_lives = np.asarray(info.half_lives, dtype=np.float64)
        self.times = read_array(folder / "time.npy")
        self._item_of, self._domain_of = read_array(folder / "click_item.npy"), read_array(folder / "click_domain.npy")
        self._items = read_decayed_sums(folder, "item", self.times, self.half_lives)
        self._domains = read_decayed_sums(folder, "domain", self.times, self.half_lives)
        self.followers: CoClicks | None = None
        if info.co_clicks is not None:
            half_lives = np.asarray(info.co_clicks.half_lives, dtype=np.float64)
            self.followers = CoClicks(
                totals=read_decayed_sums(folder, "source", self.times, half_lives),
                followers=read_array(folder / "follower_item.npy"),
                counts=read_array(folder / "follower_sum.npy").reshape(-1, len(half_lives)),
                next_ranks=read_array(folder / "follower_next.npy"),
                window=info.co_clicks.window,
                least_share=info.co_clicks.least_share,
            )

    @property
    def end(self) -> float:
        """The first moment at which all clicks are known."""
        return float(self.times[-1]) + self.info.delay + 1

    def clipped(self, moments: Array) -> Array:
        """The moments (g,), or where they know no more than an earlier one, that one."""
        return moments if self.until is None else np.minimum(moments, self.until + self.info.delay)

    def known_at(self, moments: Array) -> tuple[Array, Array]:
        """The moments (g,) before which clicks are known, and the number of clicks before each (g,)."""
        known = moments - self.info.delay
        if self.until is not None:
            known = np.minimum(known, self.until)
        return known, np.searchsorted(self.times, known)

    def items_between(self, rank: int, later: int) -> Array:
        """The items of the clicks from one rank up to another."""
        items: Array = self._item_of[rank:later]
        return items

    def counts(self, domain: int, items: Array, moments: Array) -> Counts:
        """The counts of `items` (m,), ascending, in a domain at `moments` (g,); they are read fastest in order."""
        known, ranks = self.known_at(moments)
        in_domain, overall = (self._counts(number, items, known, ranks) for number in (domain, self.num_domains))
        totals = [self._domains.at(np.full(len(known), d), ranks, known) for d in (domain, self.num_domains)]
        oldest, clicked = self.first(items)
        age = (known[:, None] - oldest) / self.half_lives.min()
        age = np.where(clicked & (age > 0), age, -1.0)
        return Counts(in_domain, overall, totals[0], totals[1], age, self.num_items)

    def first(self, items: Array) -> tuple[Array, Array]:
        """The time of the first click of items (m,), and whether they have one (m,)."""
        return self._items.oldest(self.num_domains * self.num_items + items)

    def _counts(self, domain: int, items: Array, known: Array, ranks: Array) -> Array:
        """The counts of items in a domain, or in all where `domain` is their number (g, m, K).

        They are looked up, or where only a few clicks lie between two moments, derived from the moment before.
        """
        counts = np.empty((len(known), len(items), len(self.half_lives)), dtype=np.float32)
        since_last = np.diff(ranks, prepend=-len(items))
        looked_up = (since_last < 0) | (since_last >= len(items))
        num, segments = np.count_nonzero(looked_up), domain * self.num_items + items
        found = self._items.at(
            np.tile(segments, num), np.repeat(ranks[looked_up], len(items)), np.repeat(known[looked_up], len(items))
        )
        counts[looked_up] = found.reshape(num, len(items), len(self.half_lives))
        for number in np.flatnonzero(~looked_up):
            elapsed = (known[number] - known[number - 1]) / self.half_lives
            np.multiply(counts[number - 1], np.exp2(-elapsed).astype(np.float32), out=counts[number])
            clicks = np.arange(ranks[number - 1], ranks[number])
            if domain < self.num_domains:
                clicks = clicks[self._domain_of[clicks] == domain]
            columns = np.minimum(np.searchsorted(items, self._item_of[clicks]), len(items) - 1)
            inside = items[columns] == self._item_of[clicks]
            ages = (known[number] - self.times[clicks[inside]])[:, None] / self.half_lives
            np.add.at(counts[number], columns[inside], np.exp2(-ages).astype(np.float32))
        return counts

    def co_clicks(self, histories: Histories, moments: Array, items: Array) -> Pairs:
        """The co-clicks of n histories, each at its own moment, with `items` (m,), ascending. See `CoClicks.at`.

        There are none if they are not counted.
        """
        if self.followers is None or self.info.co_clicks is None:
            return no_pairs(len(moments))
        known, ranks = self.known_at(moments)
        return self.followers.at(histories.recent(self.info.co_clicks.last), ranks, known, items)
