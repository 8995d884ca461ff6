"""Search in some of the lists that the items are divided into, for domains of many items: fp16 vectors."""

from collections.abc import Callable, Sequence

import faiss
import numpy as np

from adi.errors import AdiError
from adi.index.allowed import Filter
from adi.index.card import Reach
from adi.index.probe_depth import Depths
from adi.index.settings import IndexSettings
from adi.index.vectors import Advance, Array, blocks

FP16_MAX = 65504.0
WITHIN_A_QUERY = 1
"""The library's number for threads that share the lists of each query, where by default they share queries. With one
thread it takes a tenth longer."""
COPY, SCORE, PASS, PICK = 70.0, 10.0, 4.0, 40.0
"""Nanoseconds for one item, measured at 2.24 M × 64, of which only the proportions matter: copying a vector out of its
list and scoring it among copies; passing over an id in a list under a filter and scoring an item that is admitted."""


def inverted_file(
    vectors: Array, settings: IndexSettings, told: Callable[[str], Advance]
) -> faiss.IndexIVFScalarQuantizer:
    """Divide vectors (m, dim) into lists, in memory.

    Lists are found, and items assigned to them, by distance, and read in the order of inner products. By inner product
    alone the centroids would have to be of one length, and lists that hold long vectors would come no earlier: on
    vectors of unequal length that took three times as many lists for the same recall.

    `told` gives the progress of a stage. Raises `AdiError` for a vector that does not fit fp16.
    """
    items, dim = vectors.shape
    nlist = settings.lists(items)
    for first, block in blocks(vectors):
        _check_fp16(block, first)
    told("finding the lists")(0)
    centroids = _centroids(vectors, nlist, settings)
    advance = told("filling the lists")
    nearest, quantizer = faiss.IndexFlatL2(dim), faiss.IndexFlatIP(dim)
    nearest.add(centroids)
    quantizer.add(centroids)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, dim, nlist, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    index.is_trained = True  # the quantizer is full, and fp16 has nothing to learn
    for first, block in blocks(vectors):
        _, lists = nearest.search(block, 1)
        ids = np.arange(first, first + len(block))
        index.add_core(len(block), faiss.swig_ptr(block), faiss.swig_ptr(ids), faiss.swig_ptr(lists.ravel()))
        advance(first + len(block))
    return index


def places_in(index: faiss.IndexIVFScalarQuantizer) -> Array:
    """Where each item is: the number of its list << 32 | its place there (m,)."""
    lists = faiss.downcast_InvertedLists(index.invlists)
    places = np.empty(index.ntotal, dtype=np.int64)
    for number in range(index.nlist):
        if size := lists.list_size(number):
            ids = faiss.rev_swig_ptr(lists.get_ids(number), size)
            places[ids] = number << 32 | np.arange(size)
    return places


def _centroids(vectors: Array, nlist: int, settings: IndexSettings) -> Array:
    draw = np.random.default_rng(settings.seed)
    rows = draw.choice(len(vectors), min(len(vectors), nlist * settings.training_points), replace=False)
    points = np.ascontiguousarray(vectors[np.sort(rows)], dtype=np.float32)
    means = faiss.Clustering(points.shape[1], nlist)
    means.niter, means.seed = settings.iterations, settings.seed
    means.min_points_per_centroid = 1  # else it warns, on the process's output, of what was chosen here
    means.max_points_per_centroid = max(256, settings.training_points)
    means.train(points, faiss.IndexFlatL2(points.shape[1]))
    centroids: Array = faiss.vector_to_array(means.centroids).reshape(nlist, -1)
    return centroids


def _check_fp16(block: Array, first: int) -> None:
    fits = np.abs(block).max(axis=1) <= FP16_MAX
    if not fits.all():
        row = int(fits.argmin())
        raise AdiError(
            f"item vectors, row {first + row}: {np.abs(block[row]).max():g} is beyond fp16 (65504). "
            "Normalise the vectors, or raise exact_below above their number."
        )


class InvertedFile:
    """Reads the lists whose centroids promise most for a query.

    Args:
        index: its codes stay where they are, in the mapped file.
        places: see `places_in`; perhaps mapped, too.
        reach: how many lists to read at which depth; empty while that is being found out.
    """

    def __init__(self, index: faiss.IndexIVFScalarQuantizer, places: Array, reach: Sequence[Reach]) -> None:
        self.index, self._places = index, places
        self._within = _sharing_lists(index)
        self.depths = Depths(reach, index.nlist) if reach else None
        lists = faiss.downcast_InvertedLists(index.invlists)
        self.sizes = np.asarray([lists.list_size(number) for number in range(index.nlist)])
        self._map_codes(lists)

    def _map_codes(self, lists: faiss.InvertedLists) -> None:
        """View the memory from the first list's codes to the last's as overlapping rows, one beginning at each byte.

        It makes a gather of vectors one copy by numpy, much faster than the library's `reconstruct_batch`.
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
        """The list of each item, same shape."""
        return self._places[positions] >> 32

    def order(self, queries: Array) -> Array:
        """All lists in the order that each query reads them (n, nlist)."""
        order: Array = self.index.quantizer.search(queries, self.index.nlist)[1]
        return order

    def top(self, queries: Array, k: int, depth: int, admitted: Filter | None) -> tuple[Array, Array]:
        """The `k` best that are admitted, reading as many lists as the top `depth` needs; no more than are admitted.

        Returns scores (n, k) float32 and positions (n, k) int64, best first, position -1 where there are fewer.
        """
        assert self.depths is not None
        if admitted is None:
            return self.probe(queries, k, self.depths.probes_for(depth))
        probes = self._probes_under(queries, depth, admitted)
        passed = len(queries) * probes / self.index.nlist * (PASS * admitted.items + PICK * len(admitted))
        if len(admitted) * (COPY + SCORE * len(queries)) < passed:
            return self.among(queries, k, admitted.positions)
        return self.probe(queries, k, probes, admitted)

    def probe(self, queries: Array, k: int, nprobe: int, admitted: Filter | None = None) -> tuple[Array, Array]:
        """The `k` best in the `nprobe` lists of each query."""
        selector = None if admitted is None else admitted.selector
        how = faiss.SearchParametersIVF(nprobe=nprobe, sel=selector)
        few = len(queries) < faiss.omp_get_max_threads()
        scores, positions = (self._within if few else self.index).search(queries, k, params=how)
        return scores, positions

    def _probes_under(self, queries: Array, depth: int, admitted: Filter) -> int:
        """How many lists a filtered search has to read for the neediest of its queries."""
        assert self.depths is not None
        sample = np.bincount(self.list_of(admitted.sample), minlength=self.index.nlist)
        shares = sample * (len(admitted) / len(admitted.sample)) / np.maximum(self.sizes, 1)
        return max(self.depths.probes_among(depth, shares[order]) for order in self.order(queries))

    def among(self, queries: Array, k: int, positions: Array) -> tuple[Array, Array]:
        """As `Items.among`, exactly but for fp16: the codes of the items side by side, all scored."""
        places = self._places[positions]
        codes = self._codes[self._starts[places >> 32] + (places & 0xFFFFFFFF) * self.index.code_size]
        side_by_side = faiss.IndexScalarQuantizer(
            self.index.d, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        side_by_side.is_trained = True
        side_by_side.add_sa_codes(codes.view(np.uint8).reshape(len(codes), -1))
        scores, rows = side_by_side.search(queries, k)
        return scores, positions[rows]


def _sharing_lists(index: faiss.IndexIVFScalarQuantizer) -> faiss.IndexIVFScalarQuantizer:
    """The same index, on the same memory, whose threads share the lists of each query."""
    other = faiss.IndexIVFScalarQuantizer(
        index.quantizer, index.d, index.nlist, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False
    )
    other.replace_invlists(index.invlists, False)
    other.is_trained, other.ntotal, other.parallel_mode = True, index.ntotal, WITHIN_A_QUERY
    return other
