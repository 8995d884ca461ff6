"""The index of one domain's items: the top k for query vectors."""

from pathlib import Path
from typing import Self

import faiss
import numpy as np

from adi.data.arrays import Array
from adi.data.bids import check_weight
from adi.errors import AdiError
from adi.index.allowed import AllowedItems
from adi.index.bids import Bids, top_with_bids
from adi.index.card import LOCATIONS, VECTORS, IndexCard, read_card
from adi.index.cut import cut_searcher
from adi.index.searchers import ExactSearcher, InvertedFile, Searcher, faiss_threads
from adi.index.vectors import checked_queries

SPARE = 8
"""Items that are fetched beyond the top k: they cost little, and with fewer a search is repeated more often."""


class VectorIndex:
    """An index written by `build_index`; its vectors stay in the file, memory-mapped.

    Any number of Python threads may search at once.

    index = VectorIndex.open(Path("bundle/indexes/0"))
    scores, positions = index.search(queries, 10)
    shoes = AllowedItems(positions_of_shoes, len(index))
    scores, positions = index.search(queries, 10, allowed=shoes)
    """

    def __init__(self, card: IndexCard, searcher: Searcher) -> None:
        self.card = card
        self._searcher = searcher

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open an index; raises `AdiError` for a folder without one of this format, and for inconsistent files."""
        card = read_card(folder)
        index = read_mapped(folder / VECTORS)
        kind = "ivf" if isinstance(index, faiss.IndexIVFScalarQuantizer) else "exact"
        if (kind, index.ntotal, index.d) != (card.kind, card.items, card.dim):
            raise AdiError(
                f"{folder / VECTORS}: contains {index.ntotal} items of {index.d} dimensions ({kind}), and the card "
                f"beside it says {card.items} of {card.dim} ({card.kind}). Build the index again."
            )
        if kind == "exact":
            return cls(card, ExactSearcher(index))
        return cls(card, InvertedFile(index, _read_locations(folder, card), card.reach))

    def __len__(self) -> int:
        return self.card.items

    def cut(self, positions: Array) -> "VectorIndex":
        """Return an index of the items at `positions` (p,), ascending, in memory; their positions become 0 to p - 1.

        Several such indexes that share out the items find together what this one finds.
        """
        searcher = cut_searcher(self._searcher, self.card, positions)
        return VectorIndex(self.card.model_copy(update={"items": len(positions)}), searcher)

    def search(
        self,
        queries: Array,
        k: int,
        *,
        allowed: AllowedItems | None = None,
        bids: Bids | None = None,
        bid_weight: float = 0.0,
        threads: int = 1,
    ) -> tuple[Array, Array]:
        """Return the top `k` for each query by inner product; items with equal scores are ordered by position.

        With a bid weight above 0, scores are the inner product + weight · log bid. Recall under a filter is that of the
        index without one: few allowed items are all scored, and for many, more lists are read.

        Args:
            queries: (n, dim) float32.
            k: may exceed the number of items.
            allowed: items to search; all if None.
            bids: of these items; required for a `bid_weight` above 0.
            threads: how many faiss may use for this search.

        Returns:
            Scores (n, k) float32 and positions (n, k) int64, best first; -inf and -1 where there are fewer than k.

        Raises `AdiError` for queries of another dimension or not finite, k below 1, `allowed` or `bids` of another
        number of items, and a weight that is negative or not a number.
        """
        queries = checked_queries(queries, self.card.dim)
        if k < 1:
            raise AdiError(f"k = {k}: ask for at least one item.")
        if allowed is not None and allowed.num_items != len(self):
            raise AdiError(
                f"allowed: prepared for {allowed.num_items} items, and this index has {len(self)}. Prepare it for this "
                "index."
            )
        check_weight(bid_weight)
        if bid_weight and (bids is None or len(bids) != len(self)):
            raise AdiError(
                f"bids of {0 if bids is None else len(bids)} items, and this index has {len(self)}. Give one for each."
            )
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        positions = np.full((len(queries), k), -1, dtype=np.int64)
        available = len(self) if allowed is None else len(allowed)
        if available and len(queries):
            width = min(k, available)
            with faiss_threads(threads):
                if bids is not None and bid_weight:
                    top = [
                        top_with_bids(self._searcher, query[None], width, available, bids, bid_weight, allowed)
                        for query in queries  # one by one, as each has its own depth
                    ]
                    scores[:, :width] = np.stack([query_scores for query_scores, _ in top])
                    positions[:, :width] = np.stack([query_positions for _, query_positions in top])
                else:
                    scores[:, :width], positions[:, :width] = self._top(queries, width, available, allowed)
        return scores, positions

    def vectors(self, positions: Array) -> Array:
        """Return the vectors of the items at `positions` (p,), as they are searched (p, dim) float32."""
        return self._searcher.vectors_at(positions)

    def _top(self, queries: Array, k: int, available: int, allowed: AllowedItems | None) -> tuple[Array, Array]:
        """Return the top `k`, equal scores by position.

        A few items more are fetched, to see whether equal scores continue beyond the k-th, or scores that rounding may
        have put there. While they do, the library's choice among them is arbitrary, and more are fetched.
        """
        width, slack = min(k + SPARE, available), self._searcher.slack(queries)
        while True:
            scores, positions = self._searcher.top(queries, width, k, allowed)
            scores = np.where(positions < 0, -np.inf, scores)
            if (scores[:, :-1] <= scores[:, 1:]).any():  # else they are in order, no two equal
                order = np.lexsort((positions, -scores), axis=1)
                scores = np.take_along_axis(scores, order, axis=1)
                positions = np.take_along_axis(positions, order, axis=1)
            continued = (scores[:, k - 1] <= scores[:, -1] + slack) & (positions[:, -1] >= 0)
            if width == available or not continued.any():
                return scores[:, :k], positions[:, :k]
            width = min(4 * width, available)


def read_mapped(path: Path) -> faiss.Index:
    """Memory-map an index file; raises `AdiError` for a file that faiss cannot read."""
    try:
        # Of the library's two ways to map, this one covers flat indexes too, and starts no read-ahead threads.
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except (RuntimeError, MemoryError) as error:
        raise AdiError(
            f"{path}: faiss {faiss.__version__} cannot read it ({str(error).splitlines()[0]}). Build the index again."
        ) from None


def _read_locations(folder: Path, card: IndexCard) -> Array:
    """Memory-map the items' locations; raises `AdiError` for a file that is missing or of another index."""
    path = folder / LOCATIONS
    try:
        locations: Array = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise AdiError(f"{path}: cannot be read ({error}). Build the index again.") from None
    if locations.shape != (card.items,):
        raise AdiError(f"{path}: of {len(locations)} items, and the index has {card.items}. Build the index again.")
    return locations
