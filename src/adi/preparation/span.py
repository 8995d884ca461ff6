"""The span of a log: its first and last moments, and the files that hold it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ibis import _

from adi.engines.database import working_database
from adi.engines.duckdb_engine import DuckDBEngine
from adi.errors import AdiError
from adi.preparation.cleaning import read_log
from adi.preparation.inputs import SchemaSource, open_inputs


@dataclass(frozen=True)
class Span:
    """The first and last moments of a log's usable rows, in the log's unit, and all files of the schema's tables.

    `whole` says that moments are whole numbers.
    """

    first: int | float
    last: int | float
    time: Literal["timestamp", "number"]
    files: tuple[Path, ...]


def span_of(source: SchemaSource, working: Path, *, memory: str = "2GB") -> Span:
    """Read the log's times; `working` is a folder for what does not fit in memory.

    Raises `AdiError` for a log without time or without usable rows, and for a fault in the schema or the log.
    """
    schema = source.schema
    if schema.interactions.time is None:
        raise AdiError(
            f"{source.name}: the log has no time, and windows are stretches of time. Name its column as "
            "interactions.time."
        )
    with working_database(working, memory) as database:
        engine = DuckDBEngine(database)
        inputs = open_inputs(engine, source, {})
        log = inputs.logs[0]
        without_context = schema.model_copy(
            update={"features": schema.features.model_copy(update={"context": ()})}  # columns that need not be read
        )
        rows = read_log(engine, without_context, log, "log").filter(_.reason.isnull())
        first, last = rows.agg(first=_.time.min(), last=_.time.max()).to_pyarrow().to_pylist()[0].values()
        if first is None:
            raise AdiError(f"{log.table}: no row can be used. 'adi prepare' lists the reasons.")
        assert log.time is not None
        tables = [log.table, *(table.table for table in inputs.tables.values())]
        tables += [pairs.table for pairs in inputs.pairs.values()]
        files = [Path(file) if isinstance(file, str) else file for table in tables for file in table.files]
        return Span(first, last, log.time, tuple(files))
