"""What a served request is measured against: the library alone, on the same vectors and with as many threads."""

from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np

from adi.data.arrays import Array
from adi.index.build import IndexSettings, inverted_lists
from adi.index.card import VECTORS, IndexCard, read_card
from adi.index.vector_index import read_mapped

ENOUGH = 64
"""Lists of the one global index that are read in the first try to reach the recall."""


class OneDomainAlone:
    """The index of a domain in a bundle, searched by faiss with nothing around it."""

    name = "faiss alone, the same index"

    def __init__(self, bundle: Path, place: str) -> None:
        self.card: IndexCard = read_card(bundle / place)
        self.index = read_mapped(bundle / place / VECTORS)
        self.options = None
        if self.card.nprobe is not None:
            self.options = faiss.SearchParametersIVF(nprobe=self.card.nprobe)

    def top(self, queries: Array, k: int) -> Array:
        positions: Array = self.index.search(queries, k, params=self.options)[1]
        return positions

    def vectors(self) -> Array:
        """All of them as the index has them, in float32 (m, dim)."""
        stored: Array = self.index.reconstruct_n(0, self.index.ntotal)
        return stored


class FlatScan:
    """An exact scan of all vectors of a domain, in float32."""

    name = "exact scan"

    def __init__(self, vectors: Array) -> None:
        self.index = faiss.IndexFlatIP(vectors.shape[1])
        self.index.add(vectors)

    def top(self, queries: Array, k: int) -> Array:
        positions: Array = self.index.search(queries, k)[1]
        return positions


class OneIndexForAll:
    """One index of the vectors of all domains, with a filter that admits the domain asked for.

    Built as a domain's own index is. It reads as many lists as it takes to reach, in each domain, the recall that the
    domains' own indexes have on the same queries.
    """

    name = "one index, filtered by domain"

    def __init__(self, domains: Sequence[Array], settings: IndexSettings) -> None:
        self.size = len(domains[0])
        self.index = inverted_lists(np.concatenate(domains), settings)
        self.nprobe = ENOUGH

    def tune(self, queries: Sequence[Array], exact: Sequence[Array], k: int, target: float) -> None:
        """Read the fewest lists, in steps of a tenth, that find `target` of the exact top k in every domain."""
        while self.nprobe < self.index.nlist and any(
            recall(self.top(own, k, domain), truth) < target
            for domain, (own, truth) in enumerate(zip(queries, exact, strict=True))
        ):
            self.nprobe = min(self.index.nlist, max(self.nprobe + 1, self.nprobe * 11 // 10))

    def top(self, queries: Array, k: int, domain: int) -> Array:
        first = domain * self.size
        admitted = faiss.IDSelectorRange(first, first + self.size)
        options = faiss.SearchParametersIVF(nprobe=self.nprobe, sel=admitted)
        positions: Array = self.index.search(queries, k, params=options)[1]
        return positions - first


def recall(found: Array, exact: Array) -> float:
    """The mean share of each query's exact top k (n, k) that was found (n, k)."""
    shares = [len(np.intersect1d(own, truth)) / len(truth) for own, truth in zip(found, exact, strict=True)]
    return float(np.mean(shares))
