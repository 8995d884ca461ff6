"""Arrays on disk: written in batches, and read as memory maps."""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from adi.errors import AdiError

Array = npt.NDArray[Any]

ROWS_PER_BATCH = 1 << 18
"""Rows that are in memory at once where a table streams by."""


def mapped_array(path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> "np.memmap[Any, Any]":
    """A new ``.npy`` file of zeros as a memory map to write to, with room on the disk.

    Raises `OSError` where there is none: a store into a map that the disk has no room for would end the process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


class ArrayWriter:
    """Appends blocks to a ``.npy`` file, without holding it in memory.

    The array has one dimension (length,), or with a `width` two (length, width). A context manager; with a `length`
    that is known before, it raises ValueError at its end if fewer or more values or rows were written.
    """

    def __init__(self, path: Path, length: int | None, dtype: npt.DTypeLike, *, width: int | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.dtype, self._length, self._width, self._written = np.dtype(dtype), length, width, 0
        self._file = path.open("wb")
        self._write_header(length or 0)

    def append(self, block: Array) -> None:
        self._written += len(block)
        self._file.write(np.ascontiguousarray(block, dtype=self.dtype).data)

    def _write_header(self, length: int) -> None:
        """Write the header, which numpy makes equally long for every length."""
        shape = (length,) if self._width is None else (length, self._width)
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        with self._file:
            if failure is None and self._length is None:
                self._file.seek(0)
                self._write_header(self._written)
        if failure is None and self._length not in (None, self._written):
            raise ValueError(f"{self._file.name}: {self._length - self._written} values are missing")


def write_columns(
    batches: Iterable[pa.RecordBatch],
    folder: Path,
    dtypes: Mapping[str, npt.DTypeLike],
    encoders: Mapping[str, Callable[[pa.Array], Array]] | None = None,
    advance: Callable[[int], None] | None = None,
) -> int:
    """Write each column of `dtypes` to ``<folder>/<column>.npy``; returns the number of rows.

    `encoders` map columns of values to codes; `advance` is called with the number of rows of each batch.
    """
    length = 0
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(ArrayWriter(folder / f"{name}.npy", None, dtype))
            for name, dtype in dtypes.items()
        }
        for batch in batches:
            for name, writer in writers.items():
                column = batch.column(name)
                encode = encoders.get(name) if encoders else None
                writer.append(encode(column) if encode else column.to_numpy(zero_copy_only=False))
            length += len(batch)
            if advance is not None:
                advance(len(batch))
    return length


def read_array(path: Path) -> Array:
    """Map a ``.npy`` file into memory, read-only. Raises `AdiError` for a file that is no array."""
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, MemoryError, OverflowError) as error:
        raise AdiError(f"{path}: damaged, not an array ({error}). 'adi verify' finds all damage.") from None
    return np.asarray(mapped)  # a plain array: indexing numpy's own class for maps is slower


def checked_offsets(offsets: Array, count: int, length: int, path: Path) -> Array:
    """The offsets (count + 1,) of that many slices of an array of `length`, as they are.

    Raises `AdiError` with the path of their file for others, which would read far more, or something else.
    """
    if len(offsets) != count + 1 or offsets[0] != 0 or offsets[-1] != length or (offsets[1:] < offsets[:-1]).any():
        raise AdiError(f"{path}: damaged, not the offsets of {count:,} slices of {length:,} values.")
    return offsets


def arrow_numbers(numbers: Array) -> pa.Array:
    """Numbers (n,) as an Arrow array on the same memory. `pa.array` would import pandas, at 50 MB and half a second."""
    values = np.ascontiguousarray(numbers)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(values)])


def finite_numbers(values: pa.Array) -> Array:
    """Numbers as float64 (n,), NaN where one is missing or infinite."""
    numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)
