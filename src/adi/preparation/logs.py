"""The log and, where the split names one, the file of test rows, as one table of texts."""

from pathlib import Path

import ibis
from ibis import _

from adi.data.manifest import RowCounts
from adi.engines.engine import Engine
from adi.engines.open import open_table
from adi.engines.tables import RawTable
from adi.errors import AdiError
from adi.moments import check_moment, to_log_time
from adi.preparation.cleaning import Log, context_column, open_log, read_log
from adi.schema import FilesSplit, Schema, TimeSplit

LOGS = ("log", "test_log")
"""The tables of the working database that hold the log, and the file of test rows if there is one, as text."""


LATE = "at or after split.until"
"""The reason for which rows are set aside that are as late as the end of a split by time, or later."""


def open_logs(engine: Engine, schema: Schema, table: RawTable, folder: Path) -> list[Log]:
    """Check the columns of the log, which is `table`, and of the file of test rows; read no row.

    Paths are relative to `folder`. Raises `AdiError` also where the two have different kinds of time, or where the
    split's moment is of another kind.
    """
    logs, split = [open_log(engine.reader, schema, table, "interactions")], schema.split
    column = schema.interactions.time
    if isinstance(split, FilesSplit):
        logs.append(open_log(engine.reader, schema, open_table(engine, split.test, folder), "split.test"))
        if logs[1].time != logs[0].time:
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


DUPLICATE = "duplicate"
"""The reason for which rows are set aside that equal an earlier row."""


def read_logs(
    engine: Engine, schema: Schema, logs: list[Log], out: Path
) -> tuple[ibis.Table, RowCounts, tuple[str, ...]]:
    """Read the logs and write the rows that are set aside to ``<out>/set_aside.parquet``.

    Returns the rows to keep as text, with `given_test` on those of the file of test rows; counts; and the domains in
    their order. Raises `AdiError` if no row can be used, of a domain or at all.
    """
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
        is_late = rows.time >= to_log_time(schema.split.until)
        rows = rows.mutate(reason=ibis.coalesce(rows.reason, ibis.ifelse(is_late, LATE, None)))
    if schema.interactions.duplicates == "drop":
        rows = _without_duplicates(rows)
    aside = rows.filter(_.reason.notnull())
    shown = ["file", "file_row", "user", "item", "domain", "time", "reason"]
    engine.write_parquet(aside.select("row", *shown), out / "set_aside.parquet", shown, order_by=["row"])
    reasons = aside.group_by("reason").agg(rows=_.count()).order_by("reason").to_pyarrow().to_pylist()
    kept = rows.filter(_.reason.isnull()).drop("reason", "file", "file_row", "positive")
    by_domain = kept.group_by("domain").agg(rows=_.count()).order_by("domain").to_pyarrow().to_pylist()
    counts = RowCounts(
        read=int(rows.count().to_pyarrow().as_py()),
        kept=sum(row["rows"] for row in by_domain),
        set_aside={row["reason"]: row["rows"] for row in reasons},
    )
    if not by_domain:
        reason, most = max(counts.set_aside.items(), key=lambda item: item[1])
        raise AdiError(
            f"{logs[0].table}: no row of {counts.read} can be used; {most} have this fault: {reason}. "
            "Mend the columns, or name others in the schema's interactions."
        )
    usable = tuple(row["domain"] for row in by_domain)
    for domain in schema.domains.values or ():
        if domain not in usable:
            raise AdiError(
                f"{logs[0].table}, column '{schema.domains.column}': no usable row of domain '{domain}'. "
                "Remove it from domains.values, or give the domain some rows."
            )
    return kept, counts, schema.domains.values or usable


def _without_duplicates(rows: ibis.Table) -> ibis.Table:
    """Give a reason to rows without one that equal an earlier row without one in all but their position."""
    context = [name for name in rows.columns if name.startswith(context_column(""))]
    same = ibis.window(group_by=["user", "item", "domain", "time", *context, rows.reason.isnull()])
    earlier = rows.row > rows.row.min().over(same)
    return rows.mutate(reason=ibis.coalesce(rows.reason, ibis.ifelse(earlier, DUPLICATE, None)))
