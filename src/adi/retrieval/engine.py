"""What finds the best items of a domain for queries: a run's model (`run_engine`) or a bundle (`adi.bundle.engine`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from adi.data.arrays import Array
from adi.data.dataset import Dataset, Queries


@dataclass(frozen=True)
class Found:
    """The best of a query, at most k, best first: places in the domain's items, and scores."""

    positions: Array
    scores: Array


Admitted = object
"""What an engine has made of the places that a filter admits, for its own searches."""


class Engine(Protocol):
    """`version` names what answers: a bundle's version, or the run's folder."""

    dataset: Dataset
    version: str

    def about(self) -> dict[str, Any]:
        """What answers, in plain values."""
        ...

    def items(self, domain: int) -> Array:
        """The numbers of the items that can be retrieved in a domain, ascending."""
        ...

    def admit(self, domain: int, positions: Array) -> Admitted:
        """Make ready to find only items at the given places, ascending, of a domain."""
        ...

    def search(
        self,
        domain: int,
        queries: Queries,
        k: int,
        *,
        admitted: Admitted | None,
        excluded: Sequence[Array],
        bid_weight: float = 0.0,
    ) -> list[Found]:
        """The best `k` items for each of n queries, all in one domain.

        Args:
            admitted: what `admit` made of the places that may be found; None: all.
            excluded: for each query the places that it must not find.
            bid_weight: the scores are those of the model + weight · log bid; 0 asks for no bids.

        Raises `AdiError` for a weight where there are no bids.
        """
        ...


def places(items: Array, wanted: Array) -> Array:
    """Where those of `wanted` (n,) that are among ascending `items` (m,) are there, ascending."""
    if not len(wanted):
        return np.empty(0, dtype=np.int64)
    wanted = wanted.astype(items.dtype)  # else the search would copy all items into the other type
    found = np.searchsorted(items, wanted)
    found = found[found < len(items)]
    return np.unique(found[np.isin(items[found], wanted)])
