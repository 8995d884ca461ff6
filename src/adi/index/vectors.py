"""Item and query vectors as they are given: checked, read in blocks, searched exactly."""

from collections.abc import Callable, Iterator
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from adi.errors import AdiError

Array = npt.NDArray[Any]
Advance = Callable[[int], None]

BLOCK = 1 << 17


def blocks(vectors: Array) -> Iterator[tuple[int, Array]]:
    """Vectors (m, dim), perhaps memory-mapped, as (first position, float32 block); raises `AdiError` at a NaN."""
    for first in range(0, len(vectors), BLOCK):
        block = np.ascontiguousarray(vectors[first : first + BLOCK], dtype=np.float32)
        check_finite(block, "item vectors", first)
        yield first, block


def check_finite(vectors: Array, what: str, first: int = 0) -> None:
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = int(finite.argmin())
        value = vectors[row][~np.isfinite(vectors[row])][0]
        raise AdiError(f"{what}, row {first + row}: {value} is no finite number. Look at the model that made them.")


def checked_queries(queries: Array, dim: int) -> Array:
    """Queries (n, dim) as contiguous float32; raises `AdiError` for another shape, and for values not finite."""
    if queries.ndim != 2 or queries.shape[1] != dim:
        raise AdiError(f"queries of shape {queries.shape}: the items have {dim} dimensions; give (n, {dim}).")
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    check_finite(queries, "queries")
    return queries


def exact_top(vectors: Array, queries: Array, k: int, advance: Advance) -> tuple[Array, Array]:
    """The exact top `k` of each query among all vectors, k ≤ m, without holding them in memory as float32.

    Returns scores (n, k) float32 and positions (n, k), best first.
    """
    scores = np.empty((len(queries), 0), dtype=np.float32)
    positions = np.empty((len(queries), 0), dtype=np.int64)
    for first, block in blocks(vectors):
        more, rows = faiss.knn(queries, block, min(k, len(block)), faiss.METRIC_INNER_PRODUCT)
        scores, positions = np.hstack([scores, more]), np.hstack([positions, rows + first])
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        scores, positions = np.take_along_axis(scores, best, axis=1), np.take_along_axis(positions, best, axis=1)
        advance(first + len(block))
    return scores, positions
