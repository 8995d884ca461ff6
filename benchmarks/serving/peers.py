"""Other ways to find a domain's items, by faiss alone: without HTTP, ids or JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import faiss
import numpy as np

from adi.bundle.manifest import BundleInfo
from adi.data.arrays import Array
from adi.index.build import IndexSettings, inverted_lists
from adi.index.card import VECTORS, read_card
from adi.index.vector_index import read_mapped

FIRST_NPROBE = 64


class Peer(Protocol):
    """A search for the items of a domain."""

    def top(self, queries: Array, k: int, domain: int) -> Array:
        """Positions, among the domain's items, of the `k` that score best for each query: (n, dim) -> (n, k)."""
        ...


class BundleIndexes:
    """The indexes of a bundle, one for each domain, with nothing around them."""

    def __init__(self, bundle: Path, info: BundleInfo) -> None:
        folders = [bundle / domain.index for domain in info.domains.values()]
        self.indexes = [read_mapped(folder / VECTORS) for folder in folders]
        depths = [read_card(folder).nprobe for folder in folders]
        self.params = [None if depth is None else faiss.SearchParametersIVF(nprobe=depth) for depth in depths]

    def top(self, queries: Array, k: int, domain: int) -> Array:
        positions: Array = self.indexes[domain].search(queries, k, params=self.params[domain])[1]
        return positions

    def vectors(self) -> list[Array]:
        """The vectors of each domain as its index has them, in float32 (m, dim)."""
        return [index.reconstruct_n(0, index.ntotal) for index in self.indexes]


class ExactScans:
    """An exact scan of all vectors of a domain, in float32."""

    def __init__(self, vectors: Sequence[Array]) -> None:
        self.indexes = []
        for domain_vectors in vectors:
            index = faiss.IndexFlatIP(domain_vectors.shape[1])
            index.add(domain_vectors)
            self.indexes.append(index)

    def top(self, queries: Array, k: int, domain: int) -> Array:
        positions: Array = self.indexes[domain].search(queries, k)[1]
        return positions


class OneFilteredIndex:
    """One index of the vectors of all domains, built as a domain's own is, with a filter for the domain."""

    def __init__(self, vectors: Sequence[Array], settings: IndexSettings) -> None:
        self.size = len(vectors[0])
        self.index = inverted_lists(np.concatenate(vectors), settings)
        self.nprobe = FIRST_NPROBE

    def tune(self, queries: Sequence[Array], exact: Sequence[Array], k: int, target: float) -> None:
        """Probe ever more lists, by a tenth more each time, until every domain's recall of `exact` reaches `target`."""
        while self.nprobe < self.index.nlist and min(recalls(self, queries, exact, k)) < target:
            self.nprobe = min(self.index.nlist, max(self.nprobe + 1, self.nprobe * 11 // 10))

    def top(self, queries: Array, k: int, domain: int) -> Array:
        first = domain * self.size
        in_domain = faiss.IDSelectorRange(first, first + self.size)
        params = faiss.SearchParametersIVF(nprobe=self.nprobe, sel=in_domain)
        positions: Array = self.index.search(queries, k, params=params)[1]
        return positions - first


def recalls(peer: Peer, queries: Sequence[Array], exact: Sequence[Array], k: int) -> list[float]:
    """The recall of each domain's exact top-k."""
    return [
        recall(peer.top(domain_queries, k, domain), domain_exact)
        for domain, (domain_queries, domain_exact) in enumerate(zip(queries, exact, strict=True))
    ]


def recall(positions: Array, exact: Array) -> float:
    """The mean share of each query's exact top-k (n, k) that is in `positions` (n, k)."""
    shares = [
        len(np.intersect1d(row, exact_row)) / len(exact_row) for row, exact_row in zip(positions, exact, strict=True)
    ]
    return float(np.mean(shares))
