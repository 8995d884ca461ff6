"""The index of one domain's items, opened: the best items for a query vector."""

from pathlib import Path
from typing import Self

import faiss
import numpy as np

from adi.data.bids import check_weight
from adi.errors import AdiError
from adi.index.allowed import Filter, checked_positions
from adi.index.bids import Bids, top_with_bids
from adi.index.card import PLACES, VECTORS, IndexCard, read_card
from adi.index.exact import ExactItems
from adi.index.inverted import InvertedFile
from adi.index.items import Items
from adi.index.threads import faiss_threads
from adi.index.vectors import Array, checked_queries


class VectorIndex:
    """Searches an index that `build_index` wrote; its vectors stay in the file, mapped into memory.

    Any number of Python threads may search at once.

    index = VectorIndex.open(Path("bundle/search/index"))
    scores, positions = index.search(queries, 10)
    shoes = index.filter(positions_of_shoes)            # prepared once for many searches
    scores, positions = index.search(queries, 10, allowed=shoes, excluded=already_seen)
    """

    def __init__(self, card: IndexCard, items: Items) -> None:
        self.card = card
        self._items = items

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Raises `AdiError` where the folder holds no index of this format, or its files do not fit each other."""
        card = read_card(folder)
        index = read_mapped(folder / VECTORS)
        kind = "ivf" if isinstance(index, faiss.IndexIVFScalarQuantizer) else "exact"
        found = (kind, index.ntotal, index.d)
        if found != (card.kind, card.items, card.dim):
            raise AdiError(
                f"{folder / VECTORS}: holds {index.ntotal} items of {index.d} dimensions ({kind}), and the card beside "
                f"it says {card.items} of {card.dim} ({card.kind}). Build the index again."
            )
        return cls(card, InvertedFile(index, _places(folder, card), card.reach) if kind == "ivf" else ExactItems(index))

    def __len__(self) -> int:
        return self.card.items

    def filter(self, allowed: Array) -> Filter:
        """Prepare a filter for many searches: ascending positions (a,) of the items that it admits."""
        return Filter(allowed, len(self))

    def search(
        self,
        queries: Array,
        k: int,
        *,
        allowed: Array | Filter | None = None,
        excluded: Array | None = None,
        bids: Bids | None = None,
        bid_weight: float = 0.0,
        threads: int = 1,
    ) -> tuple[Array, Array]:
        """The `k` best items for each query, by inner product; of items that score alike, lower positions first.

        With a bid weight above 0 they are the best by inner product + weight · log bid, and that is their score.

        Recall under a filter is that of the whole index: a narrow one is scanned, for a broad one more lists are read.

        Args:
            queries: (n, dim) float32.
            k: may exceed the number of items.
            allowed: ascending positions (a,) that a filter admits, few or millions, or `filter` of them; None admits
                every item.
            excluded: positions (e,) to leave out, such as items already seen; a few, for k + e are searched.
            bids: of these items, for a `bid_weight` above 0.
            threads: how many faiss may use for this search.

        Returns:
            Scores (n, k) float32 and positions (n, k) int64, best first; -inf and -1 where there are fewer than k.

        Raises `AdiError` for queries of another dimension or not finite, k below 1, positions not in the index, and a
        weight that is no number from 0 on or has no bids of as many items.
        """
        queries = checked_queries(queries, self.card.dim)
        if k < 1:
            raise AdiError(f"k = {k}: ask for at least one item.")
        admitted = allowed if isinstance(allowed, Filter) or allowed is None else self.filter(allowed)
        if admitted is not None and admitted.items != len(self):
            raise AdiError(
                f"allowed: a filter for {admitted.items} items, and this index has {len(self)}. Make its own."
            )
        check_weight(bid_weight)
        if bid_weight and (bids is None or len(bids) != len(self)):
            raise AdiError(
                f"bids of {0 if bids is None else len(bids)} items, and this index has {len(self)}. Make its own."
            )
        none = np.empty(0, dtype=np.int64)
        left_out = np.unique(checked_positions(none if excluded is None else excluded, len(self), "excluded"))
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        positions = np.full((len(queries), k), -1, dtype=np.int64)
        available = len(self) if admitted is None else len(admitted)
        if available and len(queries):
            most = min(k + len(left_out), available)
            with faiss_threads(threads):
                if bids is not None and bid_weight:
                    best = self._weighed(queries, most, available, admitted, bids, bid_weight)
                else:
                    best = self._ordered(queries, most, available, admitted)
            best = _without(*best, left_out) if len(left_out) else best
            width = min(k, best[0].shape[1])
            scores[:, :width], positions[:, :width] = best[0][:, :width], best[1][:, :width]
        return scores, positions

    def _ordered(self, queries: Array, k: int, available: int, admitted: Filter | None) -> tuple[Array, Array]:
        """The top `k`, equal scores by position. One more is fetched to see whether equal scores go on beyond the k-th;
        while they do, which of them the library kept is chance, and more are fetched.
        """
        width = min(k + 1, available)
        while True:
            scores, positions = self._items.top(queries, width, k, admitted)
            scores = np.where(positions < 0, -np.inf, scores)
            if (scores[:, :-1] <= scores[:, 1:]).any():  # else they are in order, none like another
                order = np.lexsort((positions, -scores), axis=1)
                scores = np.take_along_axis(scores, order, axis=1)
                positions = np.take_along_axis(positions, order, axis=1)
            going_on = (scores[:, k - 1] == scores[:, -1]) & (positions[:, -1] >= 0)
            if width == available or not going_on.any():
                return scores[:, :k], positions[:, :k]
            width = min(4 * width, available)

    def _weighed(
        self, queries: Array, k: int, available: int, admitted: Filter | None, bids: Bids, weight: float
    ) -> tuple[Array, Array]:
        """The top `k` with bids, one query at a time: how far down it looks is each one's own."""
        found = [top_with_bids(self._items, query[None], k, available, bids, weight, admitted) for query in queries]
        return np.stack([scores for scores, _ in found]), np.stack([positions for _, positions in found])


def _without(scores: Array, positions: Array, excluded: Array) -> tuple[Array, Array]:
    """Take positions out of the answers, which move up."""
    out = np.isin(positions, excluded)
    scores, positions = np.where(out, np.float32(-np.inf), scores), np.where(out, -1, positions)
    order = np.argsort(out, axis=1, kind="stable")
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(positions, order, axis=1)


def _places(folder: Path, card: IndexCard) -> Array:
    """Where the items are in an inverted file, mapped; raises `AdiError` where that is missing or of another index."""
    path = folder / PLACES
    try:
        places: Array = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise AdiError(f"{path}: cannot be read ({error}). Build the index again.") from None
    if places.shape != (card.items,):
        raise AdiError(f"{path}: of {len(places)} items, and the index has {card.items}. Build the index again.")
    return places


def read_mapped(path: Path) -> faiss.Index:
    """Map an index file into memory; raises `AdiError` where it is none."""
    try:
        # Of the library's two ways to map, this one covers flat indexes too, and starts no threads that read ahead.
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except (RuntimeError, MemoryError) as error:
        raise AdiError(
            f"{path}: faiss {faiss.__version__} cannot read it ({str(error).splitlines()[0]}). Build the index again."
        ) from None
