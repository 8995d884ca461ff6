"""The items that a filter lets through, prepared once for many searches."""

from functools import cached_property

import numpy as np

from adi.data.arrays import Array
from adi.errors import AdiError

SAMPLE = 1 << 15


class AllowedItems:
    """A subset of an index's items, by position.

    Args:
        positions: of the allowed items (a,), ascending and distinct.
        num_items: how many items the index has.

    Raises `AdiError` for positions that are not ascending, or not in the index.
    """

    def __init__(self, positions: Array, num_items: int) -> None:
        positions = np.ascontiguousarray(positions, dtype=np.int64)
        outside = positions[(positions < 0) | (positions >= num_items)]
        if len(outside):
            raise AdiError(
                f"allowed: position {outside[0]} is not in this index, whose positions are 0 to {num_items - 1}."
            )
        if not np.all(positions[1:] > positions[:-1]):
            row = int(np.argmin(positions[1:] > positions[:-1]))
            raise AdiError(
                f"allowed: position {positions[row + 1]} comes after {positions[row]}. Sort the positions and drop "
                "duplicates."
            )
        self.positions, self.num_items = positions, num_items

    def __len__(self) -> int:
        return len(self.positions)

    def contains(self, positions: Array) -> Array:
        """Return which of some positions are allowed, bool of the same shape."""
        contained: Array = (self.bitmap[positions >> 3] >> (positions & 7)) & 1 == 1
        return contained

    @cached_property
    def bitmap(self) -> Array:
        """One bit for each item of the index, the lowest bit of a byte first."""
        bits = np.zeros(self.num_items, dtype=np.uint8)
        bits[self.positions] = 1
        return np.packbits(bits, bitorder="little")

    @cached_property
    def sample(self) -> Array:
        """At most `SAMPLE` of the positions, evenly spaced."""
        return self.positions[:: -(-len(self) // SAMPLE)]
