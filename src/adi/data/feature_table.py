"""A feature table of the schema: checked, then read with its keys as text."""

from pathlib import Path

import ibis
from ibis import _
from ibis.backends.duckdb import Backend

from adi.data.cleaning import require_number
from adi.data.manifest import RowCounts
from adi.data.tables import columns_of, files_of, quoted, reading, relation_sql, require_columns, shown
from adi.errors import AdiError
from adi.schema import CategoricalFeature, MultiFeature, NumericFeature, Schema, Sourced, Table


class FeatureTable:
    """A feature table of the schema, checked: its columns are there, its keys are unique."""

    def __init__(self, connection: Backend, name: str, table: Table, schema: Schema, folder: Path) -> None:
        self.connection, self.name, self.key = connection, name, table.key
        self.files = files_of(table.path, folder)
        self.columns = columns_of(connection.con, self.files)
        self.side = "user" if any(f.table == name for f in schema.features.user if isinstance(f, Sourced)) else "item"
        wanted = dict.fromkeys(table.key, f"tables.{name}.key")
        self.features = [
            feature
            for feature in (*schema.features.user, *schema.features.item)
            if isinstance(feature, Sourced) and feature.table == name
        ]
        for feature in self.features:
            wanted[feature.source_column] = f"features '{feature.name}'"
        require_columns(self.files, self.columns, wanted)
        for feature in self.features:
            if isinstance(feature, NumericFeature):
                require_number(self.files, feature.source_column, self.columns, f"feature '{feature.name}'")

    @property
    def by_domain(self) -> bool:
        return len(self.key) == 2

    def read(self) -> ibis.Table:
        """The table with its keys as text in the columns `key` and `domain`; refuses a key that comes twice."""
        keys = ["key", "domain"][: len(self.key)]
        selected = [f"nullif({quoted(c)}::VARCHAR, '') AS {role}" for c, role in zip(self.key, keys, strict=True)]
        for feature in self.features:
            selected.append(f"{_value_sql(feature, self.columns)} AS {quoted('value_' + feature.name)}")
        text = {feature.source_column for feature in self.features if isinstance(feature, CategoricalFeature)}
        source = relation_sql(self.files, text=frozenset({*self.key, *text}))
        stored = f"table_{self.name}"
        with reading(self.connection.con, self.files):
            self.connection.con.execute(f"CREATE TABLE {quoted(stored)} AS SELECT {', '.join(selected)} FROM {source}")
        table: ibis.Table = self.connection.table(stored)
        twice = table.filter(_.key.notnull()).group_by(keys).agg(count=_.count()).filter(_["count"] > 1)
        for row in twice.order_by(keys).limit(1).to_pyarrow().to_pylist():
            key = ", ".join(f"{column} = '{row[role]}'" for column, role in zip(self.key, keys, strict=True))
            raise AdiError(
                f"{shown(self.files)}: the key {key} is on {row['count']} rows. "
                f"tables.{self.name} needs one row for each key; drop the others."
            )
        return table

    def counts(self, read: ibis.Table, domains: tuple[str, ...]) -> RowCounts:
        """Rows read and kept; a row without a key, or of a domain that the log does not have, describes nothing."""
        reasons = {"no key": _.key.isnull()}
        if self.by_domain:
            reasons["domain not in the log"] = _.key.notnull() & ~_.domain.isin(domains).fill_null(False)
        totals = read.agg(read=_.count(), **{reason: test.sum().fill_null(0) for reason, test in reasons.items()})
        found: dict[str, int] = totals.to_pyarrow().to_pylist()[0]
        total = found.pop("read")
        return RowCounts(
            read=total, kept=total - sum(found.values()), set_aside={key: n for key, n in found.items() if n}
        )


def _value_sql(feature: Sourced, columns: dict[str, str]) -> str:
    """A feature's column as the type that its encoding takes."""
    column = quoted(feature.source_column)
    if isinstance(feature, NumericFeature):
        return f"{column}::DOUBLE"
    if isinstance(feature, MultiFeature):
        if feature.separator is not None:
            return f"string_split({column}::VARCHAR, '{feature.separator.replace(chr(39), chr(39) * 2)}')"
        if not columns[feature.source_column].endswith("]"):
            raise AdiError(
                f"column '{feature.source_column}': {columns[feature.source_column]} is no list, and feature "
                f"'{feature.name}' is multi. Give its separator, such as separator: '|'."
            )
        return f"{column}::VARCHAR[]"
    return f"{column}::VARCHAR"
