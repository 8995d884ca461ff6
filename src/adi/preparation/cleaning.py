"""The raw log, read once: ids as text, time as a number, and a reason on every row that is set aside."""

import re
from dataclasses import dataclass
from typing import Literal

import duckdb
import ibis
from ibis import _

from adi.engines.engine import Engine
from adi.engines.expression import check_positive, positive_fault
from adi.engines.tables import Connection, RawTable, quoted
from adi.errors import AdiError, shown, suggestion
from adi.features.categorical import require_single
from adi.features.kinds import KINDS
from adi.features.numeric import is_number
from adi.preparation.set_aside import LEFT_OUT, NO_TIME, NOT_POSITIVE
from adi.schema import Interactions, Schema

MAX_DOMAINS = 10_000
"""A column with more distinct values than this is not the domain."""

TimeKind = Literal["timestamp", "number"] | None


@dataclass(frozen=True)
class Log:
    """A log whose columns were checked and whose rows were not read: DuckDB types by column, and the kind of time."""

    table: RawTable
    columns: dict[str, str]
    time: TimeKind


def open_log(connection: Connection, schema: Schema, table: RawTable, where: str) -> Log:
    """Check that every column the schema names is there, of a usable type. `where` is the log's key in the schema."""
    log = schema.interactions
    wanted = {log.user: f"{where}.user", log.item: f"{where}.item", schema.domains.column: "domains.column"}
    if log.time is not None:
        wanted[log.time] = f"{where}.time"
    for feature in schema.features.context:
        wanted[feature.source_column] = f"features.context '{feature.name}'"
    columns = table.columns(connection, wanted, _text_columns(schema))
    for column in (log.user, log.item, schema.domains.column):
        require_single(columns[column], f"{table}, column '{column}'", wanted[column])
    for feature in schema.features.context:
        column = feature.source_column
        KINDS[feature.kind].check(feature, columns[column], f"{table}, column '{column}'", by_domain=False)
    if log.positive is not None:
        check_positive(connection, table, log.positive, _text_columns(schema))
    return Log(table, columns, _time_kind(table, columns, log))


def _time_kind(table: RawTable, columns: dict[str, str], log: Interactions) -> TimeKind:
    if log.time is None:
        return None
    column_type = columns[log.time]
    if column_type in ("DATE", "VARCHAR") or re.fullmatch(r"TIMESTAMP[A-Z_ ]*", column_type):
        return "timestamp"
    if is_number(column_type) and column_type != "BOOLEAN":
        return "number"
    raise AdiError(f"{table}, column '{log.time}': {column_type} is no time. Give a number, a date or a timestamp.")


def _text_columns(schema: Schema) -> frozenset[str]:
    """The columns to be read as they are written: "007" is not 7."""
    log = schema.interactions
    context = {feature.source_column for feature in schema.features.context if KINDS[feature.kind].text}
    return frozenset({log.user, log.item, schema.domains.column, *context})


def read_log(engine: Engine, schema: Schema, log: Log, name: str) -> ibis.Table:
    """Read a log into the table `name` of the engine.

    Its columns are file, file_row, row, user, item, domain, time, time_as_written where that cannot be read as a time,
    positive, those of the context, and reason, which is null on the rows to keep. Raises `AdiError` for an empty log
    and for a domain that is not declared.
    """
    columns = schema.interactions
    identity = {columns.user: "user", columns.item: "item", schema.domains.column: "domain"}
    selected = {role: f"nullif({quoted(column)}::VARCHAR, '')" for column, role in identity.items()}
    selected["time"] = _time_sql(log, columns.time)
    selected["time_as_written"] = _unread_sql(columns.time, selected["time"])
    selected["positive"] = f"({columns.positive or 'true'})::BOOLEAN"
    for feature in schema.features.context:
        value = KINDS[feature.kind].value_sql(feature, quoted(feature.source_column))
        selected[context_column(feature.name)] = value
    try:
        table = engine.read(name, log.table, selected, _text_columns(schema))
    except duckdb.DataError as error:  # the table can be read, so it is the expression that fails on some row
        if columns.positive is None:
            raise
        raise positive_fault(log.table, columns.positive, error) from error
    if table.count().to_pyarrow().as_py() == 0:
        raise AdiError(f"{log.table}: the log has no rows. Give it some, or correct interactions.path.")
    _check_domains(table, schema, log)
    reason = ibis.cases(
        (_.user.isnull(), "no user"),
        (_.item.isnull(), "no item"),
        (_.domain.isnull(), "no domain"),
        (_.domain.isin(schema.domains.leave_out), LEFT_OUT),
        (ibis.literal(log.time is not None) & _.time.isnull(), NO_TIME),
        (~_.positive.fill_null(False), NOT_POSITIVE),
    )
    return table.mutate(reason=reason)


def _time_sql(log: Log, column: str | None) -> str:
    """Microseconds since 1970 for dates, timestamps and text that reads as one; numbers as they are."""
    if column is None:
        return "NULL::BIGINT"
    if log.time == "timestamp":
        # Ibis sets the engine's zone to UTC: what has no zone is in it. A cast to TIMESTAMP ignores the zone of a text.
        return f"epoch_us(TRY_CAST({quoted(column)} AS TIMESTAMPTZ))"
    if log.columns[column].startswith(("FLOAT", "DOUBLE", "DECIMAL")):
        return f"CASE WHEN isfinite({quoted(column)}::DOUBLE) THEN {quoted(column)}::DOUBLE END"
    return f"TRY_CAST({quoted(column)} AS BIGINT)"


def _unread_sql(column: str | None, time: str) -> str:
    """The text of a time where `time`, the SQL that reads it, gives none."""
    return "NULL::VARCHAR" if column is None else f"CASE WHEN ({time}) IS NULL THEN {quoted(column)}::VARCHAR END"


def _check_domains(table: ibis.Table, schema: Schema, log: Log) -> None:
    """Raise `AdiError` for a domain that is not declared, where the schema declares them."""
    column = schema.domains.column
    domains = table.filter(_.domain.notnull()).group_by("domain")
    firsts = domains.agg(row=_.row.min(), file=_.file.argmin(_.row), file_row=_.file_row.argmin(_.row))
    rows = firsts.order_by("row").limit(MAX_DOMAINS + 1).to_pyarrow().to_pylist()
    if len(rows) > MAX_DOMAINS:
        raise AdiError(
            f"{log.table}, column '{column}': over {MAX_DOMAINS} values. "
            "Name another column as domains.column, or list the domains in domains.values."
        )
    for row in rows if schema.domains.values is not None else ():
        declared = schema.domains.values or ()
        if row["domain"] not in (*declared, *schema.domains.leave_out):
            raise AdiError(
                f"{row['file']}, column '{column}', row {row['file_row']}: {shown(row['domain'])} is not a declared "
                f"domain ({', '.join(declared)}).{suggestion(row['domain'], declared)} "
                "Add it to domains.values in the schema, or to domains.leave_out."
            )


def context_column(name: str) -> str:
    """The column of a context feature in the working tables, apart from the log's own."""
    return f"context_{name}"
