"""Profiles of tables, from which their meaning is guessed: rows, and the type, values and range of each column."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import duckdb

from adi.engines.tables import TableFiles, quoted
from adi.errors import AdiError

SAMPLE_ROWS = 200_000
"""Rows of a sample; of a smaller table the sample has all rows."""

MAX_VALUES = 60
"""The rows of each value are counted if a column has at most this many distinct values."""

MOST_SHARES = 12
"""A column of numbers with more distinct values is described by its range, not by the shares of values."""

FEWEST_TEXTS, MOST_WORDS, MOST_TAGS = 20, 100, 1000
"""Texts are lists of words if there are so many different texts, of so few different words, or tags with commas."""

Form = Literal["integer", "decimal", "boolean", "time", "text", "list", "other"]

_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}


@dataclass(frozen=True)
class Column:
    """A column of the sample, which has `rows`, of which `filled` are not null, and `distinct` values.

    `type` is the DuckDB type. `values` has the rows of each value, the most frequent first, if there are few; of a list
    column `distinct` counts the elements. `separator` cuts a text into a list of fewer distinct values
    (``Action|Comedy``).
    """

    name: str
    type: str
    rows: int
    filled: int
    distinct: int
    values: Mapping[str, int]
    low: str
    high: str
    separator: str | None = None

    @property
    def form(self) -> Form:
        """The sort of values that the type holds; a time of day and a duration are no time."""
        if self.type.endswith("]"):
            return "other" if self.type.startswith(("STRUCT", "MAP")) or self.type.endswith("][]") else "list"
        if self.type.removeprefix("U") in _INTEGERS:
            return "integer"
        if self.type.startswith(("DECIMAL", "FLOAT", "DOUBLE")):
            return "decimal"
        if self.type.startswith(("DATE", "TIMESTAMP")):
            return "time"
        return {"BOOLEAN": "boolean", "VARCHAR": "text", "UUID": "text"}.get(self.type, "other")  # type: ignore[return-value]

    def summary(self) -> str:
        """The values in words, for a comment: ``3 values: search 61 %, feed 30 %, cart 9 %``."""
        if not self.filled:
            return "every value is missing"
        missing = f", {percent(self.rows - self.filled, self.rows)} missing" if self.filled < self.rows else ""
        if self.form == "other":
            return f"{plain(self.type)}{missing}"
        if self.form == "list" or self.separator:
            return f"lists of {counted(self.distinct, 'value')}{missing}"
        if self.values and (self.form == "text" or (self.distinct <= MOST_SHARES and self.form != "time")):
            return f"{counted(self.distinct, 'value')}: {shares(self.values)}{missing}"
        limits = "" if self.form == "text" else f", {self._rounded(self.low)} to {self._rounded(self.high)}"
        return f"{counted(self.distinct, 'value')}{limits}{missing}"

    def _rounded(self, value: str) -> str:
        """A decimal number with five digits, a time with seconds."""
        if self.form == "decimal":
            return f"{float(value):.5g}"
        return value[: len("2017-10-02 12:34:56")].removesuffix(" 00:00:00") if self.form == "time" else value


@dataclass(frozen=True)
class TableProfile:
    """A table: the path that `schema.yaml` gives it, its files, the number of `rows`, and the columns of its sample.

    `sample` is the sample's name in the database that the profile was read with.
    """

    path: str
    table: TableFiles
    rows: int
    columns: Mapping[str, Column]
    sample: str

    def summary(self) -> str:
        """The number of rows, and of those in the sample, for a comment."""
        sampled = next(iter(self.columns.values())).rows
        return counted(self.rows, "row") + (f", {sampled:,} of them looked at" if sampled < self.rows else "")

    def counts(self, connection: duckdb.DuckDBPyConnection, column: str, *, most: int) -> dict[str, int]:
        """The rows of a column's values (text as written) in the complete table, the most frequent value first."""
        query = f"SELECT {quoted(column)}, count(*) FROM {self.table.sql({column}, numbered=False)}"
        query += f" WHERE {quoted(column)} <> '' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {most}"
        with self.table.reading(connection, {column}):
            return dict(connection.execute(query).fetchall())

    def repeated_key(self, connection: duckdb.DuckDBPyConnection, columns: Collection[str]) -> str | None:
        """A key that comes in several rows, in words; None if there is none. Rows with a null are left out."""
        names = ", ".join(quoted(column) for column in columns)
        filled = " AND ".join(f"{quoted(column)} <> ''" for column in columns)
        query = f"SELECT {names}, count(*) AS rows FROM {self.table.sql(columns, numbered=False)} WHERE {filled}"
        with self.table.reading(connection, columns):
            repeated = connection.execute(
                f"{query} GROUP BY {names} HAVING rows > 1 ORDER BY rows DESC, 1 LIMIT 1"
            ).fetchall()
        if not repeated:
            return None
        *values, rows = repeated[0]
        return f"{', '.join(map(plain, values))} comes in {rows:,} rows"


def read_profile(connection: duckdb.DuckDBPyConnection, table: TableFiles, *, path: str, sample: str) -> TableProfile:
    """Count the rows of a table and draw a sample of them, the same each time, into a temporary table."""
    types = table.columns(connection)
    relation = f"{table.sql(numbered=False)} AS whole_row"
    with table.reading(connection):
        (rows,) = connection.execute(f"SELECT count(*) FROM {relation}").fetchall()[0]
        if rows == 0:
            raise AdiError(f"{table}: the table has no rows to guess from.")
        step = -(-rows // SAMPLE_ROWS)
        sampled = f" WHERE hash(whole_row) % {step} = 0" if step > 1 else ""
        query = f"SELECT * FROM {relation}{sampled}"
        (sampled_rows,) = connection.execute(f"CREATE TEMP TABLE {quoted(sample)} AS {query}").fetchall()[0]
        if not sampled_rows:  # of a table that has the same rows again and again
            connection.execute(f"INSERT INTO {quoted(sample)} SELECT * FROM {relation} LIMIT {SAMPLE_ROWS}")
    columns = {name: _column(connection, sample, name, column_type) for name, column_type in types.items()}
    return TableProfile(path=path, table=table, rows=rows, columns=columns, sample=sample)


def _column(connection: duckdb.DuckDBPyConnection, sample: str, name: str, column_type: str) -> Column:
    value, table = quoted(name), quoted(sample)
    rows, filled = connection.execute(f"SELECT count(*), count({value}) FROM {table}").fetchall()[0]
    column = Column(name, column_type, rows, filled, distinct=0, values={}, low="", high="")
    if column.form == "other" or not filled:
        return column
    if column.form == "list":
        distinct = _elements(connection, value, table)
        return Column(name, column_type, rows, filled, distinct, values={}, low="", high="")
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
    return Column(name, column_type, rows, filled, distinct, values, low, high, separator)


def _separator(connection: duckdb.DuckDBPyConnection, value: str, table: str, distinct: int) -> str | None:
    """A bar or semicolon that is in a fifth of the texts or more and cuts them into fewer distinct values.

    Or a comma, or a blank, where texts are words of a small vocabulary (``Action Comedy``), and not names or sentences.
    """
    for separator in "|;":
        query = f"SELECT count(*) FILTER (contains({value}, '{separator}')) / count(*) FROM {table}"
        if connection.execute(f"{query} WHERE {value} IS NOT NULL").fetchall()[0][0] >= 0.2:
            elements = _elements(connection, f"string_split({value}, '{separator}')", table)
            return separator if elements < distinct else None
    words = f"SELECT %s AS words FROM {table} WHERE {value} IS NOT NULL"
    for separator in (", ", ","):
        tags = words % f"string_split({value}, '{separator}')"
        if _are_words(connection, tags, distinct, "[\\d ]*[\\p{L}][\\p{L}\\d &/''’-]*", MOST_TAGS, least=1):
            return separator
    texts = words % f"string_split({value}, ' ')"
    return " " if _are_words(connection, texts, distinct, "[\\p{L}&/''’-]+", MOST_WORDS, least=2) else None


def _are_words(
    connection: duckdb.DuckDBPyConnection, texts: str, distinct: int, letters: str, most: int, *, least: int
) -> bool:
    """Whether a quarter of the texts or more are several different words, of a few that come again in other places.

    `texts` selects the lists `words` of all texts, of which `distinct` differ. Words consist of `letters`, are `most`
    at most, and each is in `least` texts or more.
    """
    several = "len(words) > 1 AND len(list_distinct(words)) = len(words)"
    rows, of_several = connection.execute(f"SELECT count(*), count(*) FILTER ({several}) FROM ({texts})").fetchall()[0]
    if distinct < FEWEST_TEXTS or 4 * of_several < rows:
        return False
    words = f"SELECT unnest(words) AS word, generate_subscripts(words, 1) AS position FROM ({texts})"
    counts = f"SELECT word, count(*) AS rows, count(DISTINCT position) AS places FROM ({words}) GROUP BY word"
    query = f"SELECT count(*), count(*) FILTER (places > 1), min(rows), bool_and(regexp_full_match(word, '{letters}'))"
    vocabulary, anywhere, rarest, are_words = connection.execute(f"{query} FROM ({counts})").fetchall()[0]
    few = vocabulary <= most and 2 * vocabulary <= distinct
    return bool(few and are_words and rarest >= least and 2 * anywhere >= vocabulary)


def _elements(connection: duckdb.DuckDBPyConnection, values: str, table: str) -> int:
    """The number of distinct elements of the lists `values`, an SQL expression."""
    query = f"SELECT count(DISTINCT element) FROM (SELECT unnest({values}) AS element FROM {table})"
    return int(connection.execute(query).fetchall()[0][0])


def plain(value: object, *, width: int = 30) -> str:
    """A user's value for a comment: on one line, printable, at most `width` long."""
    text = "".join(character if character.isprintable() else "?" for character in " ".join(str(value).split()))
    return text if len(text) <= width else text[: width - 3] + "..."


def counted(number: int, noun: str) -> str:
    """``1 value``, ``2,000 values``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(part: int, whole: int) -> str:
    """``61 %``, or ``<1 %`` for a small share."""
    share = 100 * part / whole
    return "<1 %" if 0 < share < 1 else f"{share:.0f} %"


def shares(values: Mapping[str, int], *, most: int = 6) -> str:
    """The most frequent values with their shares of the rows that have a value."""
    total = sum(values.values())
    listed = [f"{plain(value)} {percent(count, total)}" for value, count in list(values.items())[:most]]
    return ", ".join(listed) + (f" and {len(values) - most} more" if len(values) > most else "")
