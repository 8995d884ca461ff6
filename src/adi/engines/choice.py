"""The engine of a preparation, by the name that the user gives it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adi.engines.database import working_database
from adi.engines.duckdb_engine import DuckDBEngine
from adi.engines.engine import Engine

DUCKDB = "duckdb"


@contextmanager
def opened_engine(name: str, folder: Path, memory: str) -> Iterator[Engine]:
    """The engine of a name, whose temporary files are below `folder`; `memory` bounds that of DuckDB, or a local Spark.

    Raises `ArgumentError` for an unknown name, and where Spark or Java is not installed.
    """
    with working_database(folder, memory) as database:
        if name == DUCKDB:
            yield DuckDBEngine(database)
        else:
            from adi.engines.spark.session import spark_session
            from adi.engines.spark.spark_engine import SparkEngine

            with spark_session(name, memory) as session:
                engine = SparkEngine(session, database.con, folder / "working" / "spark")
                try:
                    yield engine
                finally:
                    engine.close()
