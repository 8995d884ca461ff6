"""Duplicates in a log, and rows of an item that the user had before, with the keys of the schema that they suggest."""

from collections.abc import Collection

import duckdb

from adi.engines.expression import check_positive, positive_fault
from adi.engines.tables import quoted
from adi.guessing.profiles import counted, percent
from adi.guessing.roles import Roles

MOST_ROWS = 5_000_000
"""Of a longer log, the rows of some users are looked at: about so many."""

FEW_REPEATS = 0.05
"""Below this share of the rows, repeats are exceptions: lists leave out what the user had."""


def guess_repeats(
    connection: duckdb.DuckDBPyConnection, roles: Roles, positive: str | None, categories: Collection[str]
) -> tuple[list[str], list[str]]:
    """Lines for `interactions` and for the end of the schema; none where no user has an item twice.

    Rows that equal an earlier row in user, item, domain and time are duplicates, and do not count as repeats. In a log
    without time every repeat could be a duplicate, so none is taken for one.

    Args:
        positive: an SQL expression, true for the rows that count; None if all do.
        categories: columns that are text in it, as they are for `adi prepare`.

    Raises `AdiError` for an expression that is refused or cannot be evaluated.
    """
    step = -(-roles.log.rows // MOST_ROWS)
    rows, events, pairs = _counts(connection, roles, positive, categories, step)
    if roles.time is None:
        events = rows
    duplicates, repeats = rows - events, events - pairs
    interactions, schema = [], []
    noun = "row" if positive is None else "positive row"
    if duplicates:
        share = percent(duplicates, rows) + (f" of {rows:,} looked at" if step > 1 else "")
        interactions = [f"  duplicates: drop  # {counted(duplicates, noun)} ({share}) equal another; keep: they count"]
    if repeats:
        line = f"of {percent(repeats, events)} of the {noun}s the user had the item before"
        often = repeats >= FEW_REPEATS * events
        answer = "lists may show it again" if often else "lists leave it out"
        schema = [f"repeats: {'true' if often else 'false'}  # {line}; {answer}"]
    return interactions, schema


def _counts(
    connection: duckdb.DuckDBPyConnection, roles: Roles, positive: str | None, categories: Collection[str], step: int
) -> tuple[int, int, int]:
    """The rows that count, and among them the distinct events and pairs of user and item; of every `step`-th user."""
    table, pair = roles.log.table, [roles.user.name, roles.item.name]
    text = {*pair, roles.domain.name, *categories}
    event = [*pair, roles.domain.name, *([roles.time.name] if roles.time is not None else [])]
    conditions = [f"{quoted(column)}::VARCHAR <> ''" for column in event]
    if step > 1:
        conditions.append(f"hash({quoted(roles.user.name)}) % {step} = 0")
    if positive is not None:
        check_positive(connection, table, positive, text)
        conditions.append(f"({positive})::BOOLEAN")
    query = f"SELECT count(*), count(DISTINCT hash({_values(event)})), count(DISTINCT hash({_values(pair)}))"
    query += f" FROM {table.sql(text, numbered=False)} WHERE {' AND '.join(conditions)}"
    try:
        with table.reading(connection, text):
            rows, events, pairs = connection.execute(query).fetchall()[0]
    except duckdb.DataError as error:  # the table can be read, so it is the expression that fails on some row
        if positive is None:
            raise
        raise positive_fault(table, positive, error) from error
    return rows, events, pairs


def _values(columns: list[str]) -> str:
    return ", ".join(quoted(column) for column in columns)
