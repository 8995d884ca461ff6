"""Bags of codes: the values of one feature for each row of a batch, as numpy arrays."""

from dataclasses import dataclass

import numpy as np

from adi.data.arrays import Array


@dataclass(frozen=True)
class ArrayBags:
    """`adi.batch.Bags` before it is tensors: int64 `values` (T,), and `offsets` (R + 1,) or None: one code a row."""

    values: Array
    offsets: Array | None = None


FeatureArrays = dict[str, ArrayBags]
"""The bags of each feature of a side, in the order of the features."""


def as_bags(values: Array, offsets: Array | None = None) -> ArrayBags:
    """Codes (T,) and offsets (R + 1,) of any integer type as contiguous int64."""
    cuts = None if offsets is None else np.ascontiguousarray(offsets, dtype=np.int64)
    return ArrayBags(np.ascontiguousarray(values, dtype=np.int64), cuts)
