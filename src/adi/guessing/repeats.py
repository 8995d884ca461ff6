"""Duplicates in a log, and rows of an item that the user had before, with the keys of the schema that they suggest."""

import duckdb

from adi.engines.tables import quoted
from adi.guessing.profiles import counted, percent
from adi.guessing.roles import Roles

MOST_ROWS = 5_000_000
"""Of a longer log, the rows of some users are looked at: about so many."""

FEW_REPEATS = 0.05
"""Below this share of the rows, repeats are exceptions: lists leave out what the user had."""


def guess_repeats(connection: duckdb.DuckDBPyConnection, roles: Roles) -> tuple[list[str], list[str]]:
    """Lines for `interactions` and for the end of the schema; none where no user has an item twice.

    Rows that equal an earlier row in user, item, domain and time are duplicates, and do not count as repeats. In a log
    without time every repeat could be a duplicate, so none is taken for one.
    """
    pair = [roles.user.name, roles.item.name]
    event = [*pair, roles.domain.name, *([roles.time.name] if roles.time is not None else [])]
    filled = " AND ".join(f"{quoted(column)}::VARCHAR <> ''" for column in event)
    query = f"SELECT count(*), count(DISTINCT hash({_values(event)})), count(DISTINCT hash({_values(pair)}))"
    with roles.log.table.reading(connection, set(event)):
        relation = roles.log.table.sql(set(event), numbered=False)
        step = -(-roles.log.rows // MOST_ROWS)
        some = f" AND hash({quoted(roles.user.name)}) % {step} = 0" if step > 1 else ""
        counts = connection.execute(f"{query} FROM {relation} WHERE {filled}{some}").fetchall()
    rows, events, pairs = counts[0]
    if roles.time is None:
        events = rows
    duplicates, repeats = rows - events, events - pairs
    interactions, schema = [], []
    if duplicates:
        share = percent(duplicates, rows) + (f" of {rows:,} looked at" if step > 1 else "")
        interactions = [f"  duplicates: drop  # {counted(duplicates, 'row')} ({share}) equal another; keep: they count"]
    if repeats:
        line = f"of {percent(repeats, events)} of the rows the user had the item before"
        often = repeats >= FEW_REPEATS * events
        answer = "lists may show it again" if often else "lists leave it out"
        schema = [f"repeats: {'true' if often else 'false'}  # {line}; {answer}"]
    return interactions, schema


def _values(columns: list[str]) -> str:
    return ", ".join(quoted(column) for column in columns)
