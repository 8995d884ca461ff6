"""Item and query vectors: checked, read in blocks, searched exactly."""

from collections.abc import Callable, Iterator

import faiss
import numpy as np

from adi.data.arrays import Array
from adi.errors import AdiError

Advance = Callable[[int], None]
"""Receives the number of items done so far."""

BLOCK = 1 << 17
"""Items read at a time."""


def blocks(vectors: Array) -> Iterator[tuple[int, Array]]:
    """Yield vectors (m, dim), perhaps memory-mapped, as (first position, float32 block).

    Raises `AdiError` for a value that is not finite.
    """
    for first in range(0, len(vectors), BLOCK):
        block = np.ascontiguousarray(vectors[first : first + BLOCK], dtype=np.float32)
        check_finite(block, "item vectors", first)
        yield first, block


def check_finite(vectors: Array, name: str, first: int = 0) -> None:
    """Raise `AdiError` for the first row with a NaN or an infinity; `first` is the number of row 0."""
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        row = int(finite.argmin())
        value = vectors[row][~np.isfinite(vectors[row])][0]
        raise AdiError(f"{name}, row {first + row}: {value} is not a finite number. Check the model that produced it.")


def checked_queries(queries: Array, dim: int) -> Array:
    """Return queries (n, dim) as contiguous float32; raises `AdiError` for another shape or values not finite."""
    if queries.ndim != 2 or queries.shape[1] != dim:
        raise AdiError(f"queries of shape {queries.shape}: the items have {dim} dimensions; give (n, {dim}).")
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    check_finite(queries, "queries")
    return queries


def exact_top(vectors: Array, queries: Array, k: int, advance: Advance) -> tuple[Array, Array]:
    """Search all vectors exactly, without holding them in memory as float32.

    Returns scores (n, k) float32 and positions (n, k), best first; k ≤ m.
    """
    scores = np.empty((len(queries), 0), dtype=np.float32)
    positions = np.empty((len(queries), 0), dtype=np.int64)
    for first, block in blocks(vectors):
        block_scores, rows = faiss.knn(queries, block, min(k, len(block)), faiss.METRIC_INNER_PRODUCT)
        scores, positions = np.hstack([scores, block_scores]), np.hstack([positions, rows + first])
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        scores, positions = np.take_along_axis(scores, order, axis=1), np.take_along_axis(positions, order, axis=1)
        advance(first + len(block))
    return scores, positions
