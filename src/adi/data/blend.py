"""A blend: scores that are counted from a history and added to those of a model, with weights for each domain.

    score(v) = model(v) + w_all log(1 + 10 s_all(v)) + w_here log(1 + 10 s_here(v))
                        + r_all log(1 + 10 f_all(v)) + r_here log(1 + 10 f_here(v))
                        + n_all log(1 + 10 t_all(v)) + n_here log(1 + 10 t_here(v))

``s(v)`` is the sum of the similarities of v and the items of the history (`adi.models.blend`), ``f(v)`` how often v
itself is in the history, for logs in which items repeat, and ``t(v)`` the sum of the shares of v among what users take
next after the newest items of the history (`adi.models.followers`), for logs with time. ``_all`` counts in all domains,
``_here`` in the query's alone. Few items get such a score, so that a list is still found by an index: the best by the
model, and all that have an added score.
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
from adi.data.profiles import distinct_profiles, frequencies, recent_profiles

LAST = 100
"""The newest items of a history whose similar items count."""

SCALE = 10.0
"""The factor of a similarity or frequency before its logarithm."""

Similarity = Literal["cosine", "linear", "none"]
"""The similarity of two items: the cosine of item-kNN, or a linear weight, as in EASE; "none": not counted."""


class BlendWeights(NamedTuple):
    """The weights of a domain: of similar items by all domains and by this domain alone, repeats and followers."""

    everywhere: float
    here: float
    repeats: float = 0.0
    repeats_here: float = 0.0
    follows: float = 0.0
    follows_here: float = 0.0


Fields = tuple[str, str]
"""The names of two weights: of what is counted in all domains, and in the query's alone."""

SIMILAR: Fields = ("everywhere", "here")
REPEATS: Fields = ("repeats", "repeats_here")
FOLLOWS: Fields = ("follows", "follows_here")

Kind = Literal["similar", "follows", "repeats"]
"""The kinds of added scores: those of similar items, of items that follow, and of items of the history itself."""


class ItemNeighbours:
    """The nearest items of each item, or its followers, and their similarities: a sparse matrix (items, items)."""

    def __init__(self, similarities: sp.csr_array) -> None:
        self.similarities = similarities

    @classmethod
    def none(cls, num_items: int) -> Self:
        """Items without neighbours."""
        return cls(sp.csr_array(sp.coo_array((num_items, num_items), dtype=np.float32)))

    def sums(self, profiles: sp.csr_array) -> sp.csr_array:
        """The sums of the similarities of each item and the items of n profiles, weighted (n, items)."""
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


class ByScope(NamedTuple):
    """Neighbours by the rows of all domains, and by those of one domain, by its number, where that has a weight."""

    everywhere: ItemNeighbours
    here: Mapping[int, ItemNeighbours]


class Blend:
    """The added scores of each domain: those of similar items, of followers, and of repeats.

    Args:
        similar: the nearest items of each item.
        followers: the items that follow each item.
        weights: of each domain, by its number.
    """

    def __init__(self, similar: ByScope, followers: ByScope, weights: Mapping[int, BlendWeights]) -> None:
        self.similar, self.followers, self.weights = similar, followers, weights

    def values(self, domain: int, histories: Histories, items: Array) -> Pairs:
        """The values of pairs of n histories and `items` (m,), ascending, that weights are for (C = 6).

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
        weights, num_items = self.weights[domain], self.similar.everywhere.similarities.shape[0]
        domains = np.full(len(histories), domain)
        sums = {}
        if weights.everywhere:
            sums["everywhere"] = self.similar.everywhere.sums(distinct_profiles(histories.last(LAST), num_items))
        if weights.here:
            last_here = histories.last(LAST).only_in(domains)
            sums["here"] = self.similar.here[domain].sums(distinct_profiles(last_here, num_items))
        if weights.repeats:
            sums["repeats"] = frequencies(histories, num_items)
        if weights.repeats_here:
            sums["repeats_here"] = frequencies(histories.only_in(domains), num_items)
        if weights.follows:
            sums["follows"] = self.followers.everywhere.sums(recent_profiles(histories, num_items))
        if weights.follows_here:
            here = recent_profiles(histories.only_in(domains), num_items)
            sums["follows_here"] = self.followers.here[domain].sums(here)
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
