"""The earlier items of users, as ragged arrays."""

from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array
from adi.data.ranges import ranges


@dataclass(frozen=True)
class Histories:
    """The items that each of n users took, and their domains, oldest first; `offsets` (n + 1,) separates the users."""

    items: Array
    domains: Array
    offsets: Array

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Array:
        return np.diff(self.offsets)

    def lengths_in(self, domains: Array) -> Array:
        """The number of items of each history in one domain each, `domains` (n,)."""
        return self._counts(self.domains == np.repeat(domains, self.lengths))

    def counts_of(self, items: Array) -> Array:
        """The number of times that one item each, `items` (n,), is in each history."""
        return self._counts(self.items == np.repeat(items, self.lengths))

    def _counts(self, chosen: Array) -> Array:
        """The number of chosen positions of each history."""
        earlier = np.concatenate([[0], np.cumsum(chosen)])  # chosen ones before each position
        return np.diff(earlier[self.offsets])

    def then(self, later: "Histories") -> "Histories":
        """Each user's history followed by a later one."""
        lengths = np.stack([self.lengths, later.lengths], axis=1).ravel()
        cuts = np.concatenate([[0], np.cumsum(lengths)])
        items, domains = np.empty(cuts[-1], dtype=np.int64), np.empty(cuts[-1], dtype=np.int64)
        for part, histories in enumerate((self, later)):
            positions, _ = ranges(cuts[part:-1:2], cuts[part + 1 :: 2])
            items[positions], domains[positions] = histories.items, histories.domains
        return Histories(items, domains, cuts[::2])

    def where(self, kept: Array) -> "Histories":
        """The histories of a mask (n,)."""
        positions, offsets = ranges(self.offsets[:-1][kept], self.offsets[1:][kept])
        return Histories(self.items[positions], self.domains[positions], offsets)

    def last(self, length: int) -> "Histories":
        """The last `length` items of each history."""
        positions, offsets = ranges(np.maximum(self.offsets[:-1], self.offsets[1:] - length), self.offsets[1:])
        return Histories(self.items[positions], self.domains[positions], offsets)

    def only_in(self, domains: Array) -> "Histories":
        """The items that were taken in one domain each, `domains` (n,)."""
        items, offsets = self.newest(len(self.items) + 1, domains)
        return Histories(items, np.repeat(domains, np.diff(offsets)), offsets)

    def recent(self, length: int) -> Array:
        """The last `length` items of each history, newest last (n, length); -1 where it has fewer."""
        positions = self.offsets[1:, None] - np.arange(length, 0, -1)  # (n, length)
        held = positions >= self.offsets[:-1, None]
        items = np.full(positions.shape, -1, dtype=np.int64)
        items[held] = self.items[positions[held]]
        return items

    def newest(self, length: int, domains: Array | None = None) -> tuple[Array, Array]:
        """Items (T,), offsets (n + 1,) of the newest `length` of each history; with `domains` (n,) in these alone."""
        if domains is None:
            keep = np.ones(len(self.items), dtype=bool)
        else:
            keep = self.domains == np.repeat(domains, self.lengths)
        earlier = np.concatenate([[0], np.cumsum(keep)])  # kept items before each position
        later = np.repeat(earlier[self.offsets[1:]], self.lengths) - earlier[1:]
        keep &= later < length
        kept = np.concatenate([[0], np.cumsum(keep)])
        return self.items[keep], kept[self.offsets]
