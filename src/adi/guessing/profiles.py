"""What is seen in a table when its meaning is to be guessed: rows, and of each column its type, values and range."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import duckdb

from adi.errors import AdiError
from adi.preparation.tables import ROW, TableFiles, quoted

SAMPLE_ROWS = 200_000
"""Rows of a table that are looked at; a smaller table is looked at whole."""

MAX_VALUES = 60
"""A column with at most this many distinct values has them counted one by one."""

MOST_SHARES = 12
"""Numbers with more distinct values than this are told by their range, not by each value's share."""

Form = Literal["integer", "decimal", "boolean", "time", "text", "list", "other"]

_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}


@dataclass(frozen=True)
class Column:
    """One column of the sample: `rows` looked at, `filled` of them not null, with `distinct` values.

    `values` counts the rows of each value, the most frequent first, where they are few; of a list column `distinct`
    counts the elements. `separator` is what cuts a text into a list of fewer distinct values (``Action|Comedy``).
    """

    name: str
    kind: str
    rows: int
    filled: int
    distinct: int
    values: Mapping[str, int]
    low: str
    high: str
    separator: str | None = None

    @property
    def form(self) -> Form:
        """What sort of values the DuckDB type `kind` holds."""
        if self.kind.endswith("]"):
            return "other" if self.kind.startswith(("STRUCT", "MAP")) or self.kind.endswith("][]") else "list"
        if self.kind.removeprefix("U") in _INTEGERS:
            return "integer"
        if self.kind.startswith(("DECIMAL", "FLOAT", "DOUBLE")):
            return "decimal"
        if self.kind.startswith(("TIME", "DATE", "INTERVAL")):
            return "time"
        return {"BOOLEAN": "boolean", "VARCHAR": "text", "UUID": "text"}.get(self.kind, "other")  # type: ignore[return-value]

    def seen(self) -> str:
        """What was seen, for a comment: ``3 values: search 61 %, feed 30 %, cart 9 %``."""
        if not self.filled:
            return "every value is missing"
        missing = f", {percent(self.rows - self.filled, self.rows)} missing" if self.filled < self.rows else ""
        if self.form == "other":
            return f"{plain(self.kind)}{missing}"
        if self.form == "list" or self.separator:
            return f"lists of {counted(self.distinct, 'value')}{missing}"
        if self.values and (self.form == "text" or (self.distinct <= MOST_SHARES and self.form != "time")):
            return f"{counted(self.distinct, 'value')}: {shares(self.values)}{missing}"
        ends = "" if self.form == "text" else f", {self._rounded(self.low)} to {self._rounded(self.high)}"
        return f"{counted(self.distinct, 'value')}{ends}{missing}"

    def _rounded(self, value: str) -> str:
        """A decimal to five digits, a time to the second."""
        if self.form == "decimal":
            return f"{float(value):.5g}"
        return value[: len("2017-10-02 12:34:56")].removesuffix(" 00:00:00") if self.form == "time" else value


@dataclass(frozen=True)
class TableProfile:
    """A table: the path as `schema.yaml` has it, its files, all its `rows`, and its columns as the sample shows them.

    `sample` is the name of the sample in the database of the connection that it was read with.
    """

    path: str
    table: TableFiles
    rows: int
    columns: Mapping[str, Column]
    sample: str

    def seen(self) -> str:
        """How many rows it has, for a comment, and how many of them were looked at."""
        looked_at = next(iter(self.columns.values())).rows
        return counted(self.rows, "row") + (f", {looked_at:,} of them looked at" if looked_at < self.rows else "")

    def counts(self, connection: duckdb.DuckDBPyConnection, column: str, *, most: int) -> dict[str, int]:
        """The rows of each of a column's values, as text as written, the most frequent first, from all rows."""
        query = f"SELECT {quoted(column)}, count(*) FROM {self.table.sql({column})}"
        query += f" WHERE {quoted(column)} <> '' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {most}"
        with self.table.reading(connection, {column}):
            return dict(connection.execute(query).fetchall())

    def is_key(self, connection: duckdb.DuckDBPyConnection, columns: Collection[str]) -> bool:
        """Whether no two rows agree in all of the columns, rows with a null left out."""
        names = ", ".join(quoted(column) for column in columns)
        filled = " AND ".join(f"{quoted(column)} <> ''" for column in columns)
        query = f"SELECT 1 FROM {self.table.sql(columns)} WHERE {filled}"
        with self.table.reading(connection, columns):
            return not connection.execute(f"{query} GROUP BY {names} HAVING count(*) > 1 LIMIT 1").fetchall()


def read_profile(connection: duckdb.DuckDBPyConnection, table: TableFiles, *, path: str, sample: str) -> TableProfile:
    """Look at a table: count its rows, and draw the same sample of them every time, into a temporary table."""
    kinds = table.columns(connection)
    relation = table.sql()
    with table.reading(connection):
        (rows,) = connection.execute(f"SELECT count(*) FROM {relation}").fetchall()[0]
        if rows == 0:
            raise AdiError(f"{table}: the table has no rows to guess from.")
        step = -(-rows // SAMPLE_ROWS)
        drawn = f"SELECT * FROM {relation} WHERE hash({ROW}) % {step} = 0" if step > 1 else f"SELECT * FROM {relation}"
        connection.execute(f"CREATE TEMP TABLE {quoted(sample)} AS {drawn}")
    columns = {name: _column(connection, sample, name, kind) for name, kind in kinds.items()}
    return TableProfile(path=path, table=table, rows=rows, columns=columns, sample=sample)


def _column(connection: duckdb.DuckDBPyConnection, sample: str, name: str, kind: str) -> Column:
    value, table = quoted(name), quoted(sample)
    rows, filled = connection.execute(f"SELECT count(*), count({value}) FROM {table}").fetchall()[0]
    column = Column(name, kind, rows, filled, distinct=0, values={}, low="", high="")
    if column.form == "other" or not filled:
        return column
    if column.form == "list":
        return Column(name, kind, rows, filled, _elements(connection, value, table), values={}, low="", high="")
    query = f"SELECT count(DISTINCT {value}), min({value})::VARCHAR, max({value})::VARCHAR FROM {table}"
    distinct, low, high = connection.execute(query).fetchall()[0]
    values = {}
    if distinct <= MAX_VALUES:
        query = (
            f"SELECT {value}::VARCHAR, count(*) FROM {table} WHERE {value} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        values = dict(connection.execute(query).fetchall())
    separator = _separator(connection, value, table, distinct) if column.form == "text" else None
    if separator:
        distinct = _elements(connection, f"string_split({value}, '{separator}')", table)
    return Column(name, kind, rows, filled, distinct, values, low, high, separator)


def _separator(connection: duckdb.DuckDBPyConnection, value: str, table: str, distinct: int) -> str | None:
    """The bar or semicolon that a fifth of the texts have, and that cuts them into fewer distinct values."""
    for separator in "|;":
        query = f"SELECT count(*) FILTER (contains({value}, '{separator}')) / count(*) FROM {table}"
        if connection.execute(f"{query} WHERE {value} IS NOT NULL").fetchall()[0][0] >= 0.2:
            elements = _elements(connection, f"string_split({value}, '{separator}')", table)
            return separator if elements < distinct else None
    return None


def _elements(connection: duckdb.DuckDBPyConnection, values: str, table: str) -> int:
    query = f"SELECT count(DISTINCT element) FROM (SELECT unnest({values}) AS element FROM {table})"
    return int(connection.execute(query).fetchall()[0][0])


def plain(value: object, *, width: int = 30) -> str:
    """A value of the user's as part of a comment: on one line, printable, not long."""
    text = "".join(character if character.isprintable() else "?" for character in " ".join(str(value).split()))
    return text if len(text) <= width else text[: width - 3] + "..."


def counted(number: int, noun: str) -> str:
    """``1 value``, ``2,000 values``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(part: int, whole: int) -> str:
    """``61 %``, or ``<1 %`` for what is rare."""
    share = 100 * part / whole
    return "<1 %" if 0 < share < 1 else f"{share:.0f} %"


def shares(values: Mapping[str, int], *, most: int = 6) -> str:
    """The most frequent values with their shares of the rows that have one."""
    total = sum(values.values())
    listed = [f"{plain(value)} {percent(count, total)}" for value, count in list(values.items())[:most]]
    return ", ".join(listed) + (f" and {len(values) - most} more" if len(values) > most else "")
