"""The working database of an analysis: DuckDB in memory, what does not fit goes to a temporary folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import duckdb

from adi.errors import ArgumentError

Connection = duckdb.DuckDBPyConnection


@contextmanager
def working_database(memory: str) -> Iterator[Connection]:
    """A database whose times are UTC. Raises `ArgumentError` for a memory that is no size or does not suffice."""
    with TemporaryDirectory(prefix="adi-abtest-") as folder:
        try:
            connection = duckdb.connect(config={"memory_limit": memory, "temp_directory": folder})
        except duckdb.ParserException as error:
            raise ArgumentError("memory", f"'{memory}' is no size ({error}). Give one such as 2GB.") from None
        try:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
        except duckdb.OutOfMemoryException as error:
            raise ArgumentError(
                "memory", f"{memory} do not suffice, or the disk is full. Give more memory. ({error})"
            ) from error
        finally:
            connection.close()


def identifier(name: str) -> str:
    """A column's name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def count(connection: Connection, query: str, parameters: list[object] | None = None) -> int:
    """The only value of a query's only row, a count."""
    row = connection.execute(query, parameters or []).fetchone()
    assert row is not None
    return int(row[0])
