"""DuckDB as the engine of a preparation: one process, its tables in memory and what does not fit on disk."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ibis.backends.duckdb import Backend

from adi.data.arrays import ROWS_PER_BATCH, Array, arrow_numbers, write_columns
from adi.engines.blocks import arrays_of, tables_of
from adi.engines.engine import Cells, Encode
from adi.engines.memory import TableInMemory
from adi.engines.parquet import write_parquet
from adi.engines.tables import FILE, ROW, Connection, RawTable, literal, quoted
from adi.errors import AdiError


class DuckDBEngine:
    """An `adi.engines.engine.Engine` on a database, which `adi.engines.database.working_database` opens."""

    def __init__(self, database: Backend) -> None:
        self.database = database
        self.reader: Connection = database.con

    def table_in_memory(self, name: str, data: object) -> RawTable:
        return TableInMemory(self.reader, name, data)

    def table_in_catalogue(self, name: str) -> RawTable:
        raise AdiError(f"catalogue://{name}: DuckDB has no catalogue. Give --engine spark, or the path of files.")

    def read(self, name: str, table: RawTable, columns: Mapping[str, str], text: Collection[str]) -> ibis.Table:
        # A file's name as its number, and no number of a row, which the table has: both took as long as all the rest.
        names = ", ".join(literal(str(file)) for file in table.files)
        selected = [f"{FILE}::ENUM({names}) AS file", f"{ROW} + 1 AS file_row"]
        selected += [f"{value} AS {quoted(column)}" for column, value in columns.items()]
        with table.reading(self.reader):
            query = f"SELECT {', '.join(selected)} FROM {table.sql(text)}"
            self.reader.execute(f"CREATE TABLE {quoted(name)} AS {query}")
        stored = self.database.table(name)
        return stored.mutate(row=stored.rowid() + 1)

    def store(self, name: str, table: ibis.Table) -> ibis.Table:
        self.database.create_table(name, table)
        return self.database.table(name)

    def drop(self, name: str) -> None:
        self.reader.execute(f"DROP TABLE {quoted(name)}")

    def number(self, name: str, table: ibis.Table, order_by: Sequence[str], column: str) -> ibis.Table:
        stored = self.store(name, table.order_by(*order_by))
        return stored.mutate(**{column: stored.rowid()})

    def compute(
        self,
        name: str,
        rows: ibis.Table,
        order_by: Sequence[str],
        inputs: Sequence[str],
        function: Callable[[dict[str, Array]], dict[str, Array]],
        outputs: Mapping[str, npt.DTypeLike],
    ) -> ibis.Table:
        ordered = self.store(f"{name}_ordered", rows.order_by(*order_by))
        read = self.batches(ordered.select(order_by[0], *(column for column in inputs if column != order_by[0])))
        computed = [function(arrays_of(block)) for block in tables_of(read, order_by[0])]
        columns = {
            column: arrow_numbers(np.concatenate([block[column] for block in computed]).astype(dtype))
            for column, dtype in outputs.items()
        }
        self.reader.register(f"{name}_computed", pa.table(columns))
        tables = f"{quoted(f'{name}_ordered')} POSITIONAL JOIN {quoted(f'{name}_computed')}"
        self.reader.execute(f"CREATE TABLE {quoted(name)} AS SELECT * FROM {tables}")
        self.reader.unregister(f"{name}_computed")
        self.drop(f"{name}_ordered")
        return self.database.table(name)

    def batches(
        self, table: ibis.Table, order_by: Sequence[str] = (), rows_at_once: int = ROWS_PER_BATCH
    ) -> Iterator[pa.RecordBatch]:
        ordered = table.order_by(*order_by) if order_by else table
        yield from ordered.to_pyarrow_batches(chunk_size=rows_at_once)

    def values_at(self, values: ibis.Table, ranks: Array) -> Array:
        # The engine's own quantiles take twice as long.
        numbers: Array = values.value.to_pyarrow().to_numpy()
        return np.partition(numbers, ranks)[ranks]

    def write_parquet(self, table: ibis.Table, path: Path, names: Sequence[str], *, order_by: Sequence[str]) -> int:
        batches = table.order_by(*order_by).to_pyarrow_batches(chunk_size=ROWS_PER_BATCH)
        return write_parquet(batches, batches.schema, path, names)

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
        ordered = rows.order_by(*order_by) if order_by else rows
        return write_columns(self.batches(ordered.select(*dtypes)), folder, dtypes, encoders, advance)

    def write_cells(
        self, rows: ibis.Table, shape: tuple[int, ...], arrays: Sequence[Cells], positions: Sequence[str]
    ) -> None:
        opened = [cells.create(shape) for cells in arrays]
        for batch in self.batches(rows):
            where = tuple(batch.column(position).to_numpy(zero_copy_only=False) for position in positions)
            for cells, array in zip(arrays, opened, strict=True):
                array[where] = cells.values(batch)
        for array in opened:
            array.flush()

    def to_reader(self, name: str, rows: ibis.Table) -> str:
        return str(ibis.to_sql(rows, dialect="duckdb"))
