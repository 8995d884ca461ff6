"""The portion of a bundle that one server loads: some of its domains, or one of several shards of its items."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array
from adi.errors import ArgumentError, suggestion


@dataclass(frozen=True)
class Shard:
    """One of `count` shards of the items, numbered from 1: shard 1/4 has the items whose number modulo 4 is 0.

    Items are divided by number rather than into ranges of numbers. Numbers follow ids, and neighbouring ids are often
    of one age or one category, so that a range would have most of what is clicked now, or of what a filter allows. An
    item is in the same shard in every domain.
    """

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def positions(self, items: Array) -> Array:
        """Return the positions, ascending, of the shard's items among `items` (m,), which are numbers."""
        positions: Array = np.flatnonzero(items % self.count == self.number - 1)
        return positions


@dataclass(frozen=True)
class Portion:
    """The `domains` and the `shard` that are loaded; None: all domains, all items."""

    domains: tuple[str, ...] | None = None
    shard: Shard | None = None

    def names(self, known: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the domains, in the order of a bundle's `known` ones.

        Raises `ArgumentError` for a domain that the bundle lacks.
        """
        if self.domains is None:
            return tuple(known)
        for name in self.domains:
            if name not in known:
                raise ArgumentError(
                    "domains", f"'{name}' is not one of the bundle's {', '.join(known)}.{suggestion(name, known)}"
                )
        return tuple(name for name in known if name in self.domains)


WHOLE = Portion()
"""A whole bundle."""


def parse_shard(text: str) -> Shard:
    """Parse ``2/8``; raises `ArgumentError` for another form, and for a number that is not from 1 to the count."""
    number, slash, count = text.partition("/")
    if not (slash and all(part.isascii() and part.isdecimal() for part in (number, count))):
        raise ArgumentError("shard", f"'{text}' is not of the form 2/8.")
    shard = Shard(int(number), int(count))
    if not 1 <= shard.number <= shard.count:
        raise ArgumentError("shard", f"'{text}': shards have the numbers 1/{count} to {count}/{count}.")
    return shard
