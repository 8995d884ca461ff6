"""A blend: scores of similar and repeated items that are added to a model's, with weights for each domain.

    score(v) = model(v) + w_all log(1 + 10 s_all(v)) + w_here log(1 + 10 s_here(v))
                        + r_all log(1 + 10 f_all(v)) + r_here log(1 + 10 f_here(v))

``s_all(v)`` is the sum of the similarities of v and the items of the history (`adi.models.blend`), ``s_here(v)`` the
same counted in the domain alone. ``f_all(v)`` is how often v itself is in the history (`adi.data.repeats`), and
``f_here(v)`` how often in this domain, for logs in which items repeat. Only the nearest items of a history and its own
get a score, so that a list is still found by an index: the best by the model, and all that have an added score.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
import scipy.sparse as sp

from adi.columns import columns_of
from adi.data.arrays import Array, read_array
from adi.data.co_clicks import Pairs, no_pairs
from adi.data.histories import Histories
from adi.data.repeats import frequencies

LAST = 100
"""The newest items of a history whose similar items count."""

SCALE = 10.0
"""The factor of a similarity or frequency before its logarithm."""

Similarity = Literal["cosine", "linear", "none"]
"""The similarity of two items: the cosine of item-kNN, or a linear weight, as in EASE; "none": not counted."""


class BlendWeights(NamedTuple):
    """The weights of a domain: of the neighbours by all domains and by this domain alone, and of repeats in both."""

    everywhere: float
    here: float
    repeats: float = 0.0
    repeats_here: float = 0.0


class ItemNeighbours:
    """The nearest items of each item and their similarities: a sparse matrix (items, items)."""

    def __init__(self, similarities: sp.csr_array) -> None:
        self.similarities = similarities

    @classmethod
    def none(cls, num_items: int) -> Self:
        """Items without neighbours."""
        return cls(sp.csr_array(sp.coo_array((num_items, num_items), dtype=np.float32)))

    def sums(self, histories: Histories) -> sp.csr_array:
        """The sums of the similarities of each item and the distinct items of n histories (n, items)."""
        shape = (len(histories), self.similarities.shape[0])
        ones = np.ones(len(histories.items), dtype=np.float32)
        profiles = sp.csr_array((ones, histories.items, histories.offsets), shape=shape, copy=True)
        profiles.sum_duplicates()  # sorts in place: without the copy, it would reorder the history
        profiles.data[:] = 1.0
        sums: sp.csr_array = profiles @ self.similarities
        return sums

    def save(self, folder: Path) -> None:
        """Write the matrix into a new folder."""
        folder.mkdir(parents=True)
        for name in ("indptr", "indices", "data"):
            np.save(folder / f"{name}.npy", getattr(self.similarities, name))

    @classmethod
    def open(cls, folder: Path, num_items: int) -> Self:
        """Map a saved matrix into memory."""
        indptr, indices, data = (read_array(folder / f"{name}.npy") for name in ("indptr", "indices", "data"))
        return cls(sp.csr_array((data, indices, indptr), shape=(num_items, num_items), copy=False))


class Blend:
    """The added scores of each domain.

    Args:
        everywhere: the neighbours by the rows of all domains.
        here: by those of one domain, by its number; without a domain in which they have no weight.
        weights: of each domain, by its number.
    """

    def __init__(
        self, everywhere: ItemNeighbours, here: Mapping[int, ItemNeighbours], weights: Mapping[int, BlendWeights]
    ) -> None:
        self.everywhere, self.here, self.weights = everywhere, here, weights

    def values(self, domain: int, histories: Histories, items: Array) -> Pairs:
        """The values of pairs of n histories and `items` (m,), ascending, that weights are for (C = 4).

        Those without a weight in the domain are 0.
        """
        sums = self._sums(domain, histories)
        if not sums:
            return no_pairs(len(histories), len(BlendWeights._fields))
        width = max(len(items), 1)
        cells, found = zip(*(_cells(part, items, width) for part in sums.values()), strict=True)
        distinct = _distinct(np.concatenate(cells))  # of any kind, by query and then by item
        values = np.zeros((len(distinct), len(BlendWeights._fields)), dtype=np.float32)
        for kind, cell, of_kind in zip(sums, cells, found, strict=True):
            values[np.searchsorted(distinct, cell), BlendWeights._fields.index(kind)] = of_kind
        offsets = np.searchsorted(distinct // width, np.arange(len(histories) + 1))
        return Pairs(distinct % width, _log1p(SCALE * values), offsets)

    def _sums(self, domain: int, histories: Histories) -> dict[str, sp.csr_array]:
        """The sums (n, items) that have a weight in the domain, by the name of the weight."""
        weights, num_items = self.weights[domain], self.everywhere.similarities.shape[0]
        domains = np.full(len(histories), domain)
        sums = {}
        if weights.everywhere:
            sums["everywhere"] = self.everywhere.sums(histories.last(LAST))
        if weights.here:
            sums["here"] = self.here[domain].sums(histories.last(LAST).only_in(domains))
        if weights.repeats:
            sums["repeats"] = frequencies(histories, num_items)
        if weights.repeats_here:
            sums["repeats_here"] = frequencies(histories.only_in(domains), num_items)
        return sums

    def added(self, domain: int, histories: Histories, items: Array) -> Pairs:
        """The scores to add to pairs of n histories and `items` (m,), ascending (C = 1)."""
        pairs = self.values(domain, histories, items)
        weights = np.array(self.weights[domain], dtype=np.float32)
        return Pairs(pairs.columns, (pairs.values * weights).sum(axis=1, keepdims=True), pairs.offsets)


def _cells(sums: sp.csr_array, items: Array, width: int) -> tuple[Array, Array]:
    """The cells (T,) of a matrix (n, `width`) at which sums (n, all items) of `items` are above 0, and these sums."""
    columns = columns_of(sums.indices, items)
    inside = np.flatnonzero((columns >= 0) & (sums.data > 0))
    rows = np.repeat(np.arange(sums.shape[0]), np.diff(sums.indptr))[inside]
    return rows * width + columns[inside], sums.data[inside]


def _distinct(cells: Array) -> Array:
    """The distinct values of `cells` (T,), not negative, ascending. `np.unique` hashes them, and is slower."""
    ascending = np.sort(cells, kind="stable")
    return ascending[np.flatnonzero(np.diff(ascending, prepend=-1))]


def _log1p(values: Array) -> Array:
    """The logarithm of 1 + values, the same for a value alone and among others; with float32 the last digit differs."""
    return np.log1p(values.astype(np.float64)).astype(np.float32)
