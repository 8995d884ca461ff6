"""What every kind of index can do: `adi.index.exact` and `adi.index.inverted` have one each."""

from typing import Protocol

from adi.index.allowed import Filter
from adi.index.vectors import Array


class Items(Protocol):
    """Scores items against queries (n, dim): scores (n, k) float32 and positions (n, k) int64, best first."""

    def top(self, queries: Array, k: int, depth: int, admitted: Filter | None) -> tuple[Array, Array]:
        """The `k` best that are admitted, found as completely as the top `depth` is; k ≤ the number of them.

        Where a search comes upon fewer, the last positions are -1.
        """
        ...

    def among(self, queries: Array, k: int, positions: Array) -> tuple[Array, Array]:
        """The `k` best of the items at `positions` (p,), in any order, every one of which is scored; k ≤ p."""
        ...
