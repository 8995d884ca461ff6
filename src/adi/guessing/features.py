"""Columns as features: whether a column can be one and of which kind, judged by its type and values."""

from collections.abc import Collection
from dataclasses import dataclass

import duckdb

from adi.engines.tables import quoted
from adi.guessing.profiles import Column, counted
from adi.guessing.roles import ID_WORDS, Roles, noun_of, words_of

MOST_CODES = 50
"""Integers with more distinct values than this are amounts, unless the column's name says that they are codes."""

MOST_CATEGORIES = 100_000
"""A category with more values is left to the user: its embedding table would be large."""

FEWEST_ROWS = 2
FEW_VALUES = 10
"""Average rows that a value needs to be of use beyond its own rows, unless there are only `FEW_VALUES` values."""

UNIX_TIMES = tuple((1e9 * scale, 2.2e9 * scale) for scale in (1, 1e3, 1e6, 1e9))
"""Ranges of whole numbers that are seconds, milliseconds and so on since 1970: the years 2001 to 2039."""

CODE_WORDS = ID_WORDS | {"zip", "postcode", "type", "category", "cluster", "segment", "class", "group"}

OUTCOMES = (
    "rating rate score star click label target like view watch dwell duration purchase buy bought order cart convert "
    "conversion pay payment revenue gmv amount quantity qty event action behavior behaviour feedback review comment "
    "reward response clicked liked viewed watched purchased ordered converted paid"
)
OUTCOME_WORDS = frozenset({"type", "flag", "count", "value", "time", "seconds", "ms", "total", "id"})
"""Nouns for what is known only after an item was shown, and words that can follow them."""


@dataclass(frozen=True)
class FeatureGuess:
    """A column as a feature of a `kind`; `doubt` says why it should not be used as it is."""

    column: Column
    kind: str | None
    doubt: str | None = None


def guess_feature(column: Column) -> FeatureGuess:
    """Guess the feature that a column of a feature table is."""
    return FeatureGuess(column, *_kind_of(column))


def guess_context(connection: duckdb.DuckDBPyConnection, roles: Roles) -> list[FeatureGuess]:
    """Guess the context features in the log; columns that reveal the item or the outcome are doubted."""
    with_role = {column.name for column in (roles.user, roles.item, roles.domain, roles.time) if column is not None}
    others = [column for column in roles.log.columns.values() if column.name not in with_role]
    of_item = _fixed_by_item(connection, roles, [column for column in others if column.distinct > 1])
    guesses = []
    for column in others:
        kind, doubt = _kind_of(column)
        if kind == "multi":
            kind, doubt = None, "a list, and context features are single values"
        elif doubt is None and is_outcome(column.name):
            doubt = "an outcome by its name; context is what is known before the click"
        elif doubt is None and column.name in of_item:
            doubt = "each item has one value of it: an item feature, to be put into a table of items"
        guesses.append(FeatureGuess(column, kind, doubt))
    return guesses


def is_outcome(name: str) -> bool:
    """Whether a column's name denotes something known only after the item was shown."""
    noun = noun_of(name, OUTCOME_WORDS)
    return bool({noun, noun.removesuffix("s")} & set(OUTCOMES.split()))


def _kind_of(column: Column) -> tuple[str | None, str | None]:
    """The kind of feature that a column is, if any, and a doubt, if any."""
    if not column.filled:
        return None, "nothing to learn from"
    if column.form == "other":
        return None, "not a type that a feature can have"
    if column.form == "time":
        return None, "a time is no feature as it is; a day of the week or an age would be"
    if column.form == "list" or column.separator:
        return "multi", _too_many(column)
    if column.distinct == 1:
        return None, "the same everywhere"
    if column.form == "decimal":
        return "numeric", None
    is_code = bool(CODE_WORDS & set(words_of(column.name)))
    if column.form == "integer" and not is_code and (column.distinct > MOST_CODES or _nearly_unique(column)):
        is_time = any(start <= int(column.low) and int(column.high) <= end for start, end in UNIX_TIMES)
        return (
            ("numeric", None) if not is_time else (None, "by its range a time since 1970, which is no feature as it is")
        )
    return "categorical", _too_many(column)


def _too_many(column: Column) -> str | None:
    if column.distinct > MOST_CATEGORIES:
        return "too many values for a table of embeddings; hash_size bounds it"
    if column.form != "list" and _nearly_unique(column):
        return f"nearly a value of its own for each of {counted(column.filled, 'row')}: nothing to generalise from"
    return None


def _nearly_unique(column: Column) -> bool:
    return column.distinct > FEW_VALUES and column.distinct * FEWEST_ROWS > column.filled


def _fixed_by_item(connection: duckdb.DuckDBPyConnection, roles: Roles, columns: Collection[Column]) -> set[str]:
    """The columns that have one value in all rows of an item, if ten items or more have several rows."""
    if not columns:
        return set()
    item = quoted(roles.item.name)
    names = [quoted(column.name) for column in columns]
    constant = ", ".join(f"(min({name}) = max({name}))::INT AS {name}" for name in names)
    always_constant = ", ".join(f"min({name})" for name in names)
    repeated = f"WHERE {item} IS NOT NULL GROUP BY {item} HAVING count(*) > 1"
    query = f"SELECT {constant} FROM {quoted(roles.log.sample)} {repeated}"
    items, *fixed = connection.execute(f"SELECT count(*), {always_constant} FROM ({query})").fetchall()[0]
    return {column.name for column, always in zip(columns, fixed, strict=True) if items >= 10 and always == 1}
