"""The log of a data set without its test rows, split again in the same way."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from adi.engines.tables import quoted

LOG = "inner.parquet"
TEST_SHARE = 0.14
"""The share of the newest rows that is the inner test of a split by time."""


def leave_out_test(tables: Path, schema: dict[str, Any]) -> None:
    """Replace the log by one without test rows, and change the schema where the split does not fit it."""
    log, split = schema["interactions"], schema["split"]
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE log AS SELECT *, row_number() OVER () AS number FROM read_parquet('{tables / log['path']}', "
            f"union_by_name=true) WHERE {log.get('positive', 'true')}"
        )
        connection.execute(f"CREATE TABLE kept AS {_kept(schema)}")
        if split["kind"] == "time":
            query = f"SELECT quantile_disc({quoted(log['time'])}, {1 - TEST_SHARE}) FROM kept"
            schema["split"] = {**split, "at": str(connection.execute(query).fetchall()[0][0])}
        elif split["kind"] == "files":
            schema["split"] = {"kind": "random", "share": 0.1}
        connection.execute(f"COPY (SELECT * EXCLUDE (number) FROM kept ORDER BY number) TO '{tables / LOG}'")
    log["path"] = LOG


def _kept(schema: Mapping[str, Any]) -> str:
    """The query for the rows that are not of the test."""
    log, split = schema["interactions"], schema["split"]
    if split["kind"] == "files":
        return "FROM log"
    if split["kind"] == "random":
        return f"FROM log WHERE hash(number) % 100 >= {round(100 * split['share'])}"
    if split["kind"] == "time":
        return f"FROM log WHERE {quoted(log['time'])} < '{split['at']}'"
    user, domain = quoted(log["user"]), quoted(schema["domains"]["column"])
    order = f"{quoted(log['time'])} DESC, number DESC" if "time" in log else "number DESC"
    return (
        f"SELECT * EXCLUDE (newer, rows_of_user) FROM (SELECT *, row_number() OVER (PARTITION BY {user}, {domain} "
        f"ORDER BY {order}) AS newer, count(*) OVER (PARTITION BY {user}) AS rows_of_user FROM log) "
        "WHERE newer > 1 OR rows_of_user < 2"
    )
