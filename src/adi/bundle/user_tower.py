"""The user tower of a domain in a bundle: rows of the packed embedding tables in, user vectors out."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from adi.bundle.manifest import PaddedFeature, TowerInfo
from adi.data.arrays import Array
from adi.errors import AdiError
from adi.features.bags import ArrayBags, FeatureArrays


class UserTower:
    """Encodes queries of one domain. The tables stay on disk; the network is an ONNX graph."""

    def __init__(self, bundle: Path, info: TowerInfo) -> None:
        self.padding = info.slots
        self.tables = RowFile(bundle / info.tables)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # one query is too little work to share
        options.inter_op_num_threads = 1
        self.graph = onnxruntime.InferenceSession(bundle / info.graph, options, providers=["CPUExecutionProvider"])

    def vectors(self, bags: FeatureArrays) -> Array:
        """Return the vectors of R queries of the domain with I interests (R, I, dim)."""
        padded = pad(bags, self.padding)
        embeddings = np.zeros((*padded.rows.shape, self.tables.shape[1]), dtype=np.float32)  # (R, S, E)
        filled = padded.given > 0
        distinct, inverse = np.unique(padded.rows[filled], return_inverse=True)
        embeddings[filled] = self.tables.rows(distinct)[inverse]
        (vectors,) = self.graph.run(None, {"rows": embeddings, "given": padded.given})
        return np.asarray(vectors)


@dataclass(frozen=True)
class Padded:
    """Table rows of R queries in S slots (R, S), and which slots are filled, 1 or 0 (R, S); empty ones have row 0."""

    rows: Array
    given: Array


def pad(bags: FeatureArrays, padding: Sequence[PaddedFeature]) -> Padded:
    """Pad each feature's values to the width of its slots, on the left; of more values the first are dropped.

    Shapes:
        bags of R queries -> (R, S), S the sum of the widths
    """
    count = _num_queries(bags[padding[0].feature])
    rows = np.zeros((count, sum(feature.width for feature in padding)), dtype=np.int64)
    given = np.zeros(rows.shape, dtype=np.float32)
    end = 0
    for feature in padding:
        end += feature.width
        bag = bags[feature.feature]
        if bag.offsets is None:
            rows[:, end - 1], given[:, end - 1] = bag.values + feature.first, 1
            continue
        query = np.repeat(np.arange(count), np.diff(bag.offsets))
        from_last = bag.offsets[query + 1] - 1 - np.arange(len(query))  # 0 for the last value of a query
        kept = from_last < feature.width
        cells = query[kept], end - 1 - from_last[kept]
        rows[cells], given[cells] = bag.values[kept] + feature.first, 1
    return Padded(rows, given)


def _num_queries(bag: ArrayBags) -> int:
    return len(bag.values) if bag.offsets is None else len(bag.offsets) - 1


class RowFile:
    """A two-dimensional ``.npy`` file of float32, from which a request reads a few rows.

    Rows are read rather than memory-mapped: a mapped page counts as the process's memory once touched, together with
    the pages that the system reads ahead, and requests touch rows all over a file of gigabytes. Any number of threads
    may read.

    Raises `AdiError` for a file of another type or shape.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            self.shape, fortran, dtype = read(file)
            self._first = file.tell()
            if len(self.shape) != 2 or fortran or dtype != np.float32:
                raise AdiError(f"{path}: {dtype} of shape {self.shape}, not rows of float32. Export the bundle again.")
            self._file = os.dup(file.fileno())
        self._size = 4 * self.shape[1]

    def rows(self, numbers: Array) -> Array:
        """Read the rows with the given numbers (n,) -> (n, width)."""
        rows = np.empty((len(numbers), self.shape[1]), dtype=np.float32)
        memory = rows.ravel().view(np.uint8).data
        size, first = self._size, self._first
        for index, number in enumerate(numbers.tolist()):
            os.preadv(self._file, (memory[index * size : (index + 1) * size],), first + number * size)
        return rows

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)
