"""The user's tables of clicks and charges: which columns are meant, and which rows cannot be used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adi.abtest.database import Connection, count, identifier
from adi.abtest.faults import Fault
from adi.abtest.tables import check_id, column_types, source_of, table_files
from adi.errors import AdiError, ArgumentError, suggestion

TIMES = ("TIMESTAMP", "DATE", "VARCHAR")


@dataclass(frozen=True, kw_only=True)
class ClickColumns:
    """Names of the columns of clicks. Without a `charge`, clicks are counted and nothing is said of revenue."""

    user: str = "user"
    item: str = "item"
    domain: str = "domain"
    time: str = "time"
    charge: str | None = None


def read_clicks(connection: Connection, paths: Sequence[str], columns: ClickColumns) -> tuple[Fault, ...]:
    """Read clicks into the table ``clicks`` (click, user_id, item, domain, time, charge); returns what was left out.

    Args:
        paths: Parquet or CSV files, folders of them, or globs.

    Raises `AdiError` for a path without files, a missing column, ids that are fractions, a time that is a number, and
    for clicks that are given twice with different charges.
    """
    files = table_files(paths, argument="clicks")
    source = source_of(files)
    _check_types(column_types(connection, files, argument="clicks"), files[0], columns)
    charge = "0::DOUBLE" if columns.charge is None else f"try_cast({identifier(columns.charge)} AS DOUBLE)"
    connection.execute(f"""
        CREATE TABLE all_clicks AS
        SELECT {identifier(columns.user)}::VARCHAR AS user_id, {identifier(columns.item)}::VARCHAR AS item,
               {identifier(columns.domain)}::VARCHAR AS domain,
               try_cast({identifier(columns.time)} AS TIMESTAMPTZ)::TIMESTAMP AS time,
               {identifier(columns.time)} IS NOT NULL AS has_time, {charge} AS charge
        FROM {source}""")
    return tuple(fault for fault in _select(connection, columns) if fault.rows)


def _check_types(types: Mapping[str, str], file: str, columns: ClickColumns) -> None:
    """Raise `AdiError` for a missing column, and for ids and times of a type that would be misread."""
    wanted = {"user": columns.user, "item": columns.item, "domain": columns.domain, "time": columns.time}
    wanted |= {} if columns.charge is None else {"charge": columns.charge}
    for option, name in wanted.items():
        if name not in types:
            raise ArgumentError(
                option, f"{file} has no column '{name}' ({', '.join(types)}).{suggestion(name, types)} Name the column."
            )
    for name in (columns.user, columns.item):
        check_id(types, file, name)
    if not types[columns.time].startswith(TIMES):
        raise AdiError(
            f"{file}, column '{columns.time}': of type {types[columns.time]}, a unit is not known. Write timestamps."
        )


def _select(connection: Connection, columns: ClickColumns) -> list[Fault]:
    """Make the table ``clicks`` of what can be used, each once."""
    total = count(connection, "SELECT count(*) FROM all_clicks")
    if not total:
        raise ArgumentError("clicks", "no rows. Name the table of the test's clicks.")
    unusable = "user_id IS NULL OR item IS NULL OR domain IS NULL OR (time IS NULL AND NOT has_time)"
    unread = f"time IS NULL AND has_time AND NOT ({unusable})"
    missing_charge = f"charge IS NULL AND NOT ({unusable}) AND time IS NOT NULL"
    negative = f"charge IS NOT NULL AND (charge < 0 OR NOT isfinite(charge)) AND NOT ({unusable}) AND time IS NOT NULL"
    faults = [
        _fault(connection, name, condition, total)
        for name, condition in (
            ("clicks without user, item, domain or time", unusable),
            ("clicks whose time cannot be read", unread),
            (f"clicks whose charge ('{columns.charge}') is missing or no number", missing_charge),
            ("clicks with a negative or infinite charge", negative),
        )
    ]
    usable = f"NOT ({unusable}) AND time IS NOT NULL AND charge >= 0 AND isfinite(charge)"
    key = "user_id, item, domain, time"
    twice = connection.execute(f"""
        SELECT {key}, count(*) FROM all_clicks WHERE {usable} GROUP BY {key}
        HAVING count(DISTINCT charge) > 1 ORDER BY {key} LIMIT 1""").fetchone()
    if twice is not None:
        user, item, domain, time, _ = twice
        raise AdiError(
            f"clicks: user '{user}', item '{item}', domain '{domain}', {time}: given twice with different charges. "
            "Keep the right one of each."
        )
    connection.execute(f"""
        CREATE TABLE clicks AS
        SELECT row_number() OVER (ORDER BY {key}) AS click, {key}, min(charge) AS charge
        FROM all_clicks WHERE {usable} GROUP BY {key}""")
    duplicates = count(connection, f"SELECT count(*) FROM all_clicks WHERE {usable}")
    duplicates -= count(connection, "SELECT count(*) FROM clicks")
    connection.execute("DROP TABLE all_clicks")
    faults.append(Fault(name="duplicate clicks", rows=duplicates, of=total, what="clicks", treatment="counted once"))
    return faults


def _fault(connection: Connection, name: str, condition: str, total: int) -> Fault:
    rows = count(connection, f"SELECT count(*) FROM all_clicks WHERE {condition}")
    first = None
    if rows:
        row = connection.execute(
            f"SELECT user_id, item, time, charge FROM all_clicks WHERE {condition} ORDER BY ALL LIMIT 1"
        ).fetchone()
        assert row is not None
        first = "user {}, item {}, time {}, charge {}".format(*("missing" if value is None else value for value in row))
    return Fault(name=name, rows=rows, of=total, what="clicks", treatment="left out", first=first, doubtful=True)
