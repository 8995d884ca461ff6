"""Exact search, for domains of few items: every vector as float32."""

import faiss

from adi.index.allowed import Filter
from adi.index.vectors import Array

NARROW = 0.25
"""Share of the items below which copying the admitted vectors side by side is cheaper than passing over the rest."""


class ExactItems:
    """Scores every item that is admitted."""

    def __init__(self, index: faiss.IndexFlatIP) -> None:
        self.index = index
        self.vectors: Array = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(-1, index.d)

    def top(self, queries: Array, k: int, depth: int, admitted: Filter | None) -> tuple[Array, Array]:
        """As `InvertedFile.top`; `depth` changes nothing here."""
        if admitted is None:
            scores, positions = self.index.search(queries, k)
        elif len(admitted) < NARROW * admitted.items:
            scores, positions = self.among(queries, k, admitted.positions)
        else:
            only = faiss.SearchParameters(sel=admitted.selector)
            scores, positions = self.index.search(queries, k, params=only)
        return scores, positions

    def among(self, queries: Array, k: int, positions: Array) -> tuple[Array, Array]:
        """As `Items.among`."""
        vectors = self.vectors[positions]  # (p, dim)
        scores, rows = faiss.knn(queries, vectors, k, faiss.METRIC_INNER_PRODUCT)
        return scores, positions[rows]
