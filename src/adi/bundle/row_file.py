"""Rows of a matrix on disk, read one by one."""

import os
from pathlib import Path

import numpy as np

from adi.data.arrays import Array
from adi.errors import AdiError


class RowFile:
    """A two-dimensional ``.npy`` file of float32, of which requests need a few rows each.

    They are read, not mapped: a mapped page that was touched counts as the process's memory, with its neighbours that
    the system brings along, and a request touches rows all over a file of gigabytes. Any number of threads may read.

    Raises `AdiError` for a file of another kind.
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
        """The rows of the given numbers (n,) -> (n, width)."""
        found = np.empty((len(numbers), self.shape[1]), dtype=np.float32)
        places = found.ravel().view(np.uint8).data
        size, first = self._size, self._first
        for number, row in enumerate(numbers.tolist()):
            os.preadv(self._file, (places[number * size : (number + 1) * size],), first + row * size)
        return found

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)
