"""Roles of tables and columns: the log, its columns of user, item, domain and time, and the keys of other tables.

Names are read as words (``userId``, ``USER_ID`` and ``user_id`` are all "user id"), and the values must confirm what a
name suggests. Nothing is guessed from values alone: if no name fits, an error asks for the column.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from adi.engines.tables import listed, quoted
from adi.errors import AdiError, ArgumentError, suggestion
from adi.guessing.profiles import Column, TableProfile, counted, plain

USERS = "user customer visitor member account household client shopper buyer viewer player reader uid person session"
ITEMS = "item product article sku asin ad listing offer movie film video track song book game news post content iid"
DOMAINS = (
    "domain scenario scene surface market marketplace channel placement referrer referer site app country tab page "
    "platform region locale tenant brand store source"
)
TIMES = "timestamp time datetime ts date when created day"
"""The nouns of each role, the most specific first."""

ID_WORDS = frozenset({"id", "ids", "key", "code", "uuid", "guid", "hash", "no", "nr", "number", "idx", "index"})
DOMAIN_WORDS = ID_WORDS | {"type", "name", "group"}
TIME_WORDS = ID_WORDS | {"at", "utc", "ms", "unix"}
"""Words that can follow the noun."""

TIME_FORMS = ("time", "integer", "decimal", "text")
"""The forms of a column that can be the time."""

DURATIONS = frozenset({"dwell", "watch", "play", "read", "reading", "spent", "elapsed", "response", "load", "wait"})
"""Words that make a time a duration."""

MOST_DOMAINS = 50
FAIR_SHARE = 0.005
"""A domain column has 2 to 50 values; those with less than this share of the rows have at most a tenth of all rows."""


@dataclass(frozen=True)
class Roles:
    """The log and the roles of its columns; `domains` has the rows of each domain, the most frequent first."""

    log: TableProfile
    user: Column
    item: Column
    domain: Column
    time: Column | None
    domains: Mapping[str, int]
    others: Sequence[Column]
    """Other columns that could be the domain."""


@dataclass(frozen=True)
class Key:
    """The key of a feature table, the side ("user" or "item") of its ids, and the share of the log's ids it has."""

    columns: tuple[str, ...]
    side: str
    covered: float


def find_roles(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[TableProfile], named: Mapping[str, str | None]
) -> Roles:
    """Find the log and the roles of its columns; `named` has the columns that the user named, by role.

    Raises `ArgumentError`, whose parameter is the role, if no column fits.
    """
    log, user, item = _log(tables, named)
    with_role = [name for name in named.values() if name is not None] + [user.name, item.name]
    time_name, domain_name = named.get("time"), named.get("domain")
    time = log.columns[time_name] if time_name else _time(connection, log, with_role)
    if time is not None and time.form not in TIME_FORMS:
        raise ArgumentError(
            "time", f"{log.table}, column '{time.name}': {plain(time.type)} is no moment. A date or a number is one."
        )
    with_role += [time.name] if time else []
    domains = [log.columns[domain_name]] if domain_name else _domains(log, with_role)
    if not domains:
        raise ArgumentError("domain", _no_domain(log, with_role))
    counts = log.counts(connection, domains[0].name, most=MOST_DOMAINS + 1)
    if len(counts) < 2:
        values = f"one value ('{plain(next(iter(counts)))}')" if counts else "no value"
        raise ArgumentError(
            "domain",
            f"{log.table}, column '{domains[0].name}': {values}. adi needs two or more domains: name another column. "
            f"Columns: {listed(log.columns)}.",
        )
    return Roles(log, user, item, domains[0], time, counts, domains[1:])


def find_key(connection: duckdb.DuckDBPyConnection, table: TableProfile, roles: Roles) -> Key | str:
    """The key of a feature table: a user or item column that identifies a row, alone or with the domain column.

    Returns the reason in words where it has none.
    """
    faults = []
    for side, log_column, nouns in (("user", roles.user, USERS), ("item", roles.item, ITEMS)):
        column = table.columns.get(log_column.name) or _by_name(table.columns.values(), nouns, ID_WORDS)
        if column is None or not column.filled:
            continue
        domain = table.columns.get(roles.domain.name) or _by_name(table.columns.values(), DOMAINS, DOMAIN_WORDS)
        candidates: list[tuple[str, ...]] = [(column.name,)]
        candidates += [(column.name, domain.name)] if domain and domain.name != column.name else []
        covered = _covered(connection, table, column, roles.log, log_column)
        if not covered:
            faults.append(_foreign(table, column, log_column))
            continue
        for key in candidates:
            if (repeated := table.repeated_key(connection, key)) is None:
                return Key(key, side, covered)
        faults.append(f"{' and '.join(map(plain, candidates[-1]))} {repeated}.")
    nouns = f"{plain(roles.user.name)} or {plain(roles.item.name)}"
    return " ".join(faults) or f"No column looks like {nouns} of the log."


def words_of(name: str) -> list[str]:
    """``click_deviceGroup`` → click, device, group."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+", name)]


def noun_of(name: str, following: Collection[str]) -> str:
    """The last word of a name, apart from words that can follow it: ``isClicked_flag`` → clicked."""
    words = _without(words_of(name), following)
    return words[-1] if words else ""


def _without(words: Sequence[str], following: Collection[str]) -> Sequence[str]:
    """The words up to those at the end that can follow a noun."""
    while len(words) > 1 and words[-1] in following:
        words = words[:-1]
    return words


def rank_of(name: str, nouns: str, following: Collection[str]) -> int | None:
    """The position in `nouns` of the name's noun; None if it is not one of them."""
    last, known = noun_of(name, following), nouns.split()
    joined = "".join(_without(words_of(name), following))  # Market Place
    forms = (last, last.removesuffix("id"), last.removesuffix("s"), joined)
    return next((known.index(form) for form in forms if form in known), None)


def _ranked(columns: Iterable[Column], nouns: str, following: Collection[str]) -> list[Column]:
    """The columns whose name has one of the nouns, the best first."""
    ranked = [(rank, column) for column in columns if (rank := rank_of(column.name, nouns, following)) is not None]
    return [column for _, column in sorted(ranked, key=lambda pair: (pair[0], len(words_of(pair[1].name))))]


def _by_name(columns: Iterable[Column], nouns: str, following: Collection[str]) -> Column | None:
    """The best column of single values whose name has one of the nouns."""
    candidates = [column for column in columns if column.form in ("integer", "decimal", "text")]
    return next(iter(_ranked(candidates, nouns, following)), None)


def _log(tables: Sequence[TableProfile], named: Mapping[str, str | None]) -> tuple[TableProfile, Column, Column]:
    """The log, its user column and its item column: of the tables with these and all named columns the longest."""
    known = [column for table in tables for column in table.columns]
    chosen = {role: name for role, name in named.items() if name is not None}
    for role, name in chosen.items():
        if name not in known:
            raise ArgumentError(role, f"no table has a column '{name}'.{suggestion(name, known)} {_columns(tables)}")
    if len(set(chosen.values())) < len(chosen):
        roles = ", ".join(f"{role} '{name}'" for role, name in chosen.items())
        raise AdiError(f"one column has two roles: {roles}. Name different columns.")
    logs = [table for table in tables if all(name in table.columns for name in chosen.values())]
    if not logs:
        raise AdiError(f"no table has all of the columns {', '.join(chosen.values())}. {_columns(tables)}")
    identities = [(table, _identity(table, named)) for table in logs]
    for role, nouns in (("user", USERS), ("item", ITEMS)):
        if not any(role in columns for _, columns in identities):
            named_so = _ranked([column for table in logs for column in table.columns.values()], nouns, ID_WORDS)
            single = f"; {plain(named_so[0].name)} has {counted(named_so[0].distinct, 'value')}" if named_so else ""
            raise ArgumentError(
                role,
                f"no column looks like the {role} of an interaction (names such as {_examples(nouns)}{single}). "
                f"Name the column. {_columns(logs)}",
            )
    complete = [(table, columns["user"], columns["item"]) for table, columns in identities if len(columns) == 2]
    if not complete:
        raise AdiError(
            "no table has both a user and an item column, as the log of the interactions does. Add the log, or name "
            f"its columns of user and item. {_columns(logs)}"
        )
    return max(complete, key=lambda candidate: candidate[0].rows)


def _identity(table: TableProfile, named: Mapping[str, str | None]) -> dict[str, Column]:
    """The user column and the item column of a table, by role, as far as it has them."""
    identity: dict[str, Column] = {}
    for role, nouns in (("user", USERS), ("item", ITEMS)):
        with_role = [name for other, name in named.items() if other != role]
        with_role += [column.name for column in identity.values()]
        name = named.get(role)
        least = min(2, table.rows)  # a column of one value tells no users apart
        others = [
            column for column in table.columns.values() if column.name not in with_role and column.distinct >= least
        ]
        column = table.columns[name] if name else _by_name(others, nouns, ID_WORDS)
        if column is not None:
            identity[role] = column
    return identity


def _time(connection: duckdb.DuckDBPyConnection, log: TableProfile, with_role: Sequence[str]) -> Column | None:
    """A column of a date or time type, preferably with a name of a time; else a number or text with such a name."""
    others = [column for column in log.columns.values() if column.name not in with_role and column.filled]
    likely = [column for column in _ranked(others, TIMES, TIME_WORDS) if not DURATIONS & set(words_of(column.name))]
    typed = [column for column in likely if column.form == "time"] or [c for c in others if c.form == "time"]
    for column in [*typed, *likely]:
        if column.form == "text":
            value = quoted(column.name)
            query = f"SELECT count(TRY_CAST({value} AS TIMESTAMPTZ)) / count({value}) FROM {quoted(log.sample)}"
            if connection.execute(query).fetchall()[0][0] < 0.99:
                continue
        if column.form in TIME_FORMS:
            return column
    return None


def _domains(log: TableProfile, with_role: Sequence[str]) -> list[Column]:
    """The columns that can be the domain by name and values, the best first."""
    others = [column for column in log.columns.values() if column.name not in with_role]
    in_path = [column for column in others if column.name in log.table.in_path]
    named = [column for column in _ranked(others, DOMAINS, DOMAIN_WORDS) if column not in in_path]
    return [column for column in (*in_path, *named) if _has_domains(column)]


def _has_domains(column: Column) -> bool:
    """Whether a column has as many values as there can be domains, with enough rows each."""
    large = [count for count in column.values.values() if count >= FAIR_SHARE * column.filled]
    return 2 <= len(column.values) <= MOST_DOMAINS and len(large) >= 2 and sum(large) >= 0.9 * column.filled


def _covered(
    connection: duckdb.DuckDBPyConnection, table: TableProfile, column: Column, log: TableProfile, log_column: Column
) -> float:
    """The share of the ids in the log's sample that the table has."""
    ids = f"(SELECT DISTINCT {quoted(log_column.name)}::VARCHAR AS id FROM {quoted(log.sample)} WHERE id IS NOT NULL)"
    known = f"SELECT {quoted(column.name)} AS known FROM {table.table.sql({column.name}, numbered=False)}"
    query = f"SELECT avg((id IN ({known} WHERE known IS NOT NULL))::INT) FROM {ids}"
    return float(connection.execute(query).fetchall()[0][0] or 0)


def _foreign(table: TableProfile, column: Column, log_column: Column) -> str:
    """The message that a table has none of the log's ids."""
    here, there = plain(column.low), plain(log_column.low)
    fault = (
        f"None of its {plain(column.name)} (such as {here}) is a {plain(log_column.name)} of the log (such as {there})."
    )
    if "decimal" in (column.form, log_column.form) and column.form != log_column.form:
        fault += (
            " Ids are compared as they are written, and 7.0 is not 7: write them as whole numbers. A column of whole "
            "numbers becomes one of fractions in pandas if a value is missing; its type Int64 keeps them."
        )
    return fault


def _no_domain(log: TableProfile, with_role: Sequence[str]) -> str:
    """The message that no column looks like the domain."""
    others = [column for column in log.columns.values() if column.name not in with_role and _has_domains(column)]
    named = [column for column in log.columns.values() if column.name not in with_role]
    single = [column.name for column in _ranked(named, DOMAINS, DOMAIN_WORDS) if column.distinct == 1]
    single_value = f"; {plain(single[0])} has one value" if single else ""
    possible = ", ".join(f"{plain(column.name)} ({counted(column.distinct, 'value')})" for column in others)
    return (
        f"{log.table}: no column looks like the domain (names such as {_examples(DOMAINS)}; 2 to "
        f"{MOST_DOMAINS} values, each with a fair number of rows{single_value}). adi learns from two or more domains "
        "at once, such as search and feed, or several markets, and one column of the log says which. Name the column"
        f"{f'; by their values these could be it: {possible}' if possible else ''}. If each domain has its own files, "
        "write {domain} for its name in their path, in quotes: 'log/{domain}/*.csv'. "
        f"Columns: {listed(log.columns)}."
    )


def _columns(tables: Sequence[TableProfile]) -> str:
    return " ".join(f"Columns of {table.table}: {listed(table.columns)}." for table in tables)


def _examples(nouns: str) -> str:
    return ", ".join(nouns.split()[:6])
