"""A feature table of the schema: checked, then read with its keys as text.

An item table is read with all its columns, for they are the items' attributes (`adi.preparation.attributes`). A column
that a feature names is of the feature's kind: text where it is categorical, whatever the file has ("007" is not 7), a
list of text where it is multi. Others are what the file has, as text, whole or floating-point numbers, booleans, dates,
timestamps and lists of these; any other type becomes text. An empty text, NaN and infinities are missing values.
"""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from pathlib import Path

import ibis
from ibis import _
from ibis.backends.duckdb import Backend

from adi.data.manifest import RowCounts
from adi.errors import AdiError
from adi.preparation.cleaning import columns_in_each, is_number, require_number, require_single
from adi.preparation.tables import FILE, ROW, files_of, quoted, reading, relation_sql, shown
from adi.schema import CategoricalFeature, MultiFeature, NumericFeature, Schema, Sourced, Table


class FeatureTable:
    """A table that features name: `columns` maps each to its DuckDB type, `side` says whose features they are.

    Raises `AdiError` where a column is missing or of a type that its feature cannot take, before any row is read.
    """

    def __init__(self, connection: Backend, name: str, table: Table, schema: Schema, folder: Path) -> None:
        self.connection, self.name, self.key = connection, name, table.key
        named = {"user": features_of(name, schema.features.user), "item": features_of(name, schema.features.item)}
        if named["user"] and named["item"]:
            raise AdiError(
                f"tables.{name}: its key is a user or an item, and features of both sides name it "
                f"('{named['user'][0].name}' of users, '{named['item'][0].name}' of items). Give each side its table."
            )
        self.side = "user" if named["user"] else "item"
        self.features = named[self.side]
        self.files = files_of(table.path, folder)
        wanted = dict.fromkeys(table.key, f"tables.{name}.key")
        wanted |= {feature.source_column: f"feature '{feature.name}'" for feature in self.features}
        self.columns = columns_in_each(connection, self.files, wanted)
        for column in table.key:
            require_single(self.files, column, self.columns, wanted[column])
        for feature in self.features:
            self._check_type(feature)

    @property
    def by_domain(self) -> bool:
        return len(self.key) == 2

    @property
    def key_roles(self) -> list[str]:
        """The columns of the table as read that hold its key."""
        return ["key", "domain"][: len(self.key)]

    @property
    def attributes(self) -> list[str]:
        """The columns that are kept as they are: of an item table, all but the key."""
        return [column for column in self.columns if column not in self.key] if self.side == "item" else []

    def read(self) -> ibis.Table:
        """The table with its keys as text in the columns `key` and `domain`; refuses a key that comes twice.

        Each feature's value is in the column ``value_<feature>``, each attribute in the one that `attribute_column`
        names.
        """
        selected = [f"{FILE} AS file", f"{ROW} + 1 AS file_row"]
        selected += [
            f"nullif({quoted(column)}::VARCHAR, '') AS {role}"
            for column, role in zip(self.key, self.key_roles, strict=True)
        ]
        for feature in self.features:
            selected.append(f"{_value_sql(feature)} AS {quoted('value_' + feature.name)}")
        for column in self.attributes:
            selected.append(f"{self._attribute_sql(column)} AS {quoted(attribute_column(column))}")
        text = {feature.source_column for feature in self.features if isinstance(feature, CategoricalFeature)}
        source = relation_sql(self.files, text=frozenset({*self.key, *text}))
        stored = f"table_{self.name}"
        with reading(self.connection.con, self.files):
            self.connection.con.execute(f"CREATE TABLE {quoted(stored)} AS SELECT {', '.join(selected)} FROM {source}")
        table: ibis.Table = self.connection.table(stored)
        self._refuse_repeated_key(table)
        return table

    def _check_type(self, feature: Sourced) -> None:
        column, use = feature.source_column, f"feature '{feature.name}'"
        kind, place = self.columns[column], f"{shown(self.files)}, column '{column}'"
        if isinstance(feature, NumericFeature):
            require_number(self.files, column, self.columns, use)
        elif isinstance(feature, CategoricalFeature):
            require_single(self.files, column, self.columns, use)
        elif isinstance(feature, MultiFeature):
            if self.by_domain:
                raise AdiError(
                    f"{place}: {use} is a list for each domain, which is not supported. Use a table of one key."
                )
            if feature.separator is None and not kind.endswith("]"):
                raise AdiError(f"{place}: {kind} is no list, and {use} is multi. Give its separator, such as '|'.")
            if feature.separator is not None and kind.endswith("]"):
                raise AdiError(f"{place}: {kind} is a list already, and {use} has a separator. Remove the separator.")

    def _attribute_sql(self, column: str) -> str:
        """A column as the type that it is kept in; one for which several features stand is a number, else text."""
        features = [feature for feature in self.features if feature.source_column == column]
        text = any(isinstance(feature, CategoricalFeature) for feature in features)
        for feature in features:
            if isinstance(feature, MultiFeature) and not text:
                return f"list_filter({_value_sql(feature)}, lambda part: part <> '')"
            if isinstance(feature, NumericFeature) and text:  # the file is read with the column as text
                return _kept_sql(f"{quoted(column)}::DOUBLE", "DOUBLE")
        return _kept_sql(quoted(column), "VARCHAR" if text else self.columns[column])

    def _refuse_repeated_key(self, table: ibis.Table) -> None:
        whole = table.drop_null(self.key_roles)
        repeated = whole.group_by(self.key_roles).agg(rows=_.count()).filter(_.rows > 1).order_by(self.key_roles)
        for key in repeated.limit(1).to_pyarrow().to_pylist():
            same = whole.filter([whole[role] == key[role] for role in self.key_roles]).order_by("file", "file_row")
            first, second = same.select("file", "file_row").limit(2).to_pyarrow().to_pylist()
            again = "" if first["file"] == second["file"] else f"{first['file']}, "
            values = ", ".join(f"{c} = '{key[role]}'" for c, role in zip(self.key, self.key_roles, strict=True))
            raise AdiError(
                f"{second['file']}, row {second['file_row']}: the key {values} is on {key['rows']} rows, first on "
                f"{again}row {first['file_row']}. tables.{self.name} needs one row for each key; drop the others."
            )


def attribute_column(name: str) -> str:
    """The column of an attribute in a table as read, apart from the table's key and features."""
    return f"attribute_{name}"


def features_of(table: str, features: Sequence[object]) -> list[Sourced]:
    """Those of the features that are columns of a table."""
    return [feature for feature in features if isinstance(feature, Sourced) and feature.table == table]


def count_rows(table: ibis.Table, keys: list[str], domains: tuple[str, ...]) -> RowCounts:
    """Rows read and kept of a table beside the log.

    A row with a part of its key missing, or of a domain that the log does not have, describes nothing.
    """
    reasons = {"no key": reduce(or_, (table[key].isnull() for key in keys))}
    if "domain" in keys:
        reasons["domain not in the log"] = ~reasons["no key"] & ~table.domain.isin(domains).fill_null(False)
    totals = table.agg(read=_.count(), **{reason: rows.sum().fill_null(0) for reason, rows in reasons.items()})
    found: dict[str, int] = totals.to_pyarrow().to_pylist()[0]
    read = found.pop("read")
    return RowCounts(read=read, kept=read - sum(found.values()), set_aside={why: n for why, n in found.items() if n})


def _value_sql(feature: Sourced) -> str:
    """A feature's column as the type that its encoding takes; a text without a character is a missing value."""
    column = quoted(feature.source_column)
    if isinstance(feature, NumericFeature):
        return f"{column}::DOUBLE"
    if not isinstance(feature, MultiFeature):
        return f"nullif({column}::VARCHAR, '')"
    if feature.separator is None:
        return f"{column}::VARCHAR[]"
    return f"string_split({column}::VARCHAR, '{feature.separator.replace(chr(39), chr(39) * 2)}')"


def _kept_sql(value: str, kind: str) -> str:
    """SQL for `value`, of a DuckDB type, in one of the few types that attributes have."""
    if kind.endswith("[]"):
        element = kind.removesuffix("[]")
        plain = is_number(element) and not element.startswith(("DECIMAL", "HUGE", "UHUGE"))
        return value if plain else f"({value})::VARCHAR[]"
    if kind in ("FLOAT", "DOUBLE"):
        return f"CASE WHEN isfinite({value}) THEN {value} END"
    if kind.startswith("DECIMAL") or kind in ("HUGEINT", "UHUGEINT"):
        return f"({value})::DOUBLE"
    if is_number(kind) or kind == "DATE" or kind.startswith("TIMESTAMP"):
        return value
    return f"nullif(({value})::VARCHAR, '')"
