"""The raw log, read once: ids as text, time as a number, and a reason on every row that is set aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb
import ibis
from ibis import _
from ibis.backends.duckdb import Backend

from adi.data.tables import FILE, ROW, columns_of, files_of, quoted, reading, relation_sql, require_columns
from adi.errors import AdiError, suggestion
from adi.schema import Interactions, NumericFeature, Schema

MAX_DOMAINS = 10_000
"""More distinct values than this in the domain column means that it is not one."""


@dataclass(frozen=True)
class Log:
    """The columns of a log as the schema reads them, known before any row is."""

    files: list[Path]
    columns: dict[str, str]
    time: Literal["timestamp", "number"] | None


def open_log(connection: Backend, schema: Schema, path: str, folder: Path, where: str) -> Log:
    """Find the files, check that every column the schema names is there and of a usable type; reads no rows."""
    files = files_of(path, folder)
    columns = columns_of(connection.con, files)
    log = schema.interactions
    wanted = {log.user: f"{where}.user", log.item: f"{where}.item", schema.domains.column: "domains.column"}
    if log.time is not None:
        wanted[log.time] = f"{where}.time"
    for feature in schema.features.context:
        wanted[feature.source_column] = f"features.context '{feature.name}'"
    require_columns(files, columns, wanted)
    for feature in schema.features.context:
        if isinstance(feature, NumericFeature):
            require_number(files, feature.source_column, columns, f"features.context '{feature.name}'")
    if log.positive is not None:
        _check_positive(connection, files, log.positive)
    return Log(files, columns, _time_kind(files, columns, log))


def require_number(files: Sequence[Path], column: str, columns: dict[str, str], use: str) -> None:
    """Refuse a text, list or date column where a number is needed."""
    if not is_number(columns[column]):
        raise AdiError(
            f"{files[0]}, column '{column}': {columns[column]}, and {use} is numeric. "
            "Use kind: categorical, or write the column as numbers."
        )


def is_number(kind: str) -> bool:
    return kind.startswith(("DECIMAL", "FLOAT", "DOUBLE", "BOOLEAN")) or kind.endswith(("INT", "INTEGER"))


def _time_kind(files: list[Path], columns: dict[str, str], log: Interactions) -> Literal["timestamp", "number"] | None:
    if log.time is None:
        return None
    kind = columns[log.time]
    if kind.startswith(("TIMESTAMP", "DATE")) or kind == "VARCHAR":
        return "timestamp"
    if is_number(kind):
        return "number"
    raise AdiError(f"{files[0]}, column '{log.time}': {kind} is no time. Give a number, a date or a timestamp.")


def _check_positive(connection: Backend, files: list[Path], positive: str) -> None:
    try:
        connection.con.execute(f"SELECT ({positive})::BOOLEAN FROM {relation_sql(files)} LIMIT 0")
    except duckdb.Error as error:
        raise AdiError(
            f"interactions.positive: '{positive}' cannot be evaluated on {files[0]}: {str(error).splitlines()[0]}"
        ) from None


def read_log(connection: Backend, schema: Schema, log: Log, name: str) -> ibis.Table:
    """Read the log into a table of the working database: file, row, user, item, domain, time, context, reason.

    `reason` is null on the rows to keep. Raises `AdiError` for an empty log and for a domain that is not declared.
    """
    columns = schema.interactions
    identity = {columns.user: "user", columns.item: "item", schema.domains.column: "domain"}
    selected = [f"nullif({quoted(column)}::VARCHAR, '') AS {quoted(role)}" for column, role in identity.items()]
    selected.append(f"{_time_sql(log, columns.time)} AS time")
    selected.append(f"({columns.positive or 'true'})::BOOLEAN AS positive")
    for feature in schema.features.context:
        kind = "DOUBLE" if isinstance(feature, NumericFeature) else "VARCHAR"
        selected.append(f"{quoted(feature.source_column)}::{kind} AS {quoted(context_column(feature.name))}")
    source = relation_sql(log.files, text=frozenset(identity))  # ids are text: "007" is not 7
    places = f"{FILE} AS file, {ROW} + 1 AS file_row, row_number() OVER () AS row"
    with reading(connection.con, log.files):
        connection.con.execute(f"CREATE TABLE {quoted(name)} AS SELECT {places}, {', '.join(selected)} FROM {source}")
    table = connection.table(name)
    if _count(table) == 0:
        raise AdiError(f"{log.files[0]}: the log has no rows.")
    _check_domains(table, schema, log)
    reason = ibis.cases(
        (_.user.isnull(), "no user"),
        (_.item.isnull(), "no item"),
        (_.domain.isnull(), "no domain"),
        (ibis.literal(log.time is not None) & _.time.isnull(), "no readable time"),
        (~_.positive.fill_null(False), "not positive"),
    )
    return table.mutate(reason=reason)


def _time_sql(log: Log, column: str | None) -> str:
    """Microseconds since 1970 for dates, timestamps and text that reads as one; numbers as they are."""
    if column is None:
        return "NULL::BIGINT"
    quoted_column = quoted(column)
    kind = log.columns[column]
    if log.time == "timestamp":
        return f"epoch_us(TRY_CAST({quoted_column} AS TIMESTAMP))"
    if kind.startswith(("FLOAT", "DOUBLE", "DECIMAL")):
        return f"CASE WHEN isfinite({quoted_column}::DOUBLE) THEN {quoted_column}::DOUBLE END"
    return f"{quoted_column}::BIGINT"


def _check_domains(table: ibis.Table, schema: Schema, log: Log) -> None:
    """Every domain of the log is declared, where the schema declares them."""
    column = schema.domains.column
    found = table.filter(_.domain.notnull()).group_by("domain")
    found = found.agg(row=_.row.min(), file=_.file.argmin(_.row), file_row=_.file_row.argmin(_.row))
    rows = found.order_by("row").limit(MAX_DOMAINS + 1).to_pyarrow().to_pylist()
    if len(rows) > MAX_DOMAINS:
        raise AdiError(f"{log.files[0]}, column '{column}': over {MAX_DOMAINS} values; is it the domain?")
    for row in rows if schema.domains.values is not None else ():
        declared = schema.domains.values or ()
        if row["domain"] not in declared:
            raise AdiError(
                f"{row['file']}, column '{column}', row {row['file_row']}: '{row['domain']}' is not a declared domain "
                f"({', '.join(declared)}).{suggestion(row['domain'], declared)} "
                "Add it to domains.values in the schema, or drop the rows."
            )


def _count(table: ibis.Table) -> int:
    return int(table.count().to_pyarrow().as_py())


def context_column(name: str) -> str:
    """The column of a context feature in the working tables, apart from the log's own."""
    return f"context_{name}"
