"""The code of a single value, without an engine: what `adi.preparation.vocabulary` makes of columns."""

from collections.abc import Callable
from hashlib import md5

import numpy as np

from adi.data.arrays import Array
from adi.data.manifest import FIRST_VALUE_ROW, NULL_ROW


def hash_one(value: str, hash_size: int) -> int:
    """`hash_values` for a single value."""
    return int.from_bytes(md5(value.encode()).digest()[8:], "little") % hash_size + FIRST_VALUE_ROW


def bucket(edges: tuple[float, ...]) -> Callable[[Array], Array]:
    """An encoder from numbers to table rows: row 2 is below the first edge; NaN and infinities are missing."""
    bounds = np.asarray(edges)

    def encode(numbers: Array) -> Array:
        numbers = np.asarray(numbers, dtype=np.float64)
        codes = np.searchsorted(bounds, numbers, side="right") + FIRST_VALUE_ROW
        return np.where(np.isfinite(numbers), codes, NULL_ROW)

    return encode
