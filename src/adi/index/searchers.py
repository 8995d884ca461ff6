"""Two ways to search a domain's items: exactly, and in the most promising of many lists."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Protocol

import faiss
import numpy as np

from adi.data.arrays import Array
from adi.index.allowed import AllowedItems
from adi.index.card import ProbeDepth
from adi.index.probe_depth import ProbeDepths

NARROW = 0.25
"""Share of the items below which an exact search is cheaper among copies of the allowed vectors than among all."""

PARALLEL_OVER_LISTS = 1
"""The library's parallel mode in which threads share the lists of a query; by default they share the queries. On one
thread it is a tenth slower."""

COPY, SCORE, SKIP, SCAN = 70.0, 10.0, 4.0, 40.0
"""Nanoseconds for one item, measured at 2.24 M × 64; only the proportions matter. Copying a vector out of its list and
scoring it among the copies; skipping an id in a list under a filter and scanning an allowed item there."""


class Searcher(Protocol):
    """Searches items for queries (n, dim).

    Returns scores (n, k) float32 and positions (n, k) int64, best first; a position is -1 where a search finds fewer.
    """

    def top(self, queries: Array, k: int, depth: int, allowed: AllowedItems | None) -> tuple[Array, Array]:
        """Find the top k of the allowed items, as completely as the top `depth`; k ≤ the number of allowed items."""
        ...

    def top_among(self, queries: Array, k: int, positions: Array) -> tuple[Array, Array]:
        """Score all items at `positions` (p,), in any order, and return the top k of them; k ≤ p."""
        ...

    def vectors_at(self, positions: Array) -> Array:
        """Return the vectors of the items at `positions` (p,) -> (p, dim) float32."""
        ...

    def slack(self, queries: Array) -> Array:
        """Return by how much an item that was not found may exceed the last one that was, by rounding (n,)."""
        ...


class ExactSearcher:
    """Scores every item; for domains of few items, with float32 vectors.

    The library adds up a product in another order for another number of items, queries or threads. The scores of the
    items that it finds are therefore computed again, each by itself: a query has the same scores alone and with others,
    under a filter, on any number of threads, and in a shard of the items.
    """

    def __init__(self, index: faiss.IndexFlatIP) -> None:
        self.index = index
        self.vectors: Array = np.empty((0, index.d), dtype=np.float32)
        if index.ntotal:
            self.vectors = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(-1, index.d)

    def top(self, queries: Array, k: int, depth: int, allowed: AllowedItems | None) -> tuple[Array, Array]:
        """See `Searcher.top`; an exact search is as complete at any `depth`."""
        if allowed is not None and len(allowed) < NARROW * allowed.num_items:
            return self.top_among(queries, k, allowed.positions)
        _, positions = self.index.search(
            queries, k, params=None if allowed is None else faiss.SearchParameters(sel=_selector(allowed))
        )
        return self._scores(queries, positions), positions

    def top_among(self, queries: Array, k: int, positions: Array) -> tuple[Array, Array]:
        """See `Searcher.top_among`."""
        _, rows = faiss.knn(queries, self.vectors_at(positions), k, faiss.METRIC_INNER_PRODUCT)
        return self._scores(queries, positions[rows]), positions[rows]

    def slack(self, queries: Array) -> Array:
        """See `Searcher.slack`: twice the error bound of a product of float32, for the library's and for ours."""
        error = self.index.d * np.finfo(np.float32).eps * self._longest * np.linalg.norm(queries, axis=1)
        return np.asarray(2 * error)

    @cached_property
    def _longest(self) -> float:
        """The length of the longest vector."""
        squares = np.einsum("md,md->m", self.vectors, self.vectors)  # without a copy of the vectors
        return float(np.sqrt(squares.max(initial=0.0)))

    def _scores(self, queries: Array, positions: Array) -> Array:
        """The scores of items at `positions` (n, k) for each query."""
        rows = zip(queries, positions, strict=True)  # one query at a time, for the memory of n · k vectors
        return np.stack([(self.vectors[items] * query).sum(axis=1) for query, items in rows])

    def vectors_at(self, positions: Array) -> Array:
        """See `Searcher.vectors_at`."""
        vectors: Array = self.vectors[positions]
        return vectors


class InvertedFile:
    """Reads the lists with the most promising centroids for a query; for domains of many items, with fp16 vectors.

    Args:
        index: its codes stay in the memory-mapped file.
        locations: of the items (m,), see `item_locations`; perhaps memory-mapped too.
        depths: how many lists to read at which depth; empty before they are measured, when only `probe` works.
    """

    def __init__(self, index: faiss.IndexIVFScalarQuantizer, locations: Array, depths: Sequence[ProbeDepth]) -> None:
        self.index, self._locations = index, locations
        self._over_lists = _parallel_over_lists(index)
        self._depths = ProbeDepths(depths, index.nlist) if depths else None
        lists = faiss.downcast_InvertedLists(index.invlists)
        self.sizes = np.asarray([lists.list_size(number) for number in range(index.nlist)])
        self._map_codes(lists)

    def _map_codes(self, lists: faiss.InvertedLists) -> None:
        """View the memory from the first list's codes to the last's as overlapping rows, one starting at each byte.

        Vectors are then gathered by numpy in one copy, much faster than by the library's `reconstruct_batch`.
        """
        starts = {int(number): lists.get_codes(int(number)) for number in np.flatnonzero(self.sizes)}
        addresses = np.zeros(len(self.sizes), dtype=np.int64)
        addresses[list(starts)] = [int(start) for start in starts.values()]
        first = min(starts, key=lambda number: int(starts[number]))
        self._starts = addresses - addresses[first]
        length = int((self._starts + self.sizes * self.index.code_size)[self.sizes > 0].max())
        memory = faiss.rev_swig_ptr(starts[first], length)
        row = np.dtype((np.void, self.index.code_size))
        self._codes: Array = np.ndarray((length - row.itemsize + 1,), dtype=row, buffer=memory, strides=(1,))

    def list_of(self, positions: Array) -> Array:
        """Return the list that each item is in, of the same shape."""
        return self._locations[positions] >> 32

    def probe_order(self, queries: Array) -> Array:
        """Return all lists in the order in which each query reads them (n, nlist)."""
        order: Array = self.index.quantizer.search(queries, self.index.nlist)[1]
        return order

    def top(self, queries: Array, k: int, depth: int, allowed: AllowedItems | None) -> tuple[Array, Array]:
        """See `Searcher.top`; reads the lists that `depth` needs, or scores all allowed items if that is cheaper."""
        assert self._depths is not None
        if allowed is None:
            return self.probe(queries, k, self._depths.probes(depth))
        nprobe = self._probes_under(queries, depth, allowed)
        scan = len(queries) * nprobe / self.index.nlist * (SKIP * allowed.num_items + SCAN * len(allowed))
        if len(allowed) * (COPY + SCORE * len(queries)) < scan:
            return self.top_among(queries, k, allowed.positions)
        scores, positions = self.probe(queries, k, nprobe, allowed)
        if (positions[:, : len(allowed)] < 0).any():  # where centroids tie, other lists were read than were counted
            return self.top_among(queries, k, allowed.positions)
        return scores, positions

    def probe(self, queries: Array, k: int, nprobe: int, allowed: AllowedItems | None = None) -> tuple[Array, Array]:
        """Return the top k of the `nprobe` lists that come first for each query."""
        selector = None if allowed is None else _selector(allowed)
        parameters = faiss.SearchParametersIVF(nprobe=nprobe, sel=selector)
        few = len(queries) < faiss.omp_get_max_threads()
        scores, positions = (self._over_lists if few else self.index).search(queries, k, params=parameters)
        return scores, positions

    def _probes_under(self, queries: Array, depth: int, allowed: AllowedItems) -> int:
        """Return how many lists a filtered search has to read for the query that needs the most."""
        assert self._depths is not None
        sample = np.bincount(self.list_of(allowed.sample), minlength=self.index.nlist)
        shares = sample * (len(allowed) / len(allowed.sample)) / np.maximum(self.sizes, 1)
        return max(self._depths.probes_under(depth, shares[order]) for order in self.probe_order(queries))

    def top_among(self, queries: Array, k: int, positions: Array) -> tuple[Array, Array]:
        """See `Searcher.top_among`; exact up to the rounding of fp16."""
        codes = self._codes_at(positions)
        flat = faiss.IndexScalarQuantizer(self.index.d, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        flat.is_trained = True
        flat.add_sa_codes(codes.view(np.uint8).reshape(len(codes), -1))
        scores, rows = flat.search(queries, k)
        return scores, positions[rows]

    def vectors_at(self, positions: Array) -> Array:
        """See `Searcher.vectors_at`."""
        return self._codes_at(positions).view(np.float16).reshape(len(positions), self.index.d).astype(np.float32)

    def slack(self, queries: Array) -> Array:
        """See `Searcher.slack`: the library scores each vector of a list by itself."""
        return np.zeros(len(queries), dtype=np.float32)

    def _codes_at(self, positions: Array) -> Array:
        """Return the fp16 codes of items (p,), each one value of `code_size` bytes."""
        locations = self._locations[positions]
        codes: Array = self._codes[self._starts[locations >> 32] + (locations & 0xFFFFFFFF) * self.index.code_size]
        return codes


def item_locations(index: faiss.IndexIVFScalarQuantizer) -> Array:
    """Return where each item is (m,) int64: the number of its list << 32 | its offset in the list."""
    lists = faiss.downcast_InvertedLists(index.invlists)
    locations = np.empty(index.ntotal, dtype=np.int64)
    for number in range(index.nlist):
        if size := lists.list_size(number):
            ids = faiss.rev_swig_ptr(lists.get_ids(number), size)
            locations[ids] = number << 32 | np.arange(size)
    return locations


@contextmanager
def faiss_threads(count: int) -> Iterator[None]:
    """Let faiss use `count` threads in the block, for this Python thread only: OpenMP keeps the number per thread."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _selector(allowed: AllowedItems) -> faiss.IDSelector:
    return faiss.IDSelectorBitmap(allowed.bitmap)


def _parallel_over_lists(index: faiss.IndexIVFScalarQuantizer) -> faiss.IndexIVFScalarQuantizer:
    """Return the same index, on the same memory, with threads that share the lists of each query."""
    other = faiss.IndexIVFScalarQuantizer(
        index.quantizer, index.d, index.nlist, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    other.replace_invlists(index.invlists, False)
    other.is_trained, other.ntotal, other.parallel_mode = True, index.ntotal, PARALLEL_OVER_LISTS
    return other
