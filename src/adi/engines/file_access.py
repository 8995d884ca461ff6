"""The files that DuckDB may open: those of the user's tables, and none besides.

A schema's texts become SQL, and SQL can read and write any file of the machine. `adi.engines.expression` refuses what
is not an expression; this holds even for what it might overlook.
"""

from collections.abc import Iterable

from adi.engines.tables import Connection, RawTable, TableFiles


def allow_files(connection: Connection, tables: Iterable[RawTable]) -> None:
    """From now on, let `connection` open the files of `tables` and its own temporary files alone; for good."""
    in_files = [table for table in tables if isinstance(table, TableFiles)]
    for table in in_files:
        table.register_stores(connection)  # a path in a store is normalized as the store is known
    # Opening a file takes its name, and finding it by its pattern takes the pattern.
    paths = [path for table in in_files for path in (*map(str, table.files), *table.patterns)]
    connection.execute("SET allowed_paths = ?", [paths])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
