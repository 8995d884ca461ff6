"""The working database of a preparation."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import ibis
from ibis.backends.duckdb import Backend

from adi.errors import ArgumentError


@contextmanager
def working_database(folder: Path, memory: str) -> Iterator[Backend]:
    """A database in memory; what does not fit goes into `folder`, and is gone at the end.

    One on disk would pack each table as if it were to stay: for the log that took longer than to read it.
    """
    working = folder / "working"
    working.mkdir()
    try:
        connection = ibis.duckdb.connect(memory_limit=memory, temp_directory=str(working / "spill"))
    except duckdb.ParserException:
        raise ArgumentError("memory", f"'{memory}' is no size. Give a number and its unit, such as 2GB.") from None
    try:
        yield connection
    except duckdb.OutOfMemoryException as error:
        raise ArgumentError(
            "memory", f"{memory} do not suffice, or the disk is full. Give more memory, or free some disk. ({error})"
        ) from error
    except RuntimeError as error:
        if str(error) == "Query interrupted":  # what DuckDB makes of Ctrl-C
            raise KeyboardInterrupt from error
        raise
    finally:
        connection.disconnect()
        shutil.rmtree(working)
