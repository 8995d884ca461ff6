"""Which table is the log, which of its columns say user, item, domain and time, and what the other tables' keys are.

Names are read as words (``userId``, ``USER_ID`` and ``user_id`` are all "user id"); what a name suggests, the values
must bear out. Nothing is guessed from values alone: where no name fits, the user is asked to name the column.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from adi.errors import AdiError, suggestion
from adi.guessing.profiles import Column, TableProfile, counted, plain
from adi.preparation.tables import listed, quoted

USERS = "user customer visitor member account household client shopper buyer viewer player reader uid person session"
ITEMS = "item product article sku asin ad listing offer movie film video track song book game news post content iid"
DOMAINS = (
    "domain scenario scene surface market marketplace channel placement referrer referer site app country tab page "
    "platform region locale tenant brand store source"
)
TIMES = "timestamp time datetime ts date when created day"
"""The nouns of each role, the most telling first."""

ID_WORDS = frozenset({"id", "ids", "key", "code", "uuid", "guid", "hash", "no", "nr", "number", "idx", "index"})
DOMAIN_WORDS = ID_WORDS | {"type", "name", "group"}
TIME_WORDS = ID_WORDS | {"at", "utc", "ms", "unix"}
"""Words that may follow the noun."""

DURATIONS = frozenset({"dwell", "watch", "play", "read", "reading", "spent", "elapsed", "response", "load", "wait"})
"""Words that make a time a length of time."""

MOST_DOMAINS = 50
FAIR_SHARE = 0.005
"""A domain column has 2 to 50 values; those with less than this share of the rows hold a tenth of them at most."""


@dataclass(frozen=True)
class Roles:
    """The log and what its columns mean; `domains` counts the rows of each domain, the most frequent first."""

    log: TableProfile
    user: Column
    item: Column
    domain: Column
    time: Column | None
    domains: Mapping[str, int]
    others: Sequence[Column]
    """Columns that could be the domain too."""


@dataclass(frozen=True)
class Key:
    """A feature table's key, whose side ("user" or "item") it is, and the share of the log's ids that it has."""

    columns: tuple[str, ...]
    side: str
    covered: float


def find_roles(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[TableProfile], named: Mapping[str, str | None]
) -> Roles:
    """Find the log and its columns; `named` holds the columns that the user named, by role.

    Raises `AdiError` that says what was looked for, in which columns, and how to name the column.
    """
    log, user, item = _log(tables, named)
    taken = [name for name in named.values() if name is not None] + [user.name, item.name]
    time, domain = named.get("time"), named.get("domain")
    when = log.columns[time] if time else _time(connection, log, taken)
    taken += [when.name] if when else []
    possible = [log.columns[domain]] if domain else _domains(log, taken)
    if not possible:
        raise AdiError(_no_domain(log, taken))
    counts = log.counts(connection, possible[0].name, most=MOST_DOMAINS + 1)
    if len(counts) < 2:
        only = f"one value ('{plain(next(iter(counts)))}')" if counts else "no value"
        raise AdiError(
            f"{log.table}, column '{possible[0].name}': {only}. adi needs two or more domains: name another "
            f"column with --domain COLUMN. Columns: {listed(log.columns)}."
        )
    return Roles(log, user, item, possible[0], when, counts, possible[1:])


def find_key(connection: duckdb.DuckDBPyConnection, table: TableProfile, roles: Roles) -> Key | None:
    """The key of a feature table: a user or item column that is unique, alone or with the domain column."""
    for side, of_log, nouns in (("user", roles.user, USERS), ("item", roles.item, ITEMS)):
        column = table.columns.get(of_log.name) or _by_name(table.columns.values(), nouns, ID_WORDS)
        if column is None or not column.filled:
            continue
        domain = table.columns.get(roles.domain.name) or _by_name(table.columns.values(), DOMAINS, DOMAIN_WORDS)
        candidates: list[tuple[str, ...]] = [(column.name,)]
        candidates += [(column.name, domain.name)] if domain and domain.name != column.name else []
        covered = _covered(connection, table, column, roles.log, of_log)
        for key in candidates:
            if covered and table.is_key(connection, key):
                return Key(key, side, covered)
    return None


def words_of(name: str) -> list[str]:
    """``click_deviceGroup`` → click, device, group."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+", name)]


def noun_of(name: str, following: Collection[str]) -> str:
    """The last word of a name, but for the words that may follow it: ``isClicked_flag`` → clicked."""
    words = words_of(name)
    while len(words) > 1 and words[-1] in following:
        words.pop()
    return words[-1] if words else ""


def _rank(name: str, nouns: str, following: Collection[str]) -> int | None:
    """The place in `nouns` of the name's noun; None if it is not one of them."""
    last, known = noun_of(name, following), nouns.split()
    return next((known.index(n) for n in (last, last.removesuffix("id"), last.removesuffix("s")) if n in known), None)


def _ranked(columns: Iterable[Column], nouns: str, following: Collection[str]) -> list[Column]:
    ranked = [(rank, column) for column in columns if (rank := _rank(column.name, nouns, following)) is not None]
    return [column for _, column in sorted(ranked, key=lambda pair: (pair[0], len(words_of(pair[1].name))))]


def _by_name(columns: Iterable[Column], nouns: str, following: Collection[str]) -> Column | None:
    possible = [column for column in columns if column.form in ("integer", "decimal", "text")]
    return next(iter(_ranked(possible, nouns, following)), None)


def _log(tables: Sequence[TableProfile], named: Mapping[str, str | None]) -> tuple[TableProfile, Column, Column]:
    """The table with the most rows of those that have a user and an item column and every named one, and these two."""
    known = [column for table in tables for column in table.columns]
    chosen = {role: name for role, name in named.items() if name is not None}
    for role, name in chosen.items():
        if name not in known:
            raise AdiError(f"--{role}: no table has a column '{name}'.{suggestion(name, known)} {_columns(tables)}")
    if len(set(chosen.values())) < len(chosen):
        names = ", ".join(chosen.values())
        raise AdiError(f"--user, --item, --domain and --time name different columns, not {names}.")
    logs = [table for table in tables if all(name in table.columns for name in chosen.values())]
    if not logs:
        raise AdiError(f"no table has all of the columns {', '.join(chosen.values())}. {_columns(tables)}")
    found = [(table, _identity(table, named)) for table in logs]
    for role, nouns in (("user", USERS), ("item", ITEMS)):
        if not any(role in columns for _, columns in found):
            raise AdiError(
                f"no column looks like the {role} of an interaction (names such as {_examples(nouns)}). "
                f"Name it with --{role} COLUMN. {_columns(logs)}"
            )
    whole = [(table, columns["user"], columns["item"]) for table, columns in found if len(columns) == 2]
    if not whole:
        raise AdiError(
            "no table has both a user and an item column, as the log of the interactions does. Add the log, or name "
            f"the columns with --user COLUMN and --item COLUMN. {_columns(logs)}"
        )
    return max(whole, key=lambda candidate: candidate[0].rows)


def _identity(table: TableProfile, named: Mapping[str, str | None]) -> dict[str, Column]:
    """The user and the item column, where the table has them."""
    found: dict[str, Column] = {}
    for role, nouns in (("user", USERS), ("item", ITEMS)):
        taken = [name for other, name in named.items() if other != role] + [column.name for column in found.values()]
        name = named.get(role)
        free = [column for column in table.columns.values() if column.name not in taken and column.distinct > 1]
        column = table.columns[name] if name else _by_name(free, nouns, ID_WORDS)
        if column is not None:
            found[role] = column
    return found


def _time(connection: duckdb.DuckDBPyConnection, log: TableProfile, taken: Sequence[str]) -> Column | None:
    """A column of a date or time type, the one with a telling name first; else a number or text with such a name."""
    free = [column for column in log.columns.values() if column.name not in taken and column.filled]
    likely = [column for column in _ranked(free, TIMES, TIME_WORDS) if not DURATIONS & set(words_of(column.name))]
    typed = [column for column in likely if column.form == "time"] or [c for c in free if c.form == "time"]
    for column in [*typed, *likely]:
        if column.form == "text":
            value = quoted(column.name)
            query = f"SELECT count(TRY_CAST({value} AS TIMESTAMP)) / count({value}) FROM {quoted(log.sample)}"
            if connection.execute(query).fetchall()[0][0] < 0.99:
                continue
        if column.form in ("time", "integer", "decimal", "text"):
            return column
    return None


def _domains(log: TableProfile, taken: Sequence[str]) -> list[Column]:
    free = [column for column in log.columns.values() if column.name not in taken]
    return [column for column in _ranked(free, DOMAINS, DOMAIN_WORDS) if _divides(column)]


def _divides(column: Column) -> bool:
    """Whether the column has a domain's number of values, and rows enough of each."""
    fair = [count for count in column.values.values() if count >= FAIR_SHARE * column.filled]
    return 2 <= len(column.values) <= MOST_DOMAINS and len(fair) >= 2 and sum(fair) >= 0.9 * column.filled


def _covered(
    connection: duckdb.DuckDBPyConnection, table: TableProfile, column: Column, log: TableProfile, of_log: Column
) -> float:
    """The share of the ids in the log's sample that the table has."""
    ids = f"(SELECT DISTINCT {quoted(of_log.name)}::VARCHAR AS id FROM {quoted(log.sample)} WHERE id IS NOT NULL)"
    known = f"SELECT {quoted(column.name)} AS known FROM {table.table.sql({column.name})}"
    query = f"SELECT avg((id IN ({known} WHERE known IS NOT NULL))::INT) FROM {ids}"
    return float(connection.execute(query).fetchall()[0][0] or 0)


def _no_domain(log: TableProfile, taken: Sequence[str]) -> str:
    free = [column for column in log.columns.values() if column.name not in taken and _divides(column)]
    would_do = ", ".join(f"{plain(column.name)} ({counted(column.distinct, 'value')})" for column in free)
    return (
        f"{log.table}: no column looks like the domain (names such as {_examples(DOMAINS)}; 2 to "
        f"{MOST_DOMAINS} values, each with a fair number of rows). adi learns from two or more domains at once, such "
        "as search and feed, or several markets, and one column of the log says which. Name it with --domain COLUMN"
        f"{f'; by their values these could be it: {would_do}' if would_do else ''}. Where each domain has files of its "
        f"own, put them into folders named domain=NAME/ and give the folder above. Columns: {listed(log.columns)}."
    )


def _columns(tables: Sequence[TableProfile]) -> str:
    return " ".join(f"Columns of {table.table}: {listed(table.columns)}." for table in tables)


def _examples(nouns: str) -> str:
    return ", ".join(nouns.split()[:6])
