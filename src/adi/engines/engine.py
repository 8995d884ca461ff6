"""Engine: reads the user's tables and does what Ibis cannot express alike for DuckDB and Spark.

Filters, joins and counts are expressions of Ibis, the same on every engine. The expressions of SQL that read a user's
columns (`adi.features.kind.Kind.value_sql`, ``interactions.positive``) are DuckDB's on every engine.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from adi.data.arrays import ROWS_PER_BATCH, Array, mapped_array
from adi.engines.tables import Connection, RawTable

Encode = Callable[[pa.Array], Array]
"""The codes of a column of values."""


@dataclass(frozen=True)
class Cells:
    """An array on disk to fill by position from a column, which is encoded first; `default` is where no row is."""

    path: Path
    column: str
    dtype: npt.DTypeLike
    default: float = 0
    encode: Encode | None = None

    def create(self, shape: tuple[int, ...]) -> "np.memmap[Any, Any]":
        """The new file of the array, all of it `default`."""
        array = mapped_array(self.path, self.dtype, shape)
        if self.default != 0:
            array[:] = self.default
        return array

    def values(self, batch: pa.RecordBatch) -> Array:
        """The values of the rows of a batch (n,)."""
        column = batch.column(self.column)
        values: Array = self.encode(column) if self.encode else column.to_numpy(zero_copy_only=False)
        return values


class Engine(Protocol):
    """Holds the tables of a preparation by name, each stored once."""

    reader: Connection
    """DuckDB in this process. Columns of the user's tables are checked by it, whichever engine reads the rows."""

    def table_in_memory(self, name: str, data: object) -> RawTable:
        """A table that the caller of `adi.prepare` has given. Raises `AdiError` where it is none for this engine."""

    def table_in_catalogue(self, name: str) -> RawTable:
        """A table in the engine's catalogue. Raises `AdiError` where the engine has none."""

    def read(self, name: str, table: RawTable, columns: Mapping[str, str], text: Collection[str]) -> ibis.Table:
        """Store the rows of a user's table, with `columns` from name to SQL; those called `text` are read as text.

        Added are `file` and `file_row`, the place of a row for messages, and `row`, its position in the table from 1.
        Raises what DuckDB raises, or an `AdiError` that names the file at fault.
        """

    def store(self, name: str, table: ibis.Table) -> ibis.Table:
        """Store what an expression gives."""

    def drop(self, name: str) -> None:
        """Forget a stored table."""

    def number(self, name: str, table: ibis.Table, order_by: Sequence[str], column: str) -> ibis.Table:
        """Store a table with the position of each row, from 0 in ascending order, as `column`."""

    def compute(
        self,
        name: str,
        rows: ibis.Table,
        order_by: Sequence[str],
        inputs: Sequence[str],
        function: Callable[[dict[str, Array]], dict[str, Array]],
        outputs: Mapping[str, npt.DTypeLike],
    ) -> ibis.Table:
        """Store the rows, ordered, with new columns that `function` computes from the columns `inputs`.

        The function is called for blocks of rows that never divide the rows of a value of the first column of
        `order_by`. Reading the stored table without an order gives the rows in this order.
        """

    def batches(
        self, table: ibis.Table, order_by: Sequence[str] = (), rows_at_once: int = ROWS_PER_BATCH
    ) -> Iterator[pa.RecordBatch]:
        """Stream a table through this process, without an order as it is stored.

        It is for tables with a row for each user, item or value, not for logs. Batches may have fewer rows.
        """

    def values_at(self, values: ibis.Table, ranks: Array) -> Array:
        """The values at some positions of the column `value` in ascending order, without NULL: (n,) of ranks (n,)."""

    def write_parquet(self, table: ibis.Table, path: Path, names: Sequence[str], *, order_by: Sequence[str]) -> int:
        """Stream a table through this process to a Parquet file, as `batches` does; returns the number of rows.

        Its first columns are those of `order_by`, which are left out; `names` are those of the others in the file.
        """

    def write_columns(
        self,
        rows: ibis.Table,
        folder: Path,
        dtypes: Mapping[str, npt.DTypeLike],
        *,
        order_by: Sequence[str] = (),
        encoders: Mapping[str, Encode] | None = None,
        advance: Callable[[int], None] | None = None,
    ) -> int:
        """Write each column of `dtypes` to ``<folder>/<column>.npy``; returns the number of rows.

        `encoders` map columns of values to codes. `advance` is called with numbers of rows that were written.
        """

    def write_cells(
        self,
        rows: ibis.Table,
        shape: tuple[int, ...],
        arrays: Sequence[Cells],
        positions: Sequence[str],
    ) -> None:
        """Write arrays of a shape from rows whose cells are at `positions`, a column for each axis."""

    def to_reader(self, name: str, rows: ibis.Table) -> str:
        """SQL by which `reader` selects from rows; an engine of other processes stores them there as `name`."""
