"""The log and, where the split names one, the file of test rows, as one table of texts."""

from collections.abc import Mapping
from pathlib import Path

import ibis
from ibis import _

from adi.data.manifest import RowCounts
from adi.engines.engine import Engine
from adi.engines.tables import Connection, RawTable
from adi.errors import AdiError, suggestion
from adi.moments import check_moment, to_log_time
from adi.preparation.cleaning import Log, context_column, open_log, read_log
from adi.preparation.faults import faulty_rows, places
from adi.preparation.literals import exactly
from adi.preparation.set_aside import DUPLICATE, LATE, count_rows, kept
from adi.schema import RandomSplit, Schema, TimeSplit

LOG, TEST_ROWS = "interactions", "split.test"
"""The keys of the schema that name the log and the file of test rows."""

LOGS = ("log", "test_log")
"""The tables of the working database that hold the log, and the file of test rows if there is one, as text."""

KEPT = "kept_rows"
"""The table of the rows to keep, where they are numbered anew."""


def open_logs(connection: Connection, schema: Schema, tables: Mapping[str, RawTable]) -> list[Log]:
    """Check the columns of the log and of the file of test rows, if `tables` has one; read no row.

    Raises `AdiError` also where the two have different kinds of time, or where the split's moment is of another kind.
    """
    logs = [open_log(connection, schema, tables[key], key) for key in (LOG, TEST_ROWS) if key in tables]
    split, column = schema.split, schema.interactions.time
    if len(logs) > 1 and logs[1].time != logs[0].time:
        raise AdiError(
            f"{logs[1].table}, column '{column}': not the same kind of time as in the log "
            f"({logs[0].table}: {logs[0].time}, here {logs[1].time}). Write both alike."
        )
    if isinstance(split, TimeSplit):
        described = f"{logs[0].table}, column '{column}': {logs[0].columns[str(column)]}"
        for name, moment in (("at", split.at), ("until", split.until)):
            if moment is not None:
                check_moment(moment, logs[0].time, name=f"split.{name}", column=described)
    return logs


def read_logs(engine: Engine, schema: Schema, logs: list[Log]) -> ibis.Table:
    """Every row of the logs as text, with a reason on those to set aside; `given_test` on those of the test's file."""
    tables = [
        read_log(engine, schema, log, name).mutate(given_test=ibis.literal(log is not logs[0]))
        for log, name in zip(logs, LOGS, strict=False)
    ]
    if len(tables) > 1:  # test rows come after every row of the log, also where they have the same time
        tables[1] = tables[1].mutate(row=_.row + tables[0].count().as_scalar())
        if tables[0].time.type() != tables[1].time.type():  # whole numbers in one, fractions in the other
            tables = [table.mutate(time=_.time.cast("float64")) for table in tables]
    rows = ibis.union(*tables) if len(tables) > 1 else tables[0]
    if isinstance(schema.split, TimeSplit) and schema.split.until is not None:
        is_late = rows.time >= exactly(to_log_time(schema.split.until))
        rows = rows.mutate(reason=ibis.coalesce(rows.reason, ibis.ifelse(is_late, LATE, None)))
    return _without_duplicates(rows) if schema.interactions.duplicates == "drop" else rows


def faults_of_logs(schema: Schema, rows: ibis.Table) -> ibis.Table:
    """The faulty ones among the rows that `read_logs` gives."""
    log = schema.interactions
    columns = {"user": log.user, "item": log.item, "domain": schema.domains.column}
    return faulty_rows(rows, columns if log.time is None else columns | {"time_as_written": log.time})


def keep_rows(
    engine: Engine, schema: Schema, logs: list[Log], rows: ibis.Table, out: Path
) -> tuple[ibis.Table, RowCounts, tuple[str, ...]]:
    """Write the rows that are set aside to ``<out>/set_aside.parquet``.

    Returns the rows to keep, counts, and the domains in their order. Raises `AdiError` if no row can be used, of a
    domain or at all.
    """
    _check_left_out(schema, logs[0], rows)
    shown = ["file", "file_row", "user", "item", "domain", "time", "time_as_written", "reason"]
    aside = rows.filter(_.reason.notnull()).select("row", *shown)
    engine.write_parquet(aside, out / "set_aside.parquet", shown, order_by=["row"])
    counts = count_rows(rows)
    if not counts.kept:
        reason, most = max(counts.set_aside.items(), key=lambda item: item[1])
        first = places(faults_of_logs(schema, rows.filter(_.reason == reason)), 1)
        raise AdiError(
            f"{logs[0].table}: no row of {counts.read} can be used; {most} have this fault: {reason}"
            f"{f' (first {first[0]})' if first else ''}. "
            "Mend the columns, or name others in the schema's interactions."
        )
    usable_rows = kept(rows).drop("file", "file_row", "positive", "time_as_written")
    usable = tuple(usable_rows.select("domain").distinct().order_by("domain").to_pyarrow()["domain"].to_pylist())
    for domain in schema.domains.values or ():
        if domain not in usable:
            raise AdiError(
                f"{logs[0].table}, column '{schema.domains.column}': no usable row of domain '{domain}'. "
                "Remove it from domains.values, or give the domain some rows."
            )
    if isinstance(schema.split, RandomSplit) and counts.set_aside:
        # It draws rows by their numbers, which rows that are set aside must not change.
        numbered = engine.number(KEPT, usable_rows, ["row"], "position")
        usable_rows = numbered.mutate(row=_.position + 1).drop("position")
    return usable_rows, counts, schema.domains.values or usable


def _check_left_out(schema: Schema, log: Log, rows: ibis.Table) -> None:
    """Raise `AdiError` for a domain to leave out that the rows do not have: it is a slip of the pen."""
    if not schema.domains.leave_out:
        return
    domains = rows.filter(_.domain.notnull()).select("domain").distinct().order_by("domain")
    known = domains.to_pyarrow()["domain"].to_pylist()
    for domain in schema.domains.leave_out:
        if domain not in known:
            raise AdiError(
                f"domains.leave_out: '{domain}' is no domain of {log.table}, column '{schema.domains.column}'."
                f"{suggestion(domain, known)}"
            )


def _without_duplicates(rows: ibis.Table) -> ibis.Table:
    """Give a reason to rows without one that equal an earlier row without one in all but their position."""
    context = [name for name in rows.columns if name.startswith(context_column(""))]
    same = ibis.window(group_by=["user", "item", "domain", "time", *context, rows.reason.isnull()])
    earlier = rows.row > rows.row.min().over(same)
    return rows.mutate(reason=ibis.coalesce(rows.reason, ibis.ifelse(earlier, DUPLICATE, None)))
