"""Tables in memory: Arrow tables, and DataFrames that export Arrow, such as those of pandas and polars."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import duckdb
import numpy as np
import pyarrow as pa

from adi.data.arrays import arrow_numbers
from adi.engines.tables import (
    FILE,
    ROW,
    Connection,
    describe,
    fault_in,
    literal,
    quoted,
    reason_of,
    refuse_reserved,
    replaced_sql,
    require_columns,
)
from adi.errors import AdiError, ArgumentError


class TableInMemory:
    """A table for `adi.engines.tables.RawTable`, registered with the engine without a copy.

    `data` is a `pyarrow.Table` or has the method ``__arrow_c_stream__``. Raises `AdiError` for anything else, for
    duplicate column names, an index that carries data, and a column that is not of one type.
    """

    def __init__(self, connection: Connection, name: str, data: object) -> None:
        self._name, self._registered = f'tables["{name}"]', f"memory_{name}"
        table = _arrow_of(data, self._name)
        refuse_reserved(self._name, table.column_names)
        for column in table.column_names:
            _check_type(connection, table.select([column]), f"{self._name}, column '{column}'")
        connection.register(self._registered, table.append_column(ROW, arrow_numbers(np.arange(len(table)))))

    def __str__(self) -> str:
        return self._name

    @property
    def files(self) -> list[str]:
        return [self._name]

    def columns(
        self, connection: Connection, wanted: Mapping[str, str] | None = None, text: Collection[str] = ()
    ) -> dict[str, str]:
        with self.reading(connection):
            columns = describe(connection, self.sql())
        columns = {name: column_type for name, column_type in columns.items() if name not in (FILE, ROW)}
        require_columns(self._name, columns, wanted or {})
        return columns

    def sql(self, text: Collection[str] = ()) -> str:
        star = replaced_sql("CAST({0} AS VARCHAR) AS {0}", text)
        return f"(SELECT {star}, {literal(self._name)} AS {FILE} FROM {quoted(self._registered)})"

    @contextmanager
    def reading(self, connection: Connection, text: Collection[str] = ()) -> Iterator[None]:
        try:
            yield
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            if fault := fault_in(connection, self.sql(text)):
                raise AdiError(f"{self._name}: cannot be read: {reason_of(fault)}") from error
            raise


def _arrow_of(data: object, name: str) -> pa.Table:
    """A table as Arrow, with plain values where it has dictionaries."""
    if isinstance(data, pa.Table):
        _refuse_duplicates(data.column_names, name)
        table = data
    elif hasattr(data, "__arrow_c_stream__"):
        _refuse_duplicates([str(column) for column in getattr(data, "columns", ())], name)
        try:
            table = pa.RecordBatchReader.from_stream(data).read_all()
        except (pa.ArrowException, ValueError, TypeError) as error:
            raise _not_arrow(error, name) from error
        _refuse_duplicates(table.column_names, name)
    else:
        raise ArgumentError(
            name,
            f"{type(data).__name__} is no table. Give a pyarrow.Table, or a DataFrame of pandas 2.2 or newer or of "
            "polars (anything with the method __arrow_c_stream__).",
        )
    _refuse_index(table, name)
    for position, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            column = table.column(position).cast(field.type.value_type)
            table = table.set_column(position, field.name, column)
    return table


def _refuse_duplicates(columns: Collection[str], name: str) -> None:
    names = list(columns)
    repeated = next((column for column in names if names.count(column) > 1), None)
    if repeated is not None:
        raise ArgumentError(
            name, f"{names.count(repeated)} columns have the name '{repeated}'. Rename them, or drop all but one."
        )


def _refuse_index(table: pa.Table, name: str) -> None:
    """Refuse an index of pandas that is more than the rows' positions: it is no column, and may be meant as one."""
    for index in (table.schema.pandas_metadata or {}).get("index_columns", ()):
        # A text is the column that holds the index; a range is described, and only one with a name means something.
        label = index if isinstance(index, str) else index.get("name")
        if label is not None:
            named = "without a name" if label.startswith("__index_level_") else f"'{label}'"
            raise ArgumentError(
                name,
                f"the index {named} carries data, and an index is not read. Call reset_index() to make it a column, "
                "or reset_index(drop=True) to drop it.",
            )


def _check_type(connection: Connection, column: pa.Table, source: str) -> None:
    """Refuse a column of an Arrow type that the engine does not have."""
    try:
        connection.register("column_to_check", column.slice(0, 0))
        connection.execute("DESCRIBE FROM column_to_check")
    except duckdb.Error as error:
        column_type = column.schema.types[0]
        raise AdiError(f"{source}: {column_type} cannot be read. Convert it to another type, or drop it.") from error
    finally:
        connection.unregister("column_to_check")


def _not_arrow(error: Exception, name: str) -> AdiError:
    """The error for a DataFrame that cannot be exported, with the column if the message names it."""
    message = " ".join(str(part) for part in error.args)
    named = re.search(r"Conversion failed for column (.+) with type object", message)
    if named is None:
        return ArgumentError(name, f"cannot be converted to Arrow: {message}")
    reason = message[: named.start()].rstrip(" ,('\"")
    return AdiError(
        f"{name}, column '{named[1]}': its values are of several types ({reason}). Convert them to one, such as text: "
        f"df['{named[1]}'].astype(str)."
    )
