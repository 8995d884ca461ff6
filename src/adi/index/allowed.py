"""The items that a filter admits, prepared once and used in many searches."""

from functools import cached_property

import faiss
import numpy as np

from adi.errors import AdiError
from adi.index.vectors import Array

SAMPLE = 1 << 15


class Filter:
    """Admits the items at some positions.

    Args:
        positions: ascending positions (a,) among the index's items, none twice.
        items: how many items the index has.

    Raises `AdiError` where the positions are not ascending, or not of this index.
    """

    def __init__(self, positions: Array, items: int) -> None:
        self.positions = checked_positions(positions, items, "allowed")
        if not np.all(self.positions[1:] > self.positions[:-1]):
            place = int(np.argmin(self.positions[1:] > self.positions[:-1]))
            found, after = self.positions[place + 1], self.positions[place]
            raise AdiError(f"allowed: position {found} comes after {after}. Sort the positions and drop repeated ones.")
        self.items = items

    def __len__(self) -> int:
        return len(self.positions)

    @cached_property
    def selector(self) -> faiss.IDSelector:
        """For the library's searches."""
        return faiss.IDSelectorBitmap(self._bits)

    def admits(self, positions: Array) -> Array:
        """Whether the items at some positions are admitted, bool of the same shape."""
        admitted: Array = (self._bits[positions >> 3] >> (positions & 7)) & 1 == 1
        return admitted

    @cached_property
    def _bits(self) -> Array:
        """One bit for each item of the index."""
        admitted = np.zeros(self.items, dtype=np.uint8)
        admitted[self.positions] = 1
        return np.packbits(admitted, bitorder="little")

    @cached_property
    def sample(self) -> Array:
        """At most `SAMPLE` of the positions, evenly spaced."""
        return self.positions[:: -(-len(self) // SAMPLE)]


def checked_positions(positions: Array, items: int, name: str) -> Array:
    """Positions as int64; raises `AdiError` for one that no item of the index has."""
    positions = np.ascontiguousarray(positions, dtype=np.int64)
    if len(positions) and (positions.min() < 0 or positions.max() >= items):
        wrong = positions[(positions < 0) | (positions >= items)][0]
        raise AdiError(f"{name}: position {wrong} is not in this index, whose positions are 0 to {items - 1}.")
    return positions
