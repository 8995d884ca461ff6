"""Clicks on G1, the news portal of Globo.com: one log with time, context, and overlapping users and items."""

from collections.abc import Sequence
from pathlib import Path

from adi.data.folder import new_folder
from adi.engines.tables import TableFiles, quoted
from adi.errors import AdiError, ArgumentError
from adi.sources.conversion import (
    Connection,
    count,
    working_database,
    write_counts,
    write_schema,
    write_table,
)
from adi.sources.published import published_files

NAME = "globo-news"
REMEDY = "Expected are the published clicks as Parquet, in files named clicks*.parquet; see docs/datasets.md."
MIN_ITEM_CLICKS = 10
MIN_USER_CLICKS = 2


def globo_news(
    source: Path,
    out: Path,
    domain_column: str = "click_referrer_type",
    values: Sequence[str] = ("1", "2", "5", "7"),
) -> None:
    """Convert the clicks in the folder's ``clicks*.parquet``; the domain is a column of the log, cut to `values`.

    The first click of each user on each item is kept (by time, then by position in the files), then items with at least
    10 clicks, then users with at least 2, one pass each. A domain is named by the first letter of its column and the
    code, such as r1 for referrer type 1: the meaning of the codes is not published. Every other ``click_`` column
    becomes a context feature; the columns of the session do not, since its size is known only once it has ended.

    Raises `AdiError` for a missing file or column, a value that no row holds, and an `out` that is not free.
    """
    files = TableFiles(published_files(source, "clicks*.parquet", REMEDY))
    if not values or len(set(values)) < len(values):
        raise ArgumentError("values", f"'{','.join(values)}'; give one or more distinct values of '{domain_column}'.")
    prefix = domain_column.removeprefix("click_")[:1]
    with new_folder(out) as building, working_database() as connection:
        log_columns = dict.fromkeys(
            ("user_id", "click_article_id", "click_timestamp"), f"a column of {NAME} as published"
        )
        columns = files.columns(connection, {domain_column: "the domain", **log_columns})
        context = [c for c in columns if c.startswith("click_") and c != domain_column and c not in log_columns]
        with files.reading(connection):
            read = count(connection, files.sql())
            _read(connection, files, domain_column, prefix, values, context)
        _require_values(connection, files, domain_column, prefix, values)
        set_aside = {f"{domain_column} not {', '.join(values)}": read - count(connection, "clicks"), **_cut(connection)}
        write_table(
            connection,
            "SELECT * EXCLUDE (filename, file_row_number) FROM clicks ORDER BY time, user_id, item_id",
            building / "clicks.parquet",
        )
        write_counts(building, NAME, read=read, set_aside=set_aside)
        write_schema(
            building, f"{NAME}: clicks on news, the domain is {domain_column}", _schema(prefix, values, context)
        )


def _read(
    connection: Connection,
    files: TableFiles,
    domain_column: str,
    prefix: str,
    values: Sequence[str],
    context: Sequence[str],
) -> None:
    """Read the rows of the chosen domains into the table `clicks`."""
    renamed = [f"{quoted(column)} AS {quoted(column.removeprefix('click_'))}" for column in context]
    connection.execute(
        f"""CREATE TABLE clicks AS
        SELECT user_id, click_article_id AS item_id, ? || CAST({quoted(domain_column)} AS VARCHAR) AS domain,
            make_timestamp_ms(click_timestamp) AS time, {"".join(f"{column}, " for column in renamed)}
            filename, file_row_number
        FROM {files.sql()}
        WHERE list_contains(?, CAST({quoted(domain_column)} AS VARCHAR))""",
        [prefix, list(values)],
    )


def _require_values(
    connection: Connection, files: TableFiles, domain_column: str, prefix: str, values: Sequence[str]
) -> None:
    domains = {domain for (domain,) in connection.sql("SELECT DISTINCT domain FROM clicks").fetchall()}
    for value in values:
        if prefix + value not in domains:
            frequent = connection.sql(
                f"SELECT CAST({quoted(domain_column)} AS VARCHAR), count(*) FROM {files.sql()} "
                "GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20"
            ).fetchall()
            raise AdiError(
                f"{files}, column '{domain_column}': no row holds '{value}'. The most frequent values, with "
                f"their rows: {', '.join(f'{other} ({rows})' for other, rows in frequent)}."
            )


def _cut(connection: Connection) -> dict[str, int]:
    """Cut `clicks` to first clicks, then to frequent items, then to frequent users; count the rows removed."""
    first = "row_number() OVER (PARTITION BY user_id, item_id ORDER BY time, filename, file_row_number) = 1"
    steps = {
        "not the user's first click on the item": first,
        f"item with fewer than {MIN_ITEM_CLICKS} clicks": f"count(*) OVER (PARTITION BY item_id) >= {MIN_ITEM_CLICKS}",
        f"user with fewer than {MIN_USER_CLICKS} clicks": f"count(*) OVER (PARTITION BY user_id) >= {MIN_USER_CLICKS}",
    }
    cut = {}
    for reason, condition in steps.items():
        before = count(connection, "clicks")
        connection.execute(f"CREATE OR REPLACE TABLE clicks AS FROM clicks QUALIFY {condition}")
        cut[reason] = before - count(connection, "clicks")
    return cut


def _schema(prefix: str, values: Sequence[str], context: Sequence[str]) -> dict[str, object]:
    return {
        "domains": {"column": "domain", "values": [prefix + value for value in values]},
        "interactions": {"path": "clicks.parquet", "user": "user_id", "item": "item_id", "time": "time"},
        "features": {
            "user": [
                {"name": "history", "kind": "behaviours", "length": 50},
                {"name": "last", "kind": "behaviours", "length": 1},
                {"name": "history_here", "kind": "behaviours", "length": 20, "domain": "same"},
            ],
            "item": [{"name": "item_id", "kind": "id"}],
            "context": [{"name": column.removeprefix("click_"), "kind": "categorical"} for column in context],
        },
        "split": {"kind": "last"},
    }
