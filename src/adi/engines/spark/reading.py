"""Reading a user's table in Spark: each task reads a part of a file by DuckDB, as one machine does."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from adi.data.arrays import ROWS_PER_BATCH
from adi.engines.file_access import allow_files
from adi.engines.spark.types import in_spark
from adi.engines.tables import FILE, ROW, TableFiles, literal, quoted

ROWS_PER_TASK = 1 << 21
"""A task reads whole row groups of Parquet, up to so many rows; or a whole file of text."""


@dataclass(frozen=True)
class FilePart:
    """The rows of a file from `begin` to `end`, or to its last."""

    number: int
    begin: int = 0
    end: int | None = None


def parts_of(table: TableFiles) -> list[FilePart]:
    """The files of a table in parts; of Parquet files, footers are read here."""
    parts = []
    for number, file in enumerate(table.files):
        if table.kind != "parquet":
            parts.append(FilePart(number))
            continue
        with file.open("rb") as content:
            metadata = pq.ParquetFile(content).metadata
        begin = end = 0
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            if end > begin and end + rows - begin > ROWS_PER_TASK:
                parts.append(FilePart(number, begin, end))
                begin = end
            end += rows
        parts.append(FilePart(number, begin, end))
    return parts


@dataclass(frozen=True)
class ReadFiles:
    """Reads the parts whose numbers come in the column `id`: the columns that `Engine.read` wants, and `file_number`.

    `types` are the DuckDB types of the table's columns, which those of a single file need not be. `in_path` are the
    columns that are in the paths.
    """

    files: Sequence[Path]
    parts: Sequence[FilePart]
    columns: Mapping[str, str]
    text: Collection[str]
    types: Mapping[str, str]
    in_path: Mapping[str, str]

    def __call__(self, tasks: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in tasks:
            for task in batch.column("id").to_pylist():
                yield from self._read(self.parts[task])

    def _read(self, part: FilePart) -> Iterator[pa.RecordBatch]:
        file = TableFiles([self.files[part.number]], self.in_path)
        with database(file) as connection, file.reading(connection, self.text):
            yield from selected(connection, self.source_sql(connection, file, part), self.columns, part.number)

    def source_sql(self, connection: duckdb.DuckDBPyConnection, file: TableFiles, part: FilePart) -> str:
        """SQL for the rows of the part, with the columns of the whole table."""
        here = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {file.sql(self.text)}").fetchall()}
        cast = [
            f"{f'CAST({quoted(name)} AS {kind})' if name in here else f'CAST(NULL AS {kind})'} AS {quoted(name)}"
            for name, kind in self.types.items()
            if name not in self.text
        ]
        texts = [quoted(name) if name in here else f"NULL::VARCHAR AS {quoted(name)}" for name in sorted(self.text)]
        rows = "" if part.end is None else f" WHERE {ROW} BETWEEN {part.begin} AND {part.end - 1}"
        return f"(SELECT {', '.join([*cast, *texts])}, {FILE}, {ROW} FROM {file.sql(self.text)}{rows})"


@dataclass(frozen=True)
class ReadBatches:
    """Computes the columns that `Engine.read` wants from batches of a table of Spark, whose rows are numbered."""

    columns: Mapping[str, str]
    text: Collection[str]
    name: str

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with database() as connection:
            for batch in batches:
                connection.register("batch", pa.table(batch))
                star = ", ".join(f"{quoted(name)}::VARCHAR AS {quoted(name)}" for name in sorted(self.text))
                source = f"(SELECT * {f'REPLACE ({star})' if star else ''}, {literal(self.name)} AS {FILE} FROM batch)"
                yield from selected(connection, source, self.columns, 0)


@contextmanager
def database(*tables: TableFiles) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB for one task, with the settings of one that prepares alone, which opens the files of `tables` alone."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        allow_files(connection, tables)
        yield connection


def selected(
    connection: duckdb.DuckDBPyConnection, source: str, columns: Mapping[str, str], file_number: int
) -> Iterator[pa.RecordBatch]:
    """The columns of a source in batches of types that Spark has, with the place of each row."""
    reader = connection.execute(selected_sql(source, columns, file_number)).to_arrow_reader(ROWS_PER_BATCH)
    schema = in_spark(reader.schema)
    for batch in reader:
        yield batch.cast(schema)


def selected_sql(source: str, columns: Mapping[str, str], file_number: int = 0) -> str:
    """SQL for the columns of a source and the place of each row."""
    values = [f"{value} AS {quoted(column)}" for column, value in columns.items()]
    places = f"{FILE} AS file, {ROW} + 1 AS file_row, {file_number}::BIGINT AS file_number"
    return f"SELECT {', '.join([places, *values])} FROM {source}"
