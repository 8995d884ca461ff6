"""Spark as an engine: tables are divided into partitions, sorted by ranges and written in place.

Nothing of a log comes into this process but counts of partitions. Positions are counts of the partitions before, and a
row's place in its own. Partitions are those of the session: ``spark.sql.shuffle.partitions``.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, count, pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import ibis
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import StructType

from adi.data.arrays import ROWS_PER_BATCH, Array
from adi.engines.blocks import arrays_of, batches_of, tables_of
from adi.engines.engine import Cells, Encode
from adi.engines.parquet import write_parquet
from adi.engines.spark.faults import faults
from adi.engines.spark.reading import ReadBatches, ReadFiles, parts_of, selected_sql
from adi.engines.spark.slices import WriteCells, WriteColumns, create_array
from adi.engines.spark.tables import SparkTable
from adi.engines.spark.types import in_spark
from adi.engines.spark.worker import Batches, InWorker
from adi.engines.tables import ROW, Connection, RawTable, TableFiles
from adi.errors import AdiError, ArgumentError

if TYPE_CHECKING:
    from pyspark.sql import Column, SparkSession

POSITION_BITS = 33
"""`monotonically_increasing_id` is the partition's number above so many bits, and the row's position in it below."""


class SparkEngine:
    """An `adi.engines.engine.Engine` on a session of Spark; `reader` is DuckDB in this process.

    What is kept is in `folder`, which all processes see. The session's other views and checkpoints stay as they are.
    """

    def __init__(self, session: "SparkSession", reader: Connection, folder: Path) -> None:
        self.session, self.reader = session, reader
        self._checkpoints = session.sparkContext.getCheckpointDir()
        session.sparkContext.setCheckpointDir(folder.resolve().as_uri())
        self.database = ibis.pyspark.connect(session)
        self.partitions = int(str(session.conf.get("spark.sql.shuffle.partitions")))
        self._views: set[str] = set()
        self._prefix, self._numbers = f"adi_{uuid4().hex[:8]}_", count()

    def close(self) -> None:
        """Remove what the session has of a preparation."""
        for view in self._views:
            self.session.catalog.dropTempView(view)
        if self._checkpoints is not None:
            self.session.sparkContext.setCheckpointDir(self._checkpoints)

    def table_in_memory(self, name: str, data: object) -> RawTable:
        if isinstance(data, DataFrame):
            return SparkTable(self.reader, f'tables["{name}"]', data)
        raise ArgumentError(
            f'tables["{name}"]', f"{type(data).__name__} is no DataFrame of Spark, whose engine is used."
        )

    def table_in_catalogue(self, name: str) -> RawTable:
        if not self.session.catalog.tableExists(name):
            raise AdiError(f"catalogue://{name}: Spark's catalogue has no such table.")
        return SparkTable(self.reader, name, self.session.table(name))

    # ------------------------------------------------------------------ tables

    def read(self, name: str, table: RawTable, columns: Mapping[str, str], text: Collection[str]) -> ibis.Table:
        with table.reading(self.reader):
            empty = self.reader.execute(f"{selected_sql(table.sql(text), columns)} LIMIT 0").to_arrow_table()
        schema = in_spark(empty.schema)
        spark_schema = from_arrow_schema(schema, prefer_timestamp_ntz=True)
        if isinstance(table, SparkTable):
            rows = self._numbered(self._kept(table.frame), ROW)
            read_rows = rows.mapInArrow(InWorker(ReadBatches(dict(columns), set(text), str(table))), spark_schema)
            return self._view(name, self._kept(read_rows).withColumn("row", F.col("file_row")))
        assert isinstance(table, TableFiles)
        parts = parts_of(table)
        read = ReadFiles(table.files, parts, dict(columns), set(text), table.columns(self.reader), table.in_path)
        frame = self._kept(self.session.range(0, len(parts), 1, len(parts)).mapInArrow(InWorker(read), spark_schema))
        with faults():
            counts = {row["file_number"]: row["count"] for row in frame.groupBy("file_number").count().collect()}
        firsts = [0, *accumulate(counts.get(number, 0) for number in range(len(table.files)))]
        first = F.element_at(literals(firsts), (F.col("file_number") + 1).cast("int"))
        return self._view(name, frame.withColumn("row", first + F.col("file_row")).drop("file_number"))

    def store(self, name: str, table: ibis.Table) -> ibis.Table:
        return self._view(name, self._kept(self._frame(table)))

    def drop(self, name: str) -> None:
        self.session.catalog.dropTempView(self._prefix + name)

    def number(self, name: str, table: ibis.Table, order_by: Sequence[str], column: str) -> ibis.Table:
        return self._view(name, self._numbered(self._kept(self._sorted(self._frame(table), order_by)), column))

    def compute(
        self,
        name: str,
        rows: ibis.Table,
        order_by: Sequence[str],
        inputs: Sequence[str],
        function: Callable[[dict[str, Array]], dict[str, Array]],
        outputs: Mapping[str, npt.DTypeLike],
    ) -> ibis.Table:
        frame = self._sorted(self._frame(rows), order_by, key=order_by[:1])
        schema = StructType(frame.schema.fields)
        added = pa.schema([(column, pa.from_numpy_dtype(np.dtype(dtype))) for column, dtype in outputs.items()])
        schema = StructType([*schema.fields, *from_arrow_schema(added).fields])
        target = in_spark(to_arrow_schema(schema))
        computed = frame.mapInArrow(InWorker(partial(_compute, order_by[0], list(inputs), function, target)), schema)
        return self._view(name, self._kept(computed))

    def _kept(self, frame: DataFrame) -> DataFrame:
        """Compute a frame once, and read it from the shared folder from now on.

        Partitions by range are drawn from samples, which may differ when a frame is computed anew.
        """
        with faults():
            return frame.checkpoint()

    def _view(self, name: str, frame: DataFrame) -> ibis.Table:
        view = self._prefix + name
        frame.createOrReplaceTempView(view)
        self._views.add(view)
        return self.database.table(view)

    def _frame(self, table: ibis.Table) -> DataFrame:
        """The frame of an expression."""
        name = f"{self._prefix}expression_{next(self._numbers)}"
        self.database.create_view(name, table)
        frame = self.session.table(name)
        self.session.catalog.dropTempView(name)
        return frame

    def _sorted(self, frame: DataFrame, order_by: Sequence[str], key: Sequence[str] | None = None) -> DataFrame:
        """A frame whose partitions follow each other in an order, divided by the columns of `key` alone."""
        columns = [quoted(column) for column in order_by]
        by = [quoted(column) for column in key] if key else columns
        return frame.repartitionByRange(self.partitions, *by).sortWithinPartitions(*columns)

    def _counts(self, frame: DataFrame) -> dict[int, int]:
        """The number of rows of each partition, by its number."""
        with faults():
            rows = frame.groupBy(F.spark_partition_id().alias("partition")).count().collect()
        return {row["partition"]: row["count"] for row in rows}

    def _offsets(self, frame: DataFrame) -> tuple[dict[int, tuple[int, int]], int]:
        """The positions of each partition's first row and of the next partition's; and the number of all rows."""
        counts = sorted(self._counts(frame).items())
        ends = list(accumulate((count for _, count in counts), initial=0))
        slices = zip(counts, pairwise(ends), strict=True)
        return {partition: begin_end for (partition, _), begin_end in slices}, ends[-1]

    def _run(self, frame: DataFrame, write: Callable[[Batches], Batches]) -> None:
        """Call a function that writes for every partition."""
        with faults():
            frame.mapInArrow(InWorker(write), "nothing int").write.format("noop").mode("overwrite").save()

    def _numbered(self, frame: DataFrame, column: str) -> DataFrame:
        """A frame, whose partitions are kept, with the position of each row."""
        offsets, _ = self._offsets(frame)
        firsts = literals([offsets.get(partition, (0, 0))[0] for partition in range(max(offsets, default=0) + 1)])
        first = F.element_at(firsts, F.spark_partition_id() + 1)
        position = F.monotonically_increasing_id().bitwiseAND(F.lit((1 << POSITION_BITS) - 1))
        return frame.withColumn(column, first + position)

    # ------------------------------------------------------------------ results

    def batches(
        self, table: ibis.Table, order_by: Sequence[str] = (), rows_at_once: int = ROWS_PER_BATCH
    ) -> Iterator[pa.RecordBatch]:
        _, batches = self._streamed(table, order_by, rows_at_once)
        return iter(batches)

    def _streamed(
        self, table: ibis.Table, order_by: Sequence[str], rows_at_once: int = ROWS_PER_BATCH
    ) -> tuple[pa.Schema, Batches]:
        """The schema of a table and its rows in batches, one partition after the other."""
        frame = self._frame(table)
        if order_by:
            frame = self._sorted(frame, order_by)
        schema = in_spark(to_arrow_schema(frame.schema))

        def stream() -> Batches:
            with faults():
                for row in frame.mapInArrow(InWorker(_packed), "packed binary").toLocalIterator():
                    yield from pa.ipc.open_stream(pa.py_buffer(row["packed"]))

        return schema, batches_of(stream(), schema, rows_at_once)

    def values_at(self, values: ibis.Table, ranks: Array) -> Array:
        frame = self._kept(self._sorted(self._frame(values.select("value")), ["value"]))
        wanted = self.session.createDataFrame(pa.table({"position": pa.array(ranks.astype(np.int64))}))
        numbered = self._numbered(frame, "position")
        with faults():
            at_ranks = numbered.join(F.broadcast(wanted), "position").select("position", "value").toArrow()
        ascending: Array = at_ranks.sort_by("position")["value"].to_numpy()
        return ascending[np.searchsorted(np.sort(ranks), ranks)]

    def write_parquet(self, table: ibis.Table, path: Path, names: Sequence[str], *, order_by: Sequence[str]) -> int:
        schema, batches = self._streamed(table, order_by)
        return write_parquet(batches, schema, path, names)

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
        frame = self._frame(rows)
        if order_by:
            frame = self._kept(self._sorted(frame, order_by))
        # By number: where a frame goes through Python, a dot in a name is a fault.
        frame = frame.select(*(F.col(quoted(name)).alias(f"column_{number}") for number, name in enumerate(dtypes)))
        offsets, length = self._offsets(frame)
        for name, dtype in dtypes.items():
            create_array(folder / f"{name}.npy", length, dtype)
        write = WriteColumns(folder.resolve(), list(dtypes), offsets, dict(encoders or {}))
        self._run(frame, write)
        if advance is not None:
            advance(length)
        return length

    def write_cells(
        self, rows: ibis.Table, shape: tuple[int, ...], arrays: Sequence[Cells], positions: Sequence[str]
    ) -> None:
        position = F.lit(0).cast("long")
        for column, size in zip(positions, shape, strict=True):
            position = position * size + F.col(quoted(column))
        frame = self._frame(rows).withColumn("position", position)
        for cells in arrays:
            cells.create(shape)
        columns = ["position", *dict.fromkeys(quoted(cells.column) for cells in arrays)]
        ordered = self._sorted(frame.select(*columns), ["position"])
        self._run(ordered, WriteCells(list(arrays)))

    def to_reader(self, name: str, rows: ibis.Table) -> str:
        schema, batches = self._streamed(rows, [])
        self.reader.register(f"{name}_stream", pa.RecordBatchReader.from_batches(schema, batches))
        self.reader.execute(f"CREATE TABLE {name} AS SELECT * FROM {name}_stream")
        self.reader.unregister(f"{name}_stream")
        return f"SELECT * FROM {name}"


def _compute(
    key: str,
    inputs: list[str],
    function: Callable[[dict[str, Array]], dict[str, Array]],
    schema: pa.Schema,
    batches: Batches,
) -> Batches:
    """The rows of sorted batches with the columns that a function computes."""
    for table in tables_of(batches, key):
        computed = function(arrays_of(table.select(dict.fromkeys([key, *inputs]))))
        for name, values in computed.items():
            table = table.append_column(name, pa.array(values))
        yield from table.cast(schema).to_batches(max_chunksize=ROWS_PER_BATCH)


def _packed(batches: Batches) -> Batches:
    """Each batch as a row of bytes."""
    for batch in batches:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        yield pa.RecordBatch.from_pydict({"packed": pa.array([sink.getvalue().to_pybytes()], pa.binary())})


def quoted(name: str) -> str:
    """A column's name for Spark, which takes a dot for a field of a structure."""
    return f"`{name}`"


def literals(numbers: Sequence[int]) -> "Column":
    return F.array(*(F.lit(number).cast("long") for number in numbers))
