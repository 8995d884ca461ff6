"""Vectors of equal length whose inner products are those of vectors of any length.

One more coordinate, ``sqrt(M^2 - |v|^2)``, M the length of the longest, gives all items the length M. A query has 0
there, so scores do not change (Bachrach et al., RecSys 2014). A graph of items, which links those that score high with
each other, links long ones alone if lengths differ, and what its searches miss they miss with any effort; of equal
lengths, near ones are linked. Which of the two finds more depends on the vectors: long items that are the best for
many are found sooner as they are.
"""

import numpy as np

from adi.data.arrays import Array


def of_equal_length(vectors: Array) -> Array:
    """Vectors (n, dim) with a coordinate that gives all of them the length of the longest (n, dim + 1)."""
    squares = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
    missing = np.sqrt(np.maximum(squares.max(initial=0.0) - squares, 0.0))
    return np.column_stack([vectors, missing]).astype(np.float32)


def queries_of(users: Array) -> Array:
    """Queries for such vectors (n, dim + 1), from users' vectors (n, dim)."""
    return np.pad(users, ((0, 0), (0, 1)))
