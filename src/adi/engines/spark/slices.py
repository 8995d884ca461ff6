"""Writing arrays by many processes: each writes its part of the same files, as sorted partitions follow each other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from adi.data.arrays import Array
from adi.engines.engine import Cells, Encode


def create_array(path: Path, length: int, dtype: npt.DTypeLike) -> None:
    """A new file of an array of zeros, which take no space until they are written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=(length,))


class Slice:
    """Writes values into the file of an array from a position on."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("r+b")
        version = np.lib.format.read_magic(self._file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _shape, _fortran, self.dtype = read_header(self._file)
        self._begin = self._file.tell()

    def write(self, position: int, values: Array) -> None:
        self._file.seek(self._begin + position * self.dtype.itemsize)
        self._file.write(np.ascontiguousarray(values, dtype=self.dtype).data)

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class WriteColumns:
    """Writes the columns of a partition's rows, which are those from ``offsets[partition]`` to the next offset."""

    folder: Path
    columns: Sequence[str]
    offsets: Mapping[int, tuple[int, int]]
    encoders: Mapping[str, Encode]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        context = TaskContext.get()
        assert context is not None
        position, end = self.offsets.get(context.partitionId(), (0, 0))
        slices = {name: Slice(self.folder / f"{name}.npy") for name in self.columns}
        for batch in batches:
            for number, (name, file) in enumerate(slices.items()):
                column = batch.column(number)
                encode = self.encoders.get(name)
                file.write(position, encode(column) if encode else column.to_numpy(zero_copy_only=False))
            position += batch.num_rows
        for file in slices.values():
            file.close()
        if position != end:
            raise RuntimeError(
                f"partition {context.partitionId()} ends at row {position}, and {end} was counted before"
            )
        yield from ()


@dataclass(frozen=True)
class WriteCells:
    """Writes cells at the positions of the column `position`, which ascend."""

    arrays: Sequence[Cells]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        slices = [Slice(cells.path) for cells in self.arrays]
        for batch in batches:
            if not batch.num_rows:
                continue
            positions = batch.column("position").to_numpy()
            begin, runs = positions[0], np.flatnonzero(np.diff(positions) != 1) + 1
            for cells, file in zip(self.arrays, slices, strict=True):
                values = cells.values(batch)
                if len(runs) < 2**10:  # written without what is between them
                    for first, run in zip([0, *runs.tolist()], np.split(values, runs), strict=True):
                        file.write(int(positions[first]), run)
                else:
                    block = np.full(int(positions[-1] - begin) + 1, cells.default, dtype=file.dtype)
                    block[positions - begin] = values
                    file.write(int(begin), block)
        for file in slices:
            file.close()
        yield from ()
